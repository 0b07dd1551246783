// 1 / |x|, or 0 for a vector of zeros. The lanes behind n count nothing.
template <class T>
HL_INLINE T inverse_norm(const T* x, int64_t n) {
  Vec<T> squares(0);
  for_each_vector<T>(n, [&](int64_t i, auto lanes) {
    const Vec<T> v = load_lanes(x + i, lanes);
    squares = fma(v, v, squares);
  });
  const T norm = T(__builtin_sqrt(double(sum(squares))));
  return norm > 0 ? T(1) / norm : T(0);
}

template <class T>
HL_KERNEL_TEXT void spectral_rows(const SpectralRows& a, const RunState&, Worker worker) noexcept {
  using V = Vec<T>;
  constexpr int64_t NR = panel_columns<T>();
  const T *w = static_cast<const T*>(a.w), *u = static_cast<const T*>(a.u);
  const T scale = inverse_norm(u, a.shape.N);
  const Span rows = share(a.shape.K, worker);
  for (int64_t k = rows.begin; k < rows.end; ++k) {
    V total(0);
    for (int64_t n = 0; n < a.shape.panels(NR) * NR; n += NR)
      for (int64_t i = 0; i < NR; i += V::kLanes)
        total = fma(V::load(w + n * a.shape.K + k * NR + i), V::load(u + n + i), total);
    static_cast<T*>(a.v)[k] = sum(total) * scale;
  }
}

template <class T>
HL_KERNEL_TEXT void spectral_columns(const SpectralColumns& a, const RunState&, Worker worker) noexcept {
  using V = Vec<T>;
  constexpr int64_t NR = panel_columns<T>();
  const T *w = static_cast<const T*>(a.w), *v = static_cast<const T*>(a.v);
  const V scale(inverse_norm(v, a.shape.K));
  const Span panels = share(a.shape.panels(NR), worker);
  for (int64_t n = panels.begin * NR; n < panels.end * NR; n += V::kLanes) {
    const T* column = w + n / NR * NR * a.shape.K + n % NR;
    V total(0);
    for (int64_t k = 0; k < a.shape.K; ++k) total = fma(V(v[k]), V::load(column + k * NR), total);
    (total * scale).store(static_cast<T*>(a.t) + n);
  }
}

template <class T>
HL_KERNEL_TEXT void spectral_divide(const SpectralDivide& a, const RunState&, Worker worker) noexcept {
  using V = Vec<T>;
  constexpr int64_t NR = panel_columns<T>();
  const T* t = static_cast<const T*>(a.t);
  const T inverse = inverse_norm(t, a.shape.N);
  if (inverse == 0) return;
  const V factor(inverse);
  T *w = static_cast<T*>(a.w), *u = static_cast<T*>(a.u);
  const Span panels = share(a.shape.panels(NR), worker), rows = share(a.shape.panels(NR) * a.shape.K, worker);
  for (int64_t i = panels.begin * NR; i < panels.end * NR; i += V::kLanes) (V::load(t + i) * factor).store(u + i);
  for (int64_t i = rows.begin * NR; i < rows.end * NR; i += V::kLanes) (V::load(w + i) * factor).store(w + i);
}
