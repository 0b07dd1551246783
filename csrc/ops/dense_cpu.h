// Dense layers on the products of ops/gemm_cpu.h.

// Out of line: a tile is long enough to pay the call, and every path of a product needs these.
template <class T>
HL_NOINLINE void activate(Activation activation, T* y, int64_t ld, int64_t rows, int64_t columns) noexcept {
  const Vec<T> alpha = Vec<T>(T(activation.alpha));
  with_activation(activation.kind, [&](auto f) {
    for (int64_t r = 0; r < rows; ++r, y += ld)
      for_each_vector<T>(columns, [&](int64_t i, auto lanes) {
        store_lanes(y + i, f.forward(load_lanes(y + i, lanes), alpha), lanes);
      });
  });
}

template <class T>
HL_NOINLINE void multiply_derivative(Activation activation, const T* x, int64_t ldx, T* dx, int64_t ld, int64_t rows,
                                     int64_t columns) noexcept {
  const Vec<T> alpha = Vec<T>(T(activation.alpha));
  with_activation(activation.kind, [&](auto f) {
    for (int64_t r = 0; r < rows; ++r, x += ldx, dx += ld)
      for_each_vector<T>(columns, [&](int64_t i, auto lanes) {
        store_lanes(dx + i, load_lanes(dx + i, lanes) * f.derivative(load_lanes(x + i, lanes), alpha), lanes);
      });
  });
}

template <class T>
HL_KERNEL_TEXT void dense_forward(const DenseForward& a, const RunState& run, Worker w) noexcept {
  Product<T> p;
  p.x = a.x.as<T>();
  p.ldx = a.x.ld;
  p.w = static_cast<const T*>(a.w);
  p.b = static_cast<const T*>(a.b);
  p.y = a.y.as<T>();
  p.ldy = a.y.ld;
  p.M = run.rows * a.rows_per_sample;
  p.K = a.K;
  p.N = a.N;
  Fetch fetch = fetch_of(a.next, run, p, w);
  if (fetch.rows > 0) p.fetch = &fetch;
  product(p, w, [&](int64_t row, int64_t rows, int64_t column, int64_t columns) {
    if (a.activation.kind != ActivationKind::identity)
      activate(a.activation, p.y + row * p.ldy + column, p.ldy, rows, columns);
  });
}

template <class T>
HL_KERNEL_TEXT void dense_backward_input(const DenseBackwardInput& a, const RunState& run, Worker w) noexcept {
  const bool derive = a.below.kind != ActivationKind::identity;
  Product<T> p;  // dx (M,K) = dz (M,N) w^T
  p.x = a.dz.as<T>();
  p.ldx = a.dz.ld;
  p.w = static_cast<const T*>(a.wt ? a.wt : a.w);
  p.b = nullptr;
  p.y = a.dx.as<T>();
  p.ldy = a.dx.ld;
  p.M = run.rows * a.rows_per_sample;
  p.K = a.N;
  p.N = a.K;
  p.also = derive ? a.x.as<T>() : nullptr;
  p.ld_also = a.x.ld;
  const auto finish = [&](int64_t row, int64_t rows, int64_t column, int64_t columns) {
    if (derive)
      multiply_derivative(a.below, p.also + row * p.ld_also + column, p.ld_also, p.y + row * p.ldy + column, p.ldy,
                          rows, columns);
  };
  if (a.wt)
    product(p, w, finish);
  else
    product_transposed(p, w, finish);
}

template <class T>
HL_KERNEL_TEXT void dense_backward_params(const DenseBackwardParams& a, const RunState& run, Worker w) noexcept {
  outer(Outer<T>{a.x.as<T>(), a.x.ld, a.dz.as<T>(), a.dz.ld, static_cast<T*>(a.dw), static_cast<T*>(a.db),
                 run.rows * a.rows_per_sample, a.K, a.N, a.adds_dw, a.adds_db},
        w);
}

// M rows: known when compiled, or -1.
template <class T, int kRows>
HL_NOINLINE void update_params(const DenseUpdateParams& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  constexpr int64_t NR = panel_columns<T>();
  const int64_t rows = kRows > 0 ? kRows : run.rows * a.rows_per_sample;
  const T *x = a.x.as<T>(), *dz = a.dz.as<T>();
  const int64_t ldx = a.x.ld, lddz = a.dz.ld;
  with_rule<T>(a.optimizer, run, [&](const auto& rule, auto slots) {
    if (a.w.w)
      update_range<T, slots>(rule, a.w, w, [&](int64_t panel, int64_t k, int64_t n, int64_t) {
        V g(0);
        for (int64_t m = 0; m < rows; ++m) g = fma(V(x[m * ldx + k]), V::load(dz + m * lddz + panel * NR + n), g);
        return g;
      });
    if (a.b.w)
      update_range<T, slots>(rule, a.b, w, [&](int64_t panel, int64_t, int64_t n, int64_t) {
        V g(0);
        for (int64_t m = 0; m < rows; ++m) g = fma(V(1), V::load(dz + m * lddz + panel * NR + n), g);
        return g;
      });
  });
}

template <class T>
HL_KERNEL_TEXT void dense_update_params(const DenseUpdateParams& a, const RunState& run, Worker w) noexcept {
  run.rows * a.rows_per_sample == 1 ? update_params<T, 1>(a, run, w) : update_params<T, -1>(a, run, w);
}
