// A strip is what a tile covers of a panel: one or two vectors, no more than a cache line, to which rows of y are padded.
template <class T>
constexpr HL_INLINE int sparse_vectors() {
  return lanes_of<T>() == 1 || lanes_of<T>() == panel_columns<T>() ? 1 : 2;
}

constexpr int kSparseChains = 4;
#if defined(HL_ISA_SCALAR)
constexpr int kSparseRows = 1;  // a thread an output
#elif defined(HL_ISA_AVX512)
constexpr int kSparseRows = 8;
#else
constexpr int kSparseRows = 4;
#endif

// y (rows, strip) = from + x w
template <class T>
struct SparseStrip {
  const T* x;
  int64_t ldx;
  const T* values;         // the strip's columns of the panel's first block
  const int64_t* indices;  // of the panel
  int64_t blocks;
  const T* from;  // or null for zero
  T* y;
  int64_t ldy;
};

// One row, its chains side by side.
template <class T, int C>
HL_INLINE void sparse_row(const SparseStrip<T>& s) {
  using V = Vec<T>;
  V sum[kSparseChains * C];
  unroll<kSparseChains * C>([&](auto i) { sum[i] = V(0); });
  const auto step = [&](auto chain, int64_t i) {
    const V factor(s.x[s.indices[i]]);
    unroll<C>([&](auto c) {
      sum[chain * C + c] = fma(factor, V::load(s.values + i * kBlockColumns + c * V::kLanes), sum[chain * C + c]);
    });
  };
  int64_t i = 0;
  for (; i + kSparseChains <= s.blocks; i += kSparseChains) unroll<kSparseChains>([&](auto j) { step(j, i + j); });
  unroll<kSparseChains - 1>([&](auto j) {
    if (i + j < s.blocks) step(j, i + j);
  });
  unroll<C>([&](auto c) {
    V total = s.from ? V::load(s.from + c * V::kLanes) : V(0);
    unroll<kSparseChains>([&](auto j) { total += sum[j * C + c]; });
    total.store(s.y + c * V::kLanes);
  });
}

// R rows, one chain of each after the other.
template <class T, int R, int C>
HL_NOINLINE void sparse_tile(const SparseStrip<T>& strip) noexcept {
  using V = Vec<T>;
  constexpr int L = V::kLanes;
  const SparseStrip<T> s = strip;
  for (int64_t chain = 0; chain < kSparseChains; ++chain) {
    V sum[R * C];
    unroll<R * C>([&](auto i) { sum[i] = V(0); });
    for (int64_t i = chain; i < s.blocks; i += kSparseChains) {
      const T* x = s.x + s.indices[i];
      V w[C];
      unroll<C>([&](auto c) { w[c] = V::load(s.values + i * kBlockColumns + c * L); });
      unroll<R>([&](auto r) {
        const V factor(x[r * s.ldx]);
        unroll<C>([&](auto c) { sum[r * C + c] = fma(factor, w[c], sum[r * C + c]); });
      });
    }
    unroll<R * C>([&](auto i) {
      T* y = s.y + i / C * s.ldy + i % C * L;
      const V before = chain > 0 ? V::load(y) : s.from ? V::load(s.from + i % C * L) : V(0);
      (before + sum[i]).store(y);
    });
  }
}

template <class T>
HL_KERNEL_TEXT void sparse_forward(const SparseForward& a, const RunState& run, Worker w) noexcept {
  constexpr int R = kSparseRows, C = sparse_vectors<T>();
  constexpr int64_t kStrip = C * lanes_of<T>();
  const int64_t M = run.rows * a.rows_per_sample;
  const T* b = static_cast<const T*>(a.b);
  for_each_piece(ceil_div(M, R), a.w.N, kStrip, w, [&](int64_t tile, int64_t begin, int64_t end) {
    const int64_t row = tile * R, rows = least(R, M - row);
    for (int64_t n = begin; n < end; n += kStrip) {
      const int64_t first = a.w.offsets[n / kBlockColumns];
      SparseStrip<T> s;
      s.x = row_of<T>(a.x, row);
      s.ldx = a.x.ld;
      s.values = static_cast<const T*>(a.w.values) + first * kBlockColumns + n % kBlockColumns;
      s.indices = a.w.indices + first;
      s.blocks = a.w.offsets[n / kBlockColumns + 1] - first;
      s.from = b ? b + n : nullptr;
      s.y = row_of<T>(a.y, row) + n;
      s.ldy = a.y.ld;
      if (R > 1 && rows == R) {
        sparse_tile<T, R, C>(s);
        continue;
      }
      for (int64_t r = 0; r < rows; ++r, s.x += s.ldx, s.y += s.ldy) sparse_row<T, C>(s);
    }
    if (a.activation.kind != ActivationKind::identity)
      activate(a.activation, row_of<T>(a.y, row) + begin, a.y.ld, rows, end - begin);
  });
}

template <class T>
HL_KERNEL_TEXT void sparse_backward_input(const SparseBackwardInput& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  constexpr int C = kBlockColumns / V::kLanes;
  const T* values = static_cast<const T*>(a.w.values);
  for_each_own(run.rows * a.rows_per_sample, w, [&](int64_t m) {
    T* dx = row_of<T>(a.dx, m);
    for_each_vector<T>(a.w.K, [&](int64_t k, auto lanes) { store_lanes(dx + k, V(0), lanes); });
    for (int64_t p = 0; p < a.w.panels(); ++p) {
      V dz[C];
      for (int c = 0; c < C; ++c) {
        const int64_t n = p * kBlockColumns + c * V::kLanes;
        dz[c] = V::load(row_of<T>(a.dz, m) + n, a.w.N - n);
      }
      for (int64_t i = a.w.offsets[p]; i < a.w.offsets[p + 1]; ++i) {
        V product = dz[0] * V::load(values + i * kBlockColumns);
        for (int c = 1; c < C; ++c) product = fma(dz[c], V::load(values + i * kBlockColumns + c * V::kLanes), product);
        dx[a.w.indices[i]] += sum(product);
      }
    }
  });
}

template <class T>
HL_KERNEL_TEXT void sparse_backward_params(const SparseBackwardParams& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  constexpr int64_t L = V::kLanes, NR = panel_columns<T>();
  const int64_t M = run.rows * a.rows_per_sample, N = a.w.N;
  const auto sum_of = [&](int64_t n, auto factor) {
    V sum(0);
    for (int64_t m = 0; m < M; ++m) sum = fma(V(factor(m)), V::load(row_of<T>(a.dz, m) + n, N - n), sum);
    return sum;
  };
  int64_t panel = 0;
  for_each_own(a.dvalues ? a.w.offsets[a.w.panels()] : 0, w, [&](int64_t i) {
    while (a.w.offsets[panel + 1] <= i) ++panel;
    for (int64_t c = 0; c < kBlockColumns; c += L)
      sum_of(panel * kBlockColumns + c, [&](int64_t m) { return row_of<T>(a.x, m)[a.w.indices[i]]; })
          .store(static_cast<T*>(a.dvalues) + i * kBlockColumns + c);
  });
  for_each_own(a.db ? ceil_div(N, NR) * NR / L : 0, w, [&](int64_t i) {
    sum_of(i * L, [](int64_t) { return T(1); }).store(static_cast<T*>(a.db) + i * L);
  });
}
