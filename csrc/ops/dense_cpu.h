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
void dense_forward(const DenseForward& a, const RunState& run, Worker w) noexcept {
  const Product<T> p{a.x.as<T>(), a.x.ld, static_cast<const T*>(a.w),   static_cast<const T*>(a.b),
                     a.y.as<T>(), a.y.ld, run.rows * a.rows_per_sample, a.K,
                     a.N};
  product(p, w, [&](int64_t row, int64_t rows, int64_t column, int64_t columns) {
    if (a.activation.kind != ActivationKind::identity)
      activate(a.activation, p.y + row * p.ldy + column, p.ldy, rows, columns);
  });
}

template <class T>
void dense_backward_input(const DenseBackwardInput& a, const RunState& run, Worker w) noexcept {
  Product<T> p{a.dz.as<T>(), a.dz.ld, static_cast<const T*>(a.w),   nullptr,
               a.dx.as<T>(), a.dx.ld, run.rows * a.rows_per_sample, a.N,
               a.K};
  const auto finish = [&](int64_t row, int64_t rows, int64_t column, int64_t columns) {
    if (a.below.kind != ActivationKind::identity)
      multiply_derivative(a.below, a.x.as<T>() + row * a.x.ld + column, a.x.ld, p.y + row * p.ldy + column, p.ldy, rows,
                          columns);
  };
  if (!a.wt) return product_by_dots(p, w, finish);
  p.w = static_cast<const T*>(a.wt);
  product(p, w, finish);
}

template <class T>
void dense_backward_params(const DenseBackwardParams& a, const RunState& run, Worker w) noexcept {
  outer(Outer<T>{a.x.as<T>(), a.x.ld, a.dz.as<T>(), a.dz.ld, static_cast<T*>(a.dw), static_cast<T*>(a.db),
                 run.rows * a.rows_per_sample, a.K, a.N},
        w);
}
