// merge: several values into one: `add` sums values of one shape, `concatenate` joins them along an axis.
//
//     add           y = x0 + x1 + ..             dx_i = dy, the same buffer
//     concatenate   y = [x0, x1, ..]             dx_i = the part of dy that x_i became
// Shapes: add (M,F) each; concatenate: all axes but one are equal. Saved: nothing. `add` runs in n - 1 steps of two
// operands (3 M F elements of traffic each); concatenate is one copy_blocks (ops/reshape.h) for each input.
#pragma once
#include "core/tensor.h"

namespace hl {

// y = a + b. The planner too sums with it: gradients of a value that several nodes use.
struct AddRows {
  Tensor a, b, y;  // (M,F); y may be a or b
  int64_t features;
  int64_t rows;  // 0: those of the batch
};

}  // namespace hl
