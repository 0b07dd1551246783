// argmax: the place of the largest (or smallest) element of one feature axis, as a number of the arithmetic.
//
//     y = the first i with x_i >= x_j for all j; a NaN counts as the largest, and as the smallest
// Shapes: x (M, outer, size, inner) and y (M, outer, inner) as rows of a batch. No gradient. Saved: nothing.
// Flops: 1 an element. Bytes: x once.
#pragma once
#include "core/tensor.h"

namespace hl {

struct ArgMax {
  Tensor x, y;
  int64_t outer, size, inner;
  bool smallest;
};

}  // namespace hl
