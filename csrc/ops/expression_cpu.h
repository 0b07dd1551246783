// Elements of a block: what a dozen values of them take fits the level-1 cache. On a GPU one, a thread's.
template <class T>
constexpr int64_t kExpressionBlock = kPiece == 1 ? 1 : 1024 / sizeof(T);

// The values of a block: of the inputs where they lie, of the steps in scratch.
template <class T>
struct BlockValues {
  static constexpr int64_t kLanes = Vec<T>::kLanes;
  const T* at[kInputs + kSteps];
  alignas(kAlignment) T numbers[kSteps][kOperands][kLanes];
  alignas(kAlignment) T made[kSteps][kExpressionBlock<T>];

  HL_INLINE explicit BlockValues(const Expression& a) {
    for (int s = 0; s < a.n_steps; ++s)
      for (int k = 0; k < kOperands; ++k) Vec<T>(T(a.steps[s].numbers[k])).store(numbers[s][k]);
  }

  HL_INLINE OperandRuns<T> operands(const Instruction& step, int s) const {
    OperandRuns<T> x;
    for (int k = 0; k < kOperands; ++k) {
      const bool number = step.operands[k] == kNumber;
      x.at[k] = number ? numbers[s][k] : at[step.operands[k]];
      x.step[k] = !number;
    }
    return x;
  }

  // n elements from `begin` on; y where it is wanted.
  HL_INLINE void make(const Expression& a, int n_steps, int64_t begin, int64_t n, T* y) {
    for (int i = 0; i < a.n_inputs; ++i) at[i] = a.inputs[i].as<T>() + begin;
    for (int s = 0; s < n_steps; ++s) {
      T* to = s + 1 == a.n_steps ? y : made[s];
      const Instruction& step = a.steps[s];
      const OperandRuns<T> x = operands(step, s);
      switch (step.list) {
        case Instruction::List::elementwise: elementwise_run(ElementwiseKind(step.kind), x, to, n); break;
        case Instruction::List::activation: activation_run(activation_of(step), x.at[0], to, n); break;
        case Instruction::List::affine: affine_run(step.numbers[0], step.numbers[1], x.at[0], to, n); break;
      }
      at[kInputs + s] = to;
    }
  }
  static HL_INLINE Activation activation_of(const Instruction& step) {
    return {ActivationKind(step.kind), step.numbers[0], step.numbers[1], step.numbers[2]};
  }
};

// All rows with their pads are one row, in which nobody minds what becomes of pads.
template <class Body>
HL_INLINE void for_each_flat_block(int64_t elements, int64_t block, Worker w, Body body) {
  for_each_block(1, elements, block, w, [&](int64_t, int64_t begin, int64_t end) { body(begin, end - begin); });
}

template <class T>
HL_KERNEL_TEXT void expression_forward(const Expression& a, const RunState& run, Worker w) noexcept {
  BlockValues<T> values(a);
  for_each_flat_block(run.rows * a.y.ld, kExpressionBlock<T>, w, [&](int64_t begin, int64_t n) {
    values.make(a, a.n_steps, begin, n, a.y.as<T>() + begin);
  });
}

template <class T>
HL_KERNEL_TEXT void expression_backward(const ExpressionBackward& a, const RunState& run, Worker w) noexcept {
  BlockValues<T> values(a.of);
  alignas(kAlignment) T gradients[kSteps][kExpressionBlock<T>];
  const int last = a.of.n_steps - 1;
  for_each_flat_block(run.rows * a.of.y.ld, kExpressionBlock<T>, w, [&](int64_t begin, int64_t n) {
    values.make(a.of, last, begin, n, nullptr);
    values.at[kInputs + last] = a.of.y.as<T>() + begin;
    for (int i = 0; i < a.n_partials; ++i) {
      const Partial p = a.partials[i];
      const Instruction& step = a.of.steps[p.step];
      const int32_t slot = step.operands[p.operand];
      const OperandRuns<T> x = values.operands(step, p.step);
      GradientRun<T> r;
      r.y = values.at[kInputs + p.step];
      r.dy = p.step == last ? a.dy.as<T>() + begin : gradients[p.step];
      r.d = slot < kInputs ? a.d[slot].as<T>() + begin : gradients[slot - kInputs];
      r.n = n;
      r.adds = p.adds;
      switch (step.list) {
        case Instruction::List::elementwise:
          elementwise_gradient_run(ElementwiseKind(step.kind), p.operand, x, r);
          break;
        case Instruction::List::activation: {
          const Activation f = BlockValues<T>::activation_of(step);
          activation_gradient_run(f, derives_from_output(f.kind) ? r.y : x.at[0], r.dy, r.d, n, p.adds);
          break;
        }
        case Instruction::List::affine: affine_gradient_run(step.numbers[0], r.dy, r.d, n, p.adds); break;
      }
    }
  });
}
