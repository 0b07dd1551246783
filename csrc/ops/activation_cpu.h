template <class T>
void activation_forward(const ActivationForward& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  const V alpha = V(T(a.activation.alpha));
  with_activation(a.activation.kind, [&](auto f) {
    for_each_piece(run.rows, a.features, kPiece, w, [&](int64_t row, int64_t begin, int64_t end) {
      const T* x = row_of<T>(a.x, row);
      T* y = row_of<T>(a.y, row);
      for (int64_t i = begin; i < end; i += V::kLanes) f.forward(V::load(x + i), alpha).store(y + i);
    });
  });
}

template <class T>
void activation_backward(const ActivationBackward& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  const V alpha = V(T(a.activation.alpha));
  with_activation(a.activation.kind, [&](auto f) {
    for_each_piece(run.rows, a.features, kPiece, w, [&](int64_t row, int64_t begin, int64_t end) {
      const T *y = row_of<T>(a.y, row), *dy = row_of<T>(a.dy, row);
      T* dx = row_of<T>(a.dx, row);
      for (int64_t i = begin; i < end; i += V::kLanes)
        (V::load(dy + i) * f.derivative(V::load(y + i), alpha)).store(dx + i);
    });
  });
}

// dx *= f'(x) for n elements of a row, whole vectors at a time.
template <class T>
HL_INLINE void chain_activation(const Activation& below, const T* x, T* dx, int64_t n) {
  using V = Vec<T>;
  const V alpha = V(T(below.alpha));
  with_activation(below.kind, [&](auto f) {
    for (int64_t i = 0; i < n; i += V::kLanes) (V::load(dx + i) * f.derivative(V::load(x + i), alpha)).store(dx + i);
  });
}

template <class T>
HL_INLINE void softmax_row(const T* x, T* y, int64_t n) {
  using V = Vec<T>;
  V top = V(x[0]);
  for_each_vector<T>(n, [&](int64_t i, auto lanes) {
    top = max(fill_lanes(load_lanes(x + i, lanes), top, lanes), top);
  });
  top = V(max_of(top));
  V total = V(0);
  for_each_vector<T>(n, [&](int64_t i, auto lanes) {
    const V e = exp(load_lanes(x + i, lanes) - top);
    store_lanes(y + i, e, lanes);
    total += fill_lanes(e, V(0), lanes);
  });
  const V scale = V(1) / V(sum(total));
  for_each_vector<T>(n, [&](int64_t i, auto lanes) { store_lanes(y + i, load_lanes(y + i, lanes) * scale, lanes); });
}

template <class T>
HL_INLINE void softmax_row_gradient(const T* y, const T* dy, T* dx, int64_t n) {
  using V = Vec<T>;
  V total = V(0);
  for_each_vector<T>(n, [&](int64_t i, auto lanes) {
    total = fma(load_lanes(dy + i, lanes), load_lanes(y + i, lanes), total);
  });
  const V dot = V(sum(total));
  for_each_vector<T>(n, [&](int64_t i, auto lanes) {
    store_lanes(dx + i, load_lanes(y + i, lanes) * (load_lanes(dy + i, lanes) - dot), lanes);
  });
}

template <class T>
void softmax_forward(const SoftmaxForward& a, const RunState& run, Worker w) noexcept {
  for_each_piece(run.rows, a.groups * a.columns, a.columns, w, [&](int64_t row, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += a.columns)
      softmax_row(row_of<T>(a.x, row) + i, row_of<T>(a.y, row) + i, a.columns);
  });
}

template <class T>
void softmax_backward(const SoftmaxBackward& a, const RunState& run, Worker w) noexcept {
  for_each_piece(run.rows, a.groups * a.columns, a.columns, w, [&](int64_t row, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += a.columns)
      softmax_row_gradient(row_of<T>(a.y, row) + i, row_of<T>(a.dy, row) + i, row_of<T>(a.dx, row) + i, a.columns);
  });
}
