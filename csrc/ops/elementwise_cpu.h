// Where the operands of a run of elements begin, and how far apart their elements are (1, or 0 where one repeats: a
// whole vector of it lies there).
template <class T>
struct OperandRuns {
  const T* at[kOperands];
  int64_t step[kOperands];
};

// f of the vectors of N operands.
template <class T, int N, class F, class Body>
HL_INLINE void for_each_operand_vector(const OperandRuns<T>& x, int64_t n, F f, Body body) {
  const T *a = x.at[0], *b = N > 1 ? x.at[1] : nullptr, *c = N > 2 ? x.at[2] : nullptr;
  const int64_t sa = x.step[0], sb = N > 1 ? x.step[1] : 0, sc = N > 2 ? x.step[2] : 0;
  for_each_vector<T>(n, [=](int64_t i, auto lanes) {
    if constexpr (N == 1) body(i, lanes, f, load_lanes(a + i * sa, lanes));
    if constexpr (N == 2) body(i, lanes, f, load_lanes(a + i * sa, lanes), load_lanes(b + i * sb, lanes));
    if constexpr (N == 3)
      body(i, lanes, f, load_lanes(a + i * sa, lanes), load_lanes(b + i * sb, lanes), load_lanes(c + i * sc, lanes));
  });
}

// y = f(operands), for n elements. The loops are out of line: they stand once, for whoever runs them.
template <class T, class F, int N>
HL_NOINLINE void forward_loop(const OperandRuns<T>& x, T* y, int64_t n) noexcept {
  for_each_operand_vector<T, N>(x, n, F{}, [=](int64_t i, auto lanes, auto f, auto... operands) {
    store_lanes(y + i, f.forward(operands...), lanes);
  });
}

template <class T>
HL_INLINE void elementwise_run(ElementwiseKind kind, const OperandRuns<T>& x, T* y, int64_t n) {
  switch (kind) {
#define HL_UNARY(name, Functor) \
  case ElementwiseKind::name: return forward_loop<T, Functor, 1>(x, y, n);
#define HL_BINARY(name, Functor) \
  case ElementwiseKind::name: return forward_loop<T, Functor, 2>(x, y, n);
#define HL_TERNARY(name, Functor) \
  case ElementwiseKind::name: return forward_loop<T, Functor, 3>(x, y, n);
    HL_ELEMENTWISE(HL_UNARY, HL_BINARY, HL_TERNARY)
#undef HL_UNARY
#undef HL_BINARY
#undef HL_TERNARY
  }
}

// d = dy df/d(operand), or that added to d.
template <class T>
struct GradientRun {
  const T *y, *dy;
  T* d;
  int64_t n;
  bool adds;
};

template <class T, class F, int N, int I>
HL_NOINLINE void gradient_loop(const OperandRuns<T>& x, const GradientRun<T>& r) noexcept {
  const T *y = r.y, *dy = r.dy;
  T* d = r.d;
  const auto slope = [=](int64_t i, auto lanes, auto f, auto... operands) {
    return f.template gradient<I>(load_lanes(dy + i, lanes), load_lanes(y + i, lanes), operands...);
  };
  if (r.adds)
    for_each_operand_vector<T, N>(x, r.n, F{}, [=](int64_t i, auto lanes, auto f, auto... operands) {
      store_lanes(d + i, load_lanes(d + i, lanes) + slope(i, lanes, f, operands...), lanes);
    });
  else
    for_each_operand_vector<T, N>(x, r.n, F{}, [=](int64_t i, auto lanes, auto f, auto... operands) {
      store_lanes(d + i, slope(i, lanes, f, operands...), lanes);
    });
}

template <class T, class F, int N>
HL_INLINE void gradient_of(int operand, const OperandRuns<T>& x, const GradientRun<T>& r) {
  if constexpr (!F::kFlat) {
    if (operand == 0) return gradient_loop<T, F, N, 0>(x, r);
    if constexpr (N > 1)
      if (operand == 1) return gradient_loop<T, F, N, 1>(x, r);
    if constexpr (N > 2)
      if (operand == 2) return gradient_loop<T, F, N, 2>(x, r);
  }
}

