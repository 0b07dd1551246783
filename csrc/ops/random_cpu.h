// Phi^-1 of a block. The centre's formula runs over all of it, by vectors; the tails, 15 in 100, replace theirs.
HL_INLINE void normal_quantiles(const double* HL_RESTRICT p, double* HL_RESTRICT z) {
  for (int i = 0; i < kRandomBlock; ++i) z[i] = normal_quantile_centre(p[i] - 0.5);
  for (int i = 0; i < kRandomBlock; ++i)
    if (p[i] < 0.075 || p[i] > 0.925) z[i] = normal_quantile_tail(p[i]);
}

// Standard draws from words: u, or Phi^-1 of it.
HL_INLINE void standard_block(RandomKind kind, const uint32_t* words, double* HL_RESTRICT x) {
  constexpr double kUnit = 1.0 / 4294967296.0;
  if (kind == RandomKind::uniform) {
    for (int i = 0; i < kRandomBlock; ++i) x[i] = double(words[i]) * kUnit;
    return;
  }
  constexpr double kPhiMinus2 = 0.0227501319481792072;
  const bool truncated = kind == RandomKind::truncated_normal;
  const double low = truncated ? kPhiMinus2 : 0, scale = (1 - 2 * low) * kUnit;
  double p[kRandomBlock];
  for (int i = 0; i < kRandomBlock; ++i) p[i] = low + scale * (double(words[i]) + 0.5);
  normal_quantiles(p, x);
  for (int i = 0; truncated && i < kRandomBlock; ++i) x[i] = x[i] < -2 ? -2 : x[i] > 2 ? 2 : x[i];
}

// The largest T below x, for the open end of an interval.
template <class T>
HL_INLINE T below(double x) {
  union {
    T value;
    typename Lane<T>::Int bits;
  } u = {T(x)};
  if (double(u.value) < x) return u.value;
  if (u.value == 0) return -kSmallestNormal<T>;
  u.bits += u.value > 0 ? -1 : 1;
  return u.value;
}

template <class T>
HL_KERNEL_TEXT void random_fill(const RandomFill& a, const RunState& run, Worker w) noexcept {
  const Distribution d = a.distribution;
  const bool uniform = d.kind == RandomKind::uniform;
  const double scale = uniform ? d.b - d.a : d.b;
  const T most = !uniform ? kLargest<T> : d.a < d.b ? below<T>(d.b) : T(d.b);
  const RandomKey key = random_key(run.seed, run.step, a.stream, a.purpose);
  for_each_piece(run.rows, a.features, kRandomBlock, w, [&](int64_t row, int64_t begin, int64_t end) {
    alignas(kAlignment) uint32_t words[kRandomBlock];
    double x[kRandomBlock];
    for (int64_t c = begin; c < end; c += kRandomBlock) {
      random_block(key, random_row(run, row), c / kRandomBlock, words);
      standard_block(d.kind, words, x);
      T* y = row_of<T>(a.dst, row) + c;
      for (int64_t i = 0; i < least(kRandomBlock, end - c); ++i) {
        const T value = T(d.a + scale * x[i]);
        y[i] = value < most ? value : most;
      }
    }
  });
}

template <class T>
HL_KERNEL_TEXT void bernoulli(const BernoulliDraw& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  const RandomKey key = random_key(run.seed, run.step, a.stream, Purpose::noise);
  for_each_block(run.rows, a.features, kRandomBlock, w, [&](int64_t row, int64_t begin, int64_t end) {
    alignas(kAlignment) uint32_t words[kRandomBlock];
    alignas(kAlignment) T u[kRandomBlock];
    random_block(key, random_row(run, row), begin / kRandomBlock, words);
    for (int i = 0; i < kRandomBlock; ++i) u[i] = T(int32_t(words[i] >> 8)) * T(1.0 / 16777216.0);
    const T* x = row_of<T>(a.x, row) + begin;
    T* y = row_of<T>(a.y, row) + begin;
    for_each_vector<T>(end - begin, [&](int64_t i, auto lanes) {
      const V v = load_lanes(x + i, lanes), p = a.logits ? sigmoid(v) : v;
      store_lanes(y + i, select(V::load(u + i) < p, V(1), V(0)), lanes);
    });
  });
}
