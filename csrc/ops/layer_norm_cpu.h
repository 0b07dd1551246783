// The smallest sum of squares whose root unit normalisation divides by; below it the factor is 1e12.
constexpr double kUnitFactor = 1e12;

// body(offset in the sample, offset in gamma, lanes) for the vectors of group g.
template <class T, class Body>
HL_INLINE void for_each_in_group(const GroupShape& s, int64_t g, Body body) {
  const int64_t weights = s.shared ? 0 : g * s.columns;
  for (int64_t run = 0; run < s.runs; ++run) {
    const int64_t begin = (run * s.groups + g) * s.columns;
    for_each_vector<T>(s.columns, [&](int64_t i, auto lanes) { body(begin + i, weights + i, lanes); });
  }
}

template <class T, class Lanes>
HL_INLINE Vec<T> weight_lanes(const void* weights, int64_t at, T absent, Lanes lanes) {
  return weights ? load_lanes(static_cast<const T*>(weights) + at, lanes) : Vec<T>(absent);
}

// Mean and factor of one group.
template <class T>
HL_INLINE void group_statistics(const GroupShape& s, double epsilon, const T* x, int64_t g, T* mean, T* factor) {
  using V = Vec<T>;
  const T count = T(s.runs * s.columns);
  *mean = 0;
  if (s.kind == NormKind::layer) {
    V total = V(0);
    for_each_in_group<T>(s, g, [&](int64_t i, int64_t, auto lanes) { total += load_lanes(x + i, lanes); });
    *mean = sum(total) / count;
  }
  const V centre = V(*mean);
  V total = V(0);
  for_each_in_group<T>(s, g, [&](int64_t i, int64_t, auto lanes) {
    const V d = fill_lanes(load_lanes(x + i, lanes) - centre, V(0), lanes);
    total = fma(d, d, total);
  });
  const V squares = V(sum(total));
  const V root = sqrt(s.kind == NormKind::unit ? squares : squares / V(count) + V(T(epsilon)));
  V r = V(1) / root;
  if (s.kind == NormKind::unit) r = min(V(T(kUnitFactor)), r);
  *factor = first_of(r);
}

template <class T>
HL_KERNEL_TEXT void layer_norm_forward(const LayerNormForward& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  for_each_piece(run.rows, a.shape.groups, 1, w, [&](int64_t row, int64_t begin, int64_t end) {
    const T* x = row_of<T>(a.x, row);
    T *y = row_of<T>(a.y, row), *saved = row_of<T>(a.saved, row);
    for (int64_t g = begin; g < end; ++g) {
      group_statistics(a.shape, a.epsilon, x, g, saved + 2 * g, saved + 2 * g + 1);
      const V mean = V(saved[2 * g]), factor = V(saved[2 * g + 1]);
      for_each_in_group<T>(a.shape, g, [&](int64_t i, int64_t at, auto lanes) {
        const V n = (load_lanes(x + i, lanes) - mean) * factor;
        const V gamma = weight_lanes<T>(a.gamma, at, T(1), lanes), beta = weight_lanes<T>(a.beta, at, T(0), lanes);
        store_lanes(y + i, fma(n, gamma, beta), lanes);
      });
    }
  });
}

template <class T>
HL_KERNEL_TEXT void layer_norm_backward(const LayerNormBackward& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  const bool unit = a.shape.kind == NormKind::unit;
  const T count = unit ? T(1) : T(a.shape.runs * a.shape.columns);
  for_each_piece(run.rows, a.shape.groups, 1, w, [&](int64_t row, int64_t begin, int64_t end) {
    const T *x = row_of<T>(a.x, row), *dy = row_of<T>(a.dy, row), *saved = row_of<T>(a.saved, row);
    T* dx = row_of<T>(a.dx, row);
    for (int64_t g = begin; g < end; ++g) {
      const V mean = V(saved[2 * g]), factor = V(saved[2 * g + 1]);
      V along = V(0), total = V(0);
      for_each_in_group<T>(a.shape, g, [&](int64_t i, int64_t at, auto lanes) {
        const V d = load_lanes(dy + i, lanes) * weight_lanes<T>(a.gamma, at, T(1), lanes);
        const V n = fill_lanes((load_lanes(x + i, lanes) - mean) * factor, V(0), lanes);
        along = fma(d, n, along);
        total += d;
      });
      const bool held = unit && saved[2 * g + 1] >= T(kUnitFactor);  // the factor was no function of x
      along = V(held ? T(0) : sum(along) / count);
      total = V(a.shape.kind == NormKind::layer ? sum(total) / count : T(0));
      for_each_in_group<T>(a.shape, g, [&](int64_t i, int64_t at, auto lanes) {
        const V d = load_lanes(dy + i, lanes) * weight_lanes<T>(a.gamma, at, T(1), lanes);
        const V n = (load_lanes(x + i, lanes) - mean) * factor;
        store_lanes(dx + i, factor * fnma(n, along, d - total), lanes);
      });
    }
  });
}

template <class T>
HL_KERNEL_TEXT void layer_norm_backward_params(const LayerNormBackwardParams& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  const GroupShape& s = a.shape;
  const int64_t weight_groups = s.shared ? 1 : s.groups, repeats = s.shared ? s.groups : s.runs;
  for_each_piece(weight_groups, s.columns, kPiece, w, [&](int64_t group, int64_t begin, int64_t end) {
    for_each_vector<T>(end - begin, [&](int64_t i, auto lanes) {
      V dgamma = V(0), dbeta = V(0);
      for (int64_t row = 0; row < run.rows; ++row) {
        const T *x = row_of<T>(a.x, row), *dy = row_of<T>(a.dy, row), *saved = row_of<T>(a.saved, row);
        for (int64_t repeat = 0; repeat < repeats; ++repeat) {
          const int64_t g = s.shared ? repeat : group;
          const int64_t at = (s.shared ? repeat : repeat * s.groups + group) * s.columns + begin + i;
          const V d = load_lanes(dy + at, lanes);
          dgamma = fma(d, (load_lanes(x + at, lanes) - V(saved[2 * g])) * V(saved[2 * g + 1]), dgamma);
          dbeta += d;
        }
      }
      const int64_t at = group * s.columns + begin + i;
      if (a.dgamma) store_lanes(static_cast<T*>(a.dgamma) + at, dgamma, lanes);
      if (a.dbeta) store_lanes(static_cast<T*>(a.dbeta) + at, dbeta, lanes);
    });
  });
}