template <class T>
HL_INLINE void elementwise_gradient_run(ElementwiseKind kind, int operand, const OperandRuns<T>& x,
                                        const GradientRun<T>& r) {
  switch (kind) {
#define HL_UNARY(name, Functor) \
  case ElementwiseKind::name: return gradient_of<T, Functor, 1>(operand, x, r);
#define HL_BINARY(name, Functor) \
  case ElementwiseKind::name: return gradient_of<T, Functor, 2>(operand, x, r);
#define HL_TERNARY(name, Functor) \
  case ElementwiseKind::name: return gradient_of<T, Functor, 3>(operand, x, r);
    HL_ELEMENTWISE(HL_UNARY, HL_BINARY, HL_TERNARY)
#undef HL_UNARY
#undef HL_BINARY
#undef HL_TERNARY
  }
}

// The runs of one row, with what they repeat.
template <class T>
struct BroadcastRuns : OperandRuns<T> {
  static constexpr int64_t kLanes = Vec<T>::kLanes;
  alignas(kAlignment) T repeated[kOperands][kLanes];

  HL_INLINE BroadcastRuns(const Elementwise& a, int64_t row, int64_t run, int64_t begin) {
    for (int k = 0; k < a.n_operands; ++k) {
      const Operand& o = a.operands[k];
      int64_t offset = 0, rest = run;
      for (int i = kAxes - 2; i >= 0 && rest > 0; --i) {
        offset += rest % a.axes[i] * o.strides[i];
        rest /= a.axes[i];
      }
      const int64_t step = o.data ? o.strides[kAxes - 1] : 0;
      this->step[k] = step;
      this->at[k] = o.data ? row_of<T>(o.data, row) + offset + begin * step : nullptr;
      if (step) continue;
      Vec<T>(o.data ? *this->at[k] : T(o.number)).store(repeated[k]);
      this->at[k] = repeated[k];
    }
  }
};

template <class T, class Body>
HL_INLINE void for_each_run(const Elementwise& a, const RunState& run, Worker w, Body body) {
  const int64_t width = a.axes[kAxes - 1], runs = width ? a.features / width : 0;
  if (a.flat)  // rows with their pads are one run
    return for_each_piece(1, run.rows * a.y.ld, kPiece, w, [&](int64_t, int64_t begin, int64_t end) {
      body(BroadcastRuns<T>(a, 0, 0, begin), 0, begin, end - begin);
    });
  for_each_piece((a.rows ? a.rows : run.rows) * runs, width, kPiece, w, [&](int64_t unit, int64_t begin, int64_t end) {
    const int64_t row = unit / runs, r = unit % runs;
    const BroadcastRuns<T> operands(a, row, r, begin);
    body(operands, row, r * width + begin, end - begin);
  });
}

template <class T>
HL_KERNEL_TEXT void elementwise_forward(const Elementwise& a, const RunState& run, Worker w) noexcept {
  for_each_run<T>(a, run, w, [&](const OperandRuns<T>& x, int64_t row, int64_t at, int64_t n) {
    elementwise_run(a.kind, x, row_of<T>(a.y, row) + at, n);
  });
}

template <class T>
HL_KERNEL_TEXT void elementwise_backward(const ElementwiseBackward& a, const RunState& run, Worker w) noexcept {
  for_each_run<T>(a.of, run, w, [&](const OperandRuns<T>& x, int64_t row, int64_t at, int64_t n) {
    const GradientRun<T> r{row_of<T>(a.of.y, row) + at, row_of<T>(a.dy, row) + at, row_of<T>(a.d, row) + at, n, false};
    elementwise_gradient_run(a.of.kind, a.operand, x, r);
  });
}
