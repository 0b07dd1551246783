// Dense layers on the products of ops/gemm_cpu.h.

template <class T>
void dense_forward(const DenseForward& a, const RunState& run, Worker w) noexcept {
  const Vec<T> alpha = Vec<T>(T(a.activation.alpha));
  const Product<T> p{a.x.as<T>(), a.x.ld, static_cast<const T*>(a.w), static_cast<const T*>(a.b), a.y.as<T>(), a.y.ld,
                     run.rows * a.rows_per_sample, a.K, a.N};
  product(p, w, [&](int64_t row, int64_t row_end, int64_t column, int64_t column_end) {
    if (a.activation.kind == ActivationKind::identity) return;
    with_activation(a.activation.kind, [&](auto f) {
      for (; row < row_end; ++row) {
        T* y = p.y + row * p.ldy + column;
        for_each_vector<T>(column_end - column, [&](int64_t i, auto lanes) {
          store_lanes(y + i, f.forward(load_lanes(y + i, lanes), alpha), lanes);
        });
      }
    });
  });
}

template <class T>
void dense_backward_input(const DenseBackwardInput& a, const RunState& run, Worker w) noexcept {
  const Vec<T> alpha = Vec<T>(T(a.below.alpha));
  Product<T> p{a.dz.as<T>(), a.dz.ld, static_cast<const T*>(a.w), nullptr, a.dx.as<T>(), a.dx.ld,
               run.rows * a.rows_per_sample, a.N, a.K};
  const auto finish = [&](int64_t row, int64_t row_end, int64_t column, int64_t column_end) {
    if (a.below.kind == ActivationKind::identity) return;
    with_activation(a.below.kind, [&](auto f) {
      for (; row < row_end; ++row) {
        const T* x = a.x.as<T>() + row * a.x.ld + column;
        T* dx = p.y + row * p.ldy + column;
        for_each_vector<T>(column_end - column, [&](int64_t i, auto lanes) {
          store_lanes(dx + i, load_lanes(dx + i, lanes) * f.derivative(load_lanes(x + i, lanes), alpha), lanes);
        });
      }
    });
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
