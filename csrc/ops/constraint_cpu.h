// Vectors of one row of a panel.
template <class T> constexpr int64_t kPanelVectors = panel_columns<T>() / Vec<T>::kLanes;

template <class T, class F>
HL_INLINE void constrain_columns(const F& f, T* w, const PanelShape& shape, Worker worker) {
  using V = Vec<T>;
  constexpr int64_t NR = panel_columns<T>(), kVectors = kPanelVectors<T>;
  const Span panels = share(shape.panels(NR), worker);
  for (int64_t p = panels.begin; p < panels.end; ++p) {
    T* panel = w + p * shape.K * NR;
    V squares[kVectors], factors[kVectors];
    for (int64_t i = 0; i < kVectors; ++i) squares[i] = V(0);
    for (int64_t k = 0; k < shape.K; ++k)
      for (int64_t i = 0; i < kVectors; ++i) {
        const V v = V::load(panel + k * NR + i * V::kLanes);
        squares[i] = fma(v, v, squares[i]);
      }
    for (int64_t i = 0; i < kVectors; ++i) factors[i] = f.factor(sqrt(squares[i]));
    for (int64_t k = 0; k < shape.K; ++k)
      for (int64_t i = 0; i < kVectors; ++i) {
        T* at = panel + k * NR + i * V::kLanes;
        (V::load(at) * factors[i]).store(at);
      }
  }
}

// Calls body(address of a vector) for row k of every panel.
template <class T, class Body>
HL_INLINE void for_each_in_row(T* w, const PanelShape& shape, int64_t k, Body body) {
  constexpr int64_t NR = panel_columns<T>();
  for (int64_t p = 0; p < shape.panels(NR); ++p)
    for (int64_t i = 0; i < NR; i += Vec<T>::kLanes) body(w + (p * shape.K + k) * NR + i);
}

template <class T>
HL_INLINE T squares_of_row(T* w, const PanelShape& shape, int64_t k) {
  Vec<T> squares(0);
  for_each_in_row(w, shape, k, [&](const T* at) { squares = fma(Vec<T>::load(at), Vec<T>::load(at), squares); });
  return sum(squares);
}

template <class T>
HL_INLINE void scale_row(T* w, const PanelShape& shape, int64_t k, Vec<T> factor) {
  for_each_in_row(w, shape, k, [&](T* at) { (Vec<T>::load(at) * factor).store(at); });
}

template <class T, class F>
HL_INLINE void constrain_norms(const F& f, const Constrain& a, T* w, Worker worker) {
  using V = Vec<T>;
  if (a.over == NormOver::k) return constrain_columns(f, w, a.shape, worker);
  if (a.over == NormOver::n) {
    const Span rows = share(a.shape.K, worker);
    for (int64_t k = rows.begin; k < rows.end; ++k)
      scale_row(w, a.shape, k, f.factor(V(__builtin_sqrt(squares_of_row(w, a.shape, k)))));
    return;
  }
  if (worker.id != 0) return;
  double squares = 0;
  for (int64_t k = 0; k < a.shape.K; ++k) squares += double(squares_of_row(w, a.shape, k));
  const V factor = f.factor(V(T(__builtin_sqrt(squares))));
  for (int64_t k = 0; k < a.shape.K; ++k) scale_row(w, a.shape, k, factor);
}

template <class T>
HL_KERNEL_TEXT void constrain(const Constrain& a, const RunState&, Worker worker) noexcept {
  using V = Vec<T>;
  T* w = static_cast<T*>(a.w);
  const auto apply = [&](const auto& f) {
    if constexpr (std::decay<decltype(f)>::type::kNorm) {
      constrain_norms(f, a, w, worker);
    } else {
      constexpr int64_t NR = panel_columns<T>();
      const Span rows = share(a.shape.panels(NR) * a.shape.K, worker);
      for (int64_t i = rows.begin * NR; i < rows.end * NR; i += V::kLanes) f.of(V::load(w + i)).store(w + i);
    }
  };
  switch (a.kind) {
#define HL_CONSTRAINT(name, Functor, ...) \
  case ConstraintKind::name: return apply(Functor<V>(a));
    HL_CONSTRAINTS(HL_CONSTRAINT)
#undef HL_CONSTRAINT
  }
}
