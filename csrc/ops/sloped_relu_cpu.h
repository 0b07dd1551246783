// Where the slope of each feature lies, in order of features.
template <class Body>
HL_INLINE void for_each_slope(const SlopeShape& s, Body body) {
  int64_t at[kSlopeAxes] = {};
  int64_t slope = 0;
  for (int64_t f = 0; f < s.features; ++f) {
    body(f, slope);
    for (int axis = kSlopeAxes - 1; axis >= 0; --axis) {
      slope += s.stride[axis];
      if (++at[axis] < s.size[axis]) break;
      slope -= s.stride[axis] * s.size[axis];
      at[axis] = 0;
    }
  }
}

template <class T>
HL_KERNEL_TEXT void slope_spread(const SlopeSpread& a, const RunState&, Worker w) noexcept {
  if (w.id != 0) return;
  const T* slopes = static_cast<const T*>(a.slopes);
  T* features = static_cast<T*>(a.features);
  for_each_slope(a.shape, [&](int64_t f, int64_t slope) { features[f] = slopes[slope]; });
}

template <class T>
HL_KERNEL_TEXT void slope_gather(const SlopeGather& a, const RunState&, Worker w) noexcept {
  if (w.id != 0) return;
  const T* features = static_cast<const T*>(a.features);
  T* slopes = static_cast<T*>(a.slopes);
  for (int64_t i = 0; i < a.shape.slopes; ++i) slopes[i] = 0;
  for_each_slope(a.shape, [&](int64_t f, int64_t slope) { slopes[slope] += features[f]; });
}

template <class T>
HL_KERNEL_TEXT void prelu_forward(const PreluForward& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  const T* slope = static_cast<const T*>(a.slope);
  for_each_piece(run.rows, a.features, kPiece, w, [&](int64_t row, int64_t begin, int64_t end) {
    const T* x = row_of<T>(a.x, row);
    T* y = row_of<T>(a.y, row);
    for (int64_t i = begin; i < end; i += V::kLanes) {
      const V value = V::load(x + i);
      select(value >= V(0), value, V::load(slope + i) * value).store(y + i);
    }
  });
}

template <class T>
HL_KERNEL_TEXT void prelu_backward(const PreluBackward& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  const T* slope = static_cast<const T*>(a.slope);
  for_each_piece(run.rows, a.features, kPiece, w, [&](int64_t row, int64_t begin, int64_t end) {
    const T *x = row_of<T>(a.x, row), *dy = row_of<T>(a.dy, row);
    T* dx = row_of<T>(a.dx, row);
    for (int64_t i = begin; i < end; i += V::kLanes) {
      const V d = V::load(dy + i);
      select(V::load(x + i) >= V(0), d, V::load(slope + i) * d).store(dx + i);
    }
  });
}

template <class T>
HL_KERNEL_TEXT void prelu_backward_slope(const PreluBackwardSlope& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  T* dslope = static_cast<T*>(a.dslope);
  for_each_piece(1, a.features, kPiece, w, [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += V::kLanes) {
      V total = V(0);
      for (int64_t row = 0; row < run.rows; ++row) {
        const V x = V::load(row_of<T>(a.x, row) + i);
        total += select(x < V(0), x * V::load(row_of<T>(a.dy, row) + i), V(0));
      }
      total.store(dslope + i, end - i);
    }
  });
}

template <class T>
HL_KERNEL_TEXT void rrelu(const RandomSlope& a, const RunState& run, Worker w) noexcept {
  const RandomKey key = random_key(run.seed, run.step, a.stream, Purpose::noise);
  const double width = (a.upper - a.lower) / 4294967296.0;
  for_each_piece(run.rows, a.features, kRandomBlock, w, [&](int64_t row, int64_t begin, int64_t end) {
    const T *x = row_of<T>(a.x, row), *from = row_of<T>(a.from, row);
    T* to = row_of<T>(a.to, row);
    alignas(kAlignment) uint32_t words[kRandomBlock];
    for (int64_t c = begin; c < end; c += kRandomBlock) {
      random_block(key, random_row(run, row), c / kRandomBlock, words);
      const int64_t last = least(kRandomBlock, end - c);
      for (int64_t i = 0; i < last; ++i) {
        const T slope = T(a.lower + width * double(words[i]));
        to[c + i] = x[c + i] < T(0) ? slope * from[c + i] : from[c + i];
      }
    }
  });
}
