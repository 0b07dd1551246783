// expression: a program of element-wise steps in one pass: what a user's formula becomes (graph/fuse.cpp).
//
//     s_i = f_i(earlier values)      y = the last s_i
// Each f_i is a kind of ops/elementwise.h, an activation, or scale x + offset. Inputs and values have one shape (M,F); an
// operand may be a number. What lies between stays in the nearest cache, a block of elements at a time; backward makes
// it again rather than read it. A value that several steps use sums its gradients in the order of the steps, last first.
// Saved: the inputs, and y. Flops: 1 to 60 an element and step, twice in backward. Bytes: every input once, and y.
#pragma once
#include "ops/activation.h"
#include "ops/elementwise.h"

namespace hl {

constexpr int kInputs = 8, kSteps = 16;

struct Instruction {
  enum class List : int32_t { elementwise, activation, affine };
  List list;
  int32_t kind;                // of the list
  int32_t operands[kOperands];  // input i, or kInputs + step i, or kNumber
  double numbers[kOperands];   // those operands; of an activation alpha, beta, gamma; scale and offset
};
constexpr int32_t kNumber = -1;

struct Expression {
  Tensor inputs[kInputs], y;  // (M,F), all equally far apart
  Instruction steps[kSteps];
  int32_t n_inputs, n_steps;
};

// One product of the chain rule: what operand `operand` of a step gets.
struct Partial {
  int8_t step, operand;
  bool adds;  // others came first
};

struct ExpressionBackward {
  Expression of;
  Tensor dy, d[kInputs];  // (M,F); no d: an input that wants none
  Partial partials[kSteps * kOperands];
  int32_t n_partials;
};

}  // namespace hl
