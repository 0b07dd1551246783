// Over the last axis: lanes hold neighbours of one sum.
template <class T, class F>
HL_INLINE T reduce_run(F f, const T* x, int64_t n) {
  using V = Vec<T>;
  const V start = f.template start<V>();
  V all = start;
  for_each_vector<T>(n, [&](int64_t i, auto lanes) {
    all = f.combine(all, fill_lanes(load_lanes(x + i, lanes), start, lanes));
  });
  return f.fold(all);
}

// How many of n elements are y.
template <class T>
HL_INLINE T count_equal(const T* x, Vec<T> y, int64_t n) {
  using V = Vec<T>;
  V count = V(0);
  for_each_vector<T>(n, [&](int64_t i, auto lanes) {
    count += fill_lanes(select(load_lanes(x + i, lanes) == y, V(1), V(0)), V(0), lanes);
  });
  return sum(count);
}

template <class T>
HL_KERNEL_TEXT void reduce_forward(const ReduceForward& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  const T scale = T(a.scale);
  with_reduction(a.kind, [&](auto f) {
    for_each_piece((a.rows ? a.rows : run.rows) * a.outer, a.inner, kPiece, w, [&](int64_t unit, int64_t begin, int64_t end) {
      const int64_t row = unit / a.outer, o = unit % a.outer;
      const T* x = row_of<T>(a.x, row) + o * a.size * a.inner + begin;
      T* y = row_of<T>(a.y, row) + o * a.inner + begin;
      if (a.inner == 1) {
        *y = reduce_run(f, x, a.size) * scale;
        return;
      }
      for_each_vector<T>(end - begin, [&](int64_t j, auto lanes) {
        V all = f.template start<V>();
        for (int64_t i = 0; i < a.size; ++i) all = f.combine(all, load_lanes(x + i * a.inner + j, lanes));
        store_lanes(y + j, all * V(scale), lanes);
      });
    });
  });
}

// dx_i = g for every i, or where x_i is y.
template <bool kPicks, class T>
HL_INLINE void spread_run(const T* x, const T* y, T g, T* dx, int64_t n) {
  using V = Vec<T>;
  if constexpr (kPicks) g /= count_equal(x, V(*y), n);
  for_each_vector<T>(n, [&](int64_t i, auto lanes) {
    V d = V(g);
    if constexpr (kPicks) d = select(load_lanes(x + i, lanes) == V(*y), d, V(0));
    store_lanes(dx + i, d, lanes);
  });
}

template <bool kPicks, class T, class Lanes>
HL_INLINE void spread_columns(const T* x, const T* y, Vec<T> g, T* dx, int64_t n, int64_t step, Lanes lanes) {
  using V = Vec<T>;
  if constexpr (kPicks) {
    const V extreme = load_lanes(y, lanes);
    V count = V(0);
    for (int64_t i = 0; i < n; ++i) count += select(load_lanes(x + i * step, lanes) == extreme, V(1), V(0));
    g /= count;
    for (int64_t i = 0; i < n; ++i)
      store_lanes(dx + i * step, select(load_lanes(x + i * step, lanes) == extreme, g, V(0)), lanes);
  } else {
    for (int64_t i = 0; i < n; ++i) store_lanes(dx + i * step, g, lanes);
  }
}

template <class T>
HL_KERNEL_TEXT void reduce_backward(const ReduceBackward& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  const T scale = T(a.scale);
  with_reduction(a.kind, [&](auto f) {
    constexpr bool kPicks = decltype(f)::kPicks;
    for_each_piece((a.rows ? a.rows : run.rows) * a.outer, a.inner, kPiece, w, [&](int64_t unit, int64_t begin, int64_t end) {
      const int64_t row = unit / a.outer, o = unit % a.outer;
      const int64_t wide = o * a.size * a.inner + begin, narrow = o * a.inner + begin;
      const T* dy = row_of<T>(a.dy, row) + narrow;
      T* dx = row_of<T>(a.dx, row) + wide;
      const T* x = kPicks ? row_of<T>(a.x, row) + wide : dx;  // else not read
      const T* y = kPicks ? row_of<T>(a.y, row) + narrow : dy;
      if (a.inner == 1) return spread_run<kPicks>(x, y, *dy * scale, dx, a.size);
      for_each_vector<T>(end - begin, [&](int64_t j, auto lanes) {
        const V g = load_lanes(dy + j, lanes) * V(scale);
        spread_columns<kPicks>(x + j, y + j, g, dx + j, a.size, a.inner, lanes);
      });
    });
  });
}
