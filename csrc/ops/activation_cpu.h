template <class T>
HL_INLINE Parameters<Vec<T>> parameters_of(const Activation& f) {
  using V = Vec<T>;
  return {V(T(f.alpha)), V(T(f.beta)), V(T(f.gamma))};
}

// n elements, in whole vectors. Out of line: the formulas stand once, for whoever runs them.
template <class T>
HL_NOINLINE void activation_run(const Activation& f, const T* x, T* y, int64_t n) noexcept {
  using V = Vec<T>;
  const auto p = parameters_of<T>(f);
  with_any_activation(f.kind, [&](auto f) {
    for (int64_t i = 0; i < n; i += V::kLanes) f.forward(V::load(x + i), p).store(y + i);
  });
}

// dx = dy f'(saved), or that added to dx. saved: x, or y where that tells the derivative.
template <class T>
HL_NOINLINE void activation_gradient_run(const Activation& f, const T* saved, const T* dy, T* dx, int64_t n,
                                         bool adds) noexcept {
  using V = Vec<T>;
  const auto p = parameters_of<T>(f);
  with_any_activation(f.kind, [&](auto f) {
    for (int64_t i = 0; i < n; i += V::kLanes) {
      V v = V::load(dy + i) * f.derivative(V::load(saved + i), p);
      if (adds) v = V::load(dx + i) + v;
      v.store(dx + i);
    }
  });
}

template <class T>
HL_KERNEL_TEXT void activation_forward(const ActivationForward& a, const RunState& run, Worker w) noexcept {
  for_each_piece(run.rows, a.features, kPiece, w, [&](int64_t row, int64_t begin, int64_t end) {
    activation_run(a.activation, row_of<T>(a.x, row) + begin, row_of<T>(a.y, row) + begin, end - begin);
  });
}

template <class T>
HL_KERNEL_TEXT void activation_backward(const ActivationBackward& a, const RunState& run, Worker w) noexcept {
  for_each_piece(run.rows, a.features, kPiece, w, [&](int64_t row, int64_t begin, int64_t end) {
    activation_gradient_run(a.activation, row_of<T>(a.saved, row) + begin, row_of<T>(a.dy, row) + begin,
                            row_of<T>(a.dx, row) + begin, end - begin, false);
  });
}

template <class T>
HL_KERNEL_TEXT void glu_forward(const GluForward& a, const RunState& run, Worker w) noexcept {
  const auto p = parameters_of<T>(a.gate);
  with_any_activation(a.gate.kind, [&](auto g) {
    for_each_piece(run.rows, a.groups * a.columns, a.columns, w, [&](int64_t row, int64_t begin, int64_t end) {
      for (int64_t at = begin; at < end; at += a.columns) {
        const T *x = row_of<T>(a.x, row) + 2 * at, *gate = x + a.columns;
        T* y = row_of<T>(a.y, row) + at;
        for_each_vector<T>(a.columns, [&](int64_t i, auto lanes) {
          store_lanes(y + i, load_lanes(x + i, lanes) * g.forward(load_lanes(gate + i, lanes), p), lanes);
        });
      }
    });
  });
}

