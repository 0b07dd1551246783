// Products on a GPU: a worker is a thread, and each of its outputs one chain of multiply-adds in ascending k. Neighbours
// have neighbouring columns, so what they read of w lies side by side and what they read of x is one element for all.

// A GPU hides the way to memory behind other threads: nothing is fetched ahead.
struct Fetch {
  int64_t rows = 0;
};

template <class T>
struct Product {
  const T* x;  // (M,K)
  int64_t ldx;
  const T* w;  // panels of (K,N)
  const T* b;  // panels of (1,N), or null
  T* y;        // (M,N)
  int64_t ldy;
  int64_t M, K, N;
  const T* also = nullptr;  // (M,N), what `finish` reads beside y, or null
  int64_t ld_also = 0;
  Fetch* fetch = nullptr;
};

template <class T>
HL_INLINE Fetch fetch_of(const Upcoming&, const RunState&, const Product<T>&, Worker) {
  return {};
}

// R rows of one column. w_at(k) is the element of w that row k of the sum meets.
template <class T, int R, class At, class Finish>
HL_INLINE void product_of_rows(const Product<T>& p, int64_t row, int64_t n, At w_at, Finish finish) {
  T sum[R];
  const T start = p.b ? p.b[n] : T(0);
  const int64_t rows = least(R, p.M - row);
  const T* x[R];
  unroll<R>([&](auto r) {
    sum[r] = 0;
    x[r] = p.x + (row + least(r, rows - 1)) * p.ldx;
  });
  for (int64_t k = 0; k < p.K; ++k) {
    const T factor = w_at(k);
    unroll<R>([&](auto r) { sum[r] = fma_of(x[r][k], factor, sum[r]); });
  }
  unroll<R>([&](auto r) {
    if (r < rows) p.y[(row + r) * p.ldy + n] = start + sum[r];
  });
  finish(row, rows, n, 1);
}

// Every output of M x N; few of them: one a thread, else rows in fours, which share what they read of w.
template <class T, class At, class Finish>
HL_INLINE void product_by_threads(const Product<T>& p, Worker w, At w_at, Finish finish) {
  constexpr int kRows = 4;
  if (p.M * p.N <= int64_t(w.count) * kRows) {
    for_each_own(p.M * p.N, w, [&](int64_t i) {
      const int64_t n = i % p.N;
      product_of_rows<T, 1>(p, i / p.N, n, [&](int64_t k) { return w_at(k, n); }, finish);
    });
    return;
  }
  for_each_own(ceil_div(p.M, kRows) * p.N, w, [&](int64_t i) {
    const int64_t n = i % p.N;
    product_of_rows<T, kRows>(p, i / p.N * kRows, n, [&](int64_t k) { return w_at(k, n); }, finish);
  });
}

template <class T>
HL_INLINE int64_t panel_offset(int64_t k, int64_t n, int64_t K) {
  constexpr int64_t NR = panel_columns<T>();
  return (n / NR * K + k) * NR + n % NR;
}

// finish(row, rows, column, columns) follows when sums are complete.
template <class T, class Finish>
HL_INLINE void product(const Product<T>& p, Worker w, Finish finish) {
  product_by_threads(p, w, [&](int64_t k, int64_t n) { return p.w[panel_offset<T>(k, n, p.K)]; }, finish);
}

// The same for w as panels of (N,K).
template <class T, class Finish>
HL_INLINE void product_transposed(const Product<T>& p, Worker w, Finish finish) {
  product_by_threads(p, w, [&](int64_t k, int64_t n) { return p.w[panel_offset<T>(n, k, p.N)]; }, finish);
}

template <class T>
struct Outer {
  const T* x;  // (M,K)
  int64_t ldx;
  const T* dz;  // (M,N)
  int64_t lddz;
  T* dw;  // panels of (K,N), or null
  T* db;  // panels of (1,N), or null: the sums of dz
  int64_t M, K, N;
};

// dw = x^T dz and db = 1^T dz; pads become zero.
template <class T>
HL_INLINE void outer(const Outer<T>& o, Worker w) {
  constexpr int64_t NR = panel_columns<T>();
  const int64_t columns = ceil_div(o.N, NR) * NR, of_dw = o.dw ? o.K * columns : 0;
  for_each_own(of_dw + (o.db ? columns : 0), w, [&](int64_t i) {
    const bool bias = i >= of_dw;
    const int64_t at = bias ? i - of_dw : i, row = at / NR, n = bias ? at : row / o.K * NR + at % NR;
    T sum = 0;
    if (n < o.N) {
      const T* x = o.x + row % (o.K > 0 ? o.K : 1);
      for (int64_t m = 0; m < o.M; ++m) sum = fma_of(bias ? T(1) : x[m * o.ldx], o.dz[m * o.lddz + n], sum);
    }
    (bias ? o.db : o.dw)[at] = sum;
  });
}

// ---- Panels. ----

template <class T>
HL_KERNEL_TEXT void panel_pack(const PanelCopy& a, const RunState&, Worker w) noexcept {
  constexpr int64_t NR = panel_columns<T>();
  const int64_t K = a.shape.K, N = a.shape.N;
  for_each_own(a.shape.panels(NR) * K * NR, w, [&](int64_t i) {
    const int64_t row = i / NR % K, n = i / NR / K * NR + i % NR;
    static_cast<T*>(a.panels)[i] = n < N ? static_cast<const T*>(a.matrix)[row * N + n] : T(0);
  });
}

template <class T>
HL_KERNEL_TEXT void panel_unpack(const PanelCopy& a, const RunState&, Worker w) noexcept {
  const int64_t K = a.shape.K, N = a.shape.N;
  for_each_own(K * N, w, [&](int64_t i) {
    static_cast<T*>(a.matrix)[i] = static_cast<const T*>(a.panels)[panel_offset<T>(i / N, i % N, K)];
  });
}

template <class T>
HL_KERNEL_TEXT void panel_transpose(const PanelTranspose& a, const RunState&, Worker w) noexcept {
  constexpr int64_t NR = panel_columns<T>();
  const int64_t K = a.shape.K, N = a.shape.N, columns = ceil_div(K, NR) * NR;
  for_each_own(N * columns, w, [&](int64_t i) {  // of the transpose, panels of (N,K)
    const int64_t n = i / NR % N, k = i / NR / N * NR + i % NR;
    static_cast<T*>(a.dst)[i] = k < K ? static_cast<const T*>(a.src)[panel_offset<T>(k, n, K)] : T(0);
  });
}
