// n elements, in whole vectors.
template <class T>
HL_INLINE void affine_run(double scale, double offset, const T* x, T* y, int64_t n) {
  using V = Vec<T>;
  const V s = V(T(scale)), o = V(T(offset));
  for (int64_t i = 0; i < n; i += V::kLanes) fma(V::load(x + i), s, o).store(y + i);
}

// dx = scale dy, or that added to dx.
template <class T>
HL_INLINE void affine_gradient_run(double scale, const T* dy, T* dx, int64_t n, bool adds) {
  using V = Vec<T>;
  const V s = V(T(scale));
  for (int64_t i = 0; i < n; i += V::kLanes) fma(V::load(dy + i), s, adds ? V::load(dx + i) : V(0)).store(dx + i);
}

template <class T>
HL_KERNEL_TEXT void affine(const Affine& a, const RunState& run, Worker w) noexcept {
  for_each_piece(run.rows, a.features, kPiece, w, [&](int64_t row, int64_t begin, int64_t end) {
    affine_run(a.scale, a.offset, row_of<T>(a.x, row) + begin, row_of<T>(a.y, row) + begin, end - begin);
  });
}

// y = (x + before) * scale + after in the lanes of one vector of channels.
template <class T>
struct StandardizeLanes {
  Vec<T> before, scale, after;

  template <class Lanes>
  HL_INLINE StandardizeLanes(const Standardize& a, int64_t channel, Lanes lanes) {
    using V = Vec<T>;
    const T *mean = static_cast<const T*>(a.mean), *var = static_cast<const T*>(a.var);
    const V v = a.shared ? V(var[0]) : load_lanes(var + channel, lanes);
    const V m = !mean ? V(0) : a.shared ? V(mean[0]) : load_lanes(mean + channel, lanes);
    const V s = max(V(T(a.epsilon)), sqrt(v));  // NaN stays NaN
    before = a.invert ? V(0) : -m;
    scale = a.invert ? s : V(1) / s;
    after = a.invert ? m : V(0);
  }
};

template <class T>
HL_KERNEL_TEXT void standardize(const Standardize& a, const RunState& run, Worker w) noexcept {
  constexpr int64_t kRows = 64;  // rows that use a vector of constants before the next is made
  for_each_piece(ceil_div(run.rows, kRows), a.channels, kPiece, w, [&](int64_t block, int64_t begin, int64_t end) {
    const int64_t last = least((block + 1) * kRows, run.rows);
    for_each_vector<T>(end - begin, [&](int64_t i, auto lanes) {
      const StandardizeLanes<T> f(a, begin + i, lanes);
      for (int64_t row = block * kRows; row < last; ++row) {
        const T* x = row_of<T>(a.x, row) + begin + i;
        T* y = row_of<T>(a.y, row) + begin + i;
        for (int64_t o = 0; o < a.outer * a.channels; o += a.channels)
          store_lanes(y + o, fma(load_lanes(x + o, lanes) + f.before, f.scale, f.after), lanes);
      }
    });
  });
}
