// Where the runs of a row begin: for each operand, and how far apart its elements are (1, or 0 where it repeats).
template <class T, int N>
struct OperandRuns {
  static constexpr int64_t kLanes = Vec<T>::kLanes;
  const T* at[N];
  int64_t step[N];
  alignas(kAlignment) T repeated[N][kLanes];

  HL_INLINE OperandRuns(const Elementwise& a, int64_t row, int64_t run, int64_t begin) {
    for (int k = 0; k < N; ++k) {
      const Operand& o = a.operands[k];
      int64_t offset = 0, rest = run;
      for (int i = kAxes - 2; i >= 0 && rest > 0; --i) {
        offset += rest % a.axes[i] * o.strides[i];
        rest /= a.axes[i];
      }
      step[k] = o.data ? o.strides[kAxes - 1] : 0;
      at[k] = o.data ? row_of<T>(o.data, row) + offset + begin * step[k] : nullptr;
      if (step[k]) continue;
      Vec<T>(o.data ? *at[k] : T(o.number)).store(repeated[k]);
      at[k] = repeated[k];
    }
  }
  template <class Lanes>
  HL_INLINE Vec<T> load(int k, int64_t i, Lanes lanes) const { return load_lanes(at[k] + i * step[k], lanes); }
};

template <class T, int N, class Body>
HL_INLINE void for_each_run(const Elementwise& a, const RunState& run, Worker w, Body body) {
  const int64_t width = a.axes[kAxes - 1], runs = width ? a.features / width : 0;
  for_each_piece((a.rows ? a.rows : run.rows) * runs, width, kPiece, w, [&](int64_t unit, int64_t begin, int64_t end) {
    const int64_t row = unit / runs, r = unit % runs;
    const OperandRuns<T, N> operands(a, row, r, begin);
    body(operands, row, r * width + begin, end - begin);
  });
}

template <class T, class F, int N>
HL_NOINLINE void elementwise_rows(const Elementwise& a, const RunState& run, Worker w) noexcept {
  for_each_run<T, N>(a, run, w, [&](const auto& x, int64_t row, int64_t at, int64_t n) {
    T* y = row_of<T>(a.y, row) + at;
    for_each_vector<T>(n, [&](int64_t i, auto lanes) {
      if constexpr (N == 1) store_lanes(y + i, F::forward(x.load(0, i, lanes)), lanes);
      if constexpr (N == 2) store_lanes(y + i, F::forward(x.load(0, i, lanes), x.load(1, i, lanes)), lanes);
      if constexpr (N == 3)
        store_lanes(y + i, F::forward(x.load(0, i, lanes), x.load(1, i, lanes), x.load(2, i, lanes)), lanes);
    });
  });
}

template <class T, class F, int N, int I>
HL_NOINLINE void elementwise_gradient(const ElementwiseBackward& a, const RunState& run, Worker w) noexcept {
  for_each_run<T, N>(a.of, run, w, [&](const auto& x, int64_t row, int64_t at, int64_t n) {
    const T *y = row_of<T>(a.of.y, row) + at, *dy = row_of<T>(a.dy, row) + at;
    T* d = row_of<T>(a.d, row) + at;
    for_each_vector<T>(n, [&](int64_t i, auto lanes) {
      const Vec<T> g = load_lanes(dy + i, lanes), v = load_lanes(y + i, lanes);
      if constexpr (N == 1) store_lanes(d + i, F::template gradient<I>(g, v, x.load(0, i, lanes)), lanes);
      if constexpr (N == 2)
        store_lanes(d + i, F::template gradient<I>(g, v, x.load(0, i, lanes), x.load(1, i, lanes)), lanes);
      if constexpr (N == 3)
        store_lanes(d + i, F::template gradient<I>(g, v, x.load(0, i, lanes), x.load(1, i, lanes), x.load(2, i, lanes)),
                    lanes);
    });
  });
}

template <class T, class F, int N>
HL_INLINE void elementwise_gradients(const ElementwiseBackward& a, const RunState& run, Worker w) noexcept {
  if constexpr (!F::kFlat) {
    if (a.operand == 0) return elementwise_gradient<T, F, N, 0>(a, run, w);
    if constexpr (N > 1)
      if (a.operand == 1) return elementwise_gradient<T, F, N, 1>(a, run, w);
    if constexpr (N > 2)
      if (a.operand == 2) return elementwise_gradient<T, F, N, 2>(a, run, w);
  }
}

template <class T>
HL_KERNEL_TEXT void elementwise_forward(const Elementwise& a, const RunState& run, Worker w) noexcept {
  switch (a.kind) {
#define HL_UNARY(name, Functor) \
  case ElementwiseKind::name: return elementwise_rows<T, Functor, 1>(a, run, w);
#define HL_BINARY(name, Functor) \
  case ElementwiseKind::name: return elementwise_rows<T, Functor, 2>(a, run, w);
#define HL_TERNARY(name, Functor) \
  case ElementwiseKind::name: return elementwise_rows<T, Functor, 3>(a, run, w);
    HL_ELEMENTWISE(HL_UNARY, HL_BINARY, HL_TERNARY)
#undef HL_UNARY
#undef HL_BINARY
#undef HL_TERNARY
  }
}

template <class T>
HL_KERNEL_TEXT void elementwise_backward(const ElementwiseBackward& a, const RunState& run, Worker w) noexcept {
  switch (a.of.kind) {
#define HL_UNARY(name, Functor) \
  case ElementwiseKind::name: return elementwise_gradients<T, Functor, 1>(a, run, w);
#define HL_BINARY(name, Functor) \
  case ElementwiseKind::name: return elementwise_gradients<T, Functor, 2>(a, run, w);
#define HL_TERNARY(name, Functor) \
  case ElementwiseKind::name: return elementwise_gradients<T, Functor, 3>(a, run, w);
    HL_ELEMENTWISE(HL_UNARY, HL_BINARY, HL_TERNARY)
#undef HL_UNARY
#undef HL_BINARY
#undef HL_TERNARY
  }
}