template <class T>
HL_KERNEL_TEXT void glu_backward(const GluBackward& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  const auto p = parameters_of<T>(a.gate);
  with_any_activation(a.gate.kind, [&](auto g) {
    for_each_piece(run.rows, a.groups * a.columns, a.columns, w, [&](int64_t row, int64_t begin, int64_t end) {
      for (int64_t at = begin; at < end; at += a.columns) {
        const T *x = row_of<T>(a.x, row) + 2 * at, *gate = x + a.columns, *dy = row_of<T>(a.dy, row) + at;
        T *dx = row_of<T>(a.dx, row) + 2 * at, *dgate = dx + a.columns;
        for_each_vector<T>(a.columns, [&](int64_t i, auto lanes) {
          const V d = load_lanes(dy + i, lanes), b = load_lanes(gate + i, lanes), open = g.forward(b, p);
          store_lanes(dgate + i, d * load_lanes(x + i, lanes) * g.derivative(g.kOfInput ? b : open, p), lanes);
          store_lanes(dx + i, d * open, lanes);
        });
      }
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

// x - max - log(sum of exp(x - max)).
template <class T>
HL_INLINE void log_softmax_row(const T* x, T* y, int64_t n) {
  using V = Vec<T>;
  V top = V(x[0]);
  for_each_vector<T>(n, [&](int64_t i, auto lanes) {
    top = max(fill_lanes(load_lanes(x + i, lanes), top, lanes), top);
  });
  top = V(max_of(top));
  V total = V(0);
  for_each_vector<T>(n, [&](int64_t i, auto lanes) {
    total += fill_lanes(exp(load_lanes(x + i, lanes) - top), V(0), lanes);
  });
  const V log_total = log(V(sum(total)));
  for_each_vector<T>(n, [&](int64_t i, auto lanes) {
    store_lanes(y + i, load_lanes(x + i, lanes) - top - log_total, lanes);
  });
}

template <class T>
HL_INLINE void log_softmax_row_gradient(const T* y, const T* dy, T* dx, int64_t n) {
  using V = Vec<T>;
  V total = V(0);
  for_each_vector<T>(n, [&](int64_t i, auto lanes) { total += load_lanes(dy + i, lanes); });
  total = V(sum(total));
  for_each_vector<T>(n, [&](int64_t i, auto lanes) {
    store_lanes(dx + i, fnma(exp(load_lanes(y + i, lanes)), total, load_lanes(dy + i, lanes)), lanes);
  });
}

// tau by Michelot's finite algorithm (JOTA 50, 1986), which needs no sorting: what is not above the threshold of those
// that are left cannot belong to the support. The threshold rises until nothing falls out.
template <class T>
HL_INLINE void sparsemax_row(const T* x, T* y, int64_t n) {
  using V = Vec<T>;
  V top = V(x[0]);
  for_each_vector<T>(n, [&](int64_t i, auto lanes) {
    top = max(fill_lanes(load_lanes(x + i, lanes), top, lanes), top);
  });
  top = V(max_of(top));
  V tau = V(-1);  // of x - top; what lies a whole unit below the top is outside for sure
  T support = 0;
  for (;;) {
    V total = V(0), count = V(0);
    for_each_vector<T>(n, [&](int64_t i, auto lanes) {
      const V z = fill_lanes(load_lanes(x + i, lanes) - top, V(-1), lanes);
      total += select(z > tau, z, V(0));
      count += select(z > tau, V(1), V(0));
    });
    const T left = sum(count);
    if (left == support || left == 0) break;
    support = left;
    tau = V((sum(total) - T(1)) / left);
  }
  for_each_vector<T>(n, [&](int64_t i, auto lanes) {
    store_lanes(y + i, max(V(0), load_lanes(x + i, lanes) - top - tau), lanes);
  });
}

template <class T>
HL_INLINE void sparsemax_row_gradient(const T* y, const T* dy, T* dx, int64_t n) {
  using V = Vec<T>;
  V total = V(0), count = V(0);
  for_each_vector<T>(n, [&](int64_t i, auto lanes) {
    const auto inside = load_lanes(y + i, lanes) > V(0);
    total += select(inside, load_lanes(dy + i, lanes), V(0));
    count += select(inside, V(1), V(0));
  });
  const V mean = V(sum(total) / sum(count));
  for_each_vector<T>(n, [&](int64_t i, auto lanes) {
    store_lanes(dx + i, select(load_lanes(y + i, lanes) > V(0), load_lanes(dy + i, lanes) - mean, V(0)), lanes);
  });
}

// body(row, first element) for every group of this worker's rows.
template <class Body>
HL_INLINE void for_each_group(const RunState& run, int64_t groups, int64_t columns, Worker w, Body body) {
  for_each_piece(run.rows, groups * columns, columns, w, [&](int64_t row, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += columns) body(row, i);
  });
}

template <class T>
HL_KERNEL_TEXT void softmax_forward(const SoftmaxForward& a, const RunState& run, Worker w) noexcept {
  for_each_group(run, a.groups, a.columns, w, [&](int64_t row, int64_t i) {
    softmax_row(row_of<T>(a.x, row) + i, row_of<T>(a.y, row) + i, a.columns);
  });
}

template <class T>
HL_KERNEL_TEXT void softmax_backward(const SoftmaxBackward& a, const RunState& run, Worker w) noexcept {
  for_each_group(run, a.groups, a.columns, w, [&](int64_t row, int64_t i) {
    softmax_row_gradient(row_of<T>(a.y, row) + i, row_of<T>(a.dy, row) + i, row_of<T>(a.dx, row) + i, a.columns);
  });
}

template <class T>
HL_KERNEL_TEXT void log_softmax_forward(const SoftmaxForward& a, const RunState& run, Worker w) noexcept {
  for_each_group(run, a.groups, a.columns, w, [&](int64_t row, int64_t i) {
    log_softmax_row(row_of<T>(a.x, row) + i, row_of<T>(a.y, row) + i, a.columns);
  });
}

template <class T>
HL_KERNEL_TEXT void log_softmax_backward(const SoftmaxBackward& a, const RunState& run, Worker w) noexcept {
  for_each_group(run, a.groups, a.columns, w, [&](int64_t row, int64_t i) {
    log_softmax_row_gradient(row_of<T>(a.y, row) + i, row_of<T>(a.dy, row) + i, row_of<T>(a.dx, row) + i, a.columns);
  });
}

template <class T>
HL_KERNEL_TEXT void sparsemax_forward(const SoftmaxForward& a, const RunState& run, Worker w) noexcept {
  for_each_group(run, a.groups, a.columns, w, [&](int64_t row, int64_t i) {
    sparsemax_row(row_of<T>(a.x, row) + i, row_of<T>(a.y, row) + i, a.columns);
  });
}

template <class T>
HL_KERNEL_TEXT void sparsemax_backward(const SoftmaxBackward& a, const RunState& run, Worker w) noexcept {
  for_each_group(run, a.groups, a.columns, w, [&](int64_t row, int64_t i) {
    sparsemax_row_gradient(row_of<T>(a.y, row) + i, row_of<T>(a.dy, row) + i, row_of<T>(a.dx, row) + i, a.columns);
  });
}
