template <class T>
HL_KERNEL_TEXT void penalty_values(const PenaltyValues& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  const double share_of_batch = a.elements ? 1 : 1 / double(run.rows);
  const V l1(T(a.l1)), l2(T(a.l2)), slope_1(T(a.l1 * share_of_batch)), slope_2(T(2 * a.l2 * share_of_batch)), slope(T(a.slope));
  const Span rows = share(a.elements ? ceil_div(a.elements, a.columns) : run.rows, w);
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const T* x = row_of<T>(a.x, r);
    T* dx = a.dx ? row_of<T>(a.dx, r) : nullptr;
    V total(0);
    for_each_vector<T>(a.elements ? least(a.columns, a.elements - r * a.columns) : a.columns,
                       [&](int64_t i, auto lanes) {
                         const V v = load_lanes(x + i, lanes);
                         total += fma(l2 * v, v, fma(slope, v, l1 * abs(v)));
                         if (!dx) return;
                         const V side = slope + select(v > V(0), slope_1, select(v < V(0), -slope_1, v));  // keeps NaN
                         store_lanes(dx + i, fma(slope_2, v, side) + (a.add ? load_lanes(dx + i, lanes) : V(0)), lanes);
                       });
    a.values[r] = double(sum(total));
  }
}

// Element i of vector v, a row or a column of a variable.
HL_INLINE int64_t panel_place(const PanelShape& shape, bool columns, int64_t v, int64_t i, int64_t NR) {
  const int64_t k = columns ? i : v, n = columns ? v : i;
  return (n / NR * shape.K + k) * NR + n % NR;
}

template <class T>
HL_KERNEL_TEXT void orthogonal_units(const OrthogonalUnits& a, const RunState&, Worker w) noexcept {
  constexpr int64_t NR = panel_columns<T>();
  const int64_t n = a.columns ? a.shape.N : a.shape.K, d = a.columns ? a.shape.K : a.shape.N;
  const T* weights = static_cast<const T*>(a.w);
  const Span vectors = share(n, w);
  for (int64_t v = vectors.begin; v < vectors.end; ++v) {
    T* unit = row_of<T>(a.unit, v);
    double squares = 0;
    for (int64_t i = 0; i < d; ++i) {
      unit[i] = weights[panel_place(a.shape, a.columns, v, i, NR)];
      squares += double(unit[i]) * double(unit[i]);
    }
    const double norm = __builtin_sqrt(squares);
    a.inverse[v] = norm > 1e-7 ? 1 / norm : 1e7;
    for (int64_t i = 0; i < d; ++i) unit[i] *= T(a.inverse[v]);
  }
}

template <class T>
HL_INLINE T dot(const T* x, const T* y, int64_t n) {
  Vec<T> total(0);
  for_each_vector<T>(
      n, [&](int64_t i, auto lanes) { total = fma(load_lanes(x + i, lanes), load_lanes(y + i, lanes), total); });
  return sum(total);
}

// y += scale * x
template <class T>
HL_INLINE void add_scaled(T scale, const T* x, T* y, int64_t n) {
  for_each_vector<T>(n, [&](int64_t i, auto lanes) {
    store_lanes(y + i, fma(Vec<T>(scale), load_lanes(x + i, lanes), load_lanes(y + i, lanes)), lanes);
  });
}

template <class T>
HL_KERNEL_TEXT void orthogonal_values(const OrthogonalValues& a, const RunState&, Worker w) noexcept {
  constexpr int64_t NR = panel_columns<T>();
  const int64_t n = a.columns ? a.shape.N : a.shape.K, d = a.columns ? a.shape.K : a.shape.N;
  T* dw = static_cast<T*>(a.dw);
  const Span vectors = share(n, w);
  for (int64_t v = vectors.begin; v < vectors.end; ++v) {
    const T* unit = row_of<T>(a.unit, v);
    T* sum_of_others = row_of<T>(a.sum, v);
    for (int64_t i = 0; i < d; ++i) sum_of_others[i] = 0;
    double total = 0;
    for (int64_t other = 0; other < n; ++other) {
      if (other == v) continue;
      const T product = dot(unit, row_of<T>(a.unit, other), d);
      total += double(product < 0 ? -product : product);
      if (dw && product != 0) add_scaled(T(product < 0 ? -1 : 1), row_of<T>(a.unit, other), sum_of_others, d);
    }
    a.values[v] = a.scale * total;
    if (!dw) continue;
    add_scaled(-dot(unit, sum_of_others, d), unit, sum_of_others, d);
    const T scale = T(2 * a.scale * a.inverse[v]);
    for (int64_t i = 0; i < d; ++i) {
      T& g = dw[panel_place(a.shape, a.columns, v, i, NR)];
      g = scale * sum_of_others[i] + (a.add ? g : T(0));
    }
  }
}

template <class T>
HL_KERNEL_TEXT void penalty_reduce(const PenaltyReduce& a, const RunState& run, Worker w) noexcept {
  if (!takes_part_in_sum(w)) return;
  const double rows = double(run.rows);
  const double total = sum_of_all(a.count ? a.count : run.rows, w, [&](int64_t i) { return a.values[i]; });
  if (w.id != 0) return;
  const double value = a.count ? total : total / rows;
  a.accumulator[0] += value * rows;
  a.accumulator[1] += rows;
  a.accumulator[2] = value;
  if (!__builtin_isfinite(value) && a.accumulator[3] < 0) a.accumulator[3] = double(run.step);
}
