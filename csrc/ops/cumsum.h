// cumsum: sums along one feature axis, up to each element.
//
//     y_i = x_0 + .. + x_i     dx_i = dy_i + dy_{i+1} + ..
// Shapes: x, y, dy, dx (M, outer, size, inner) as rows of a batch. Each sum is made of the one before it, in order; the
// gradient's begin at the end. Saved: nothing. Flops: 1 an element each way. Bytes: two passes each way.
#pragma once
#include "core/tensor.h"

namespace hl {

struct CumSum {
  Tensor x, y;
  int64_t outer, size, inner;
  bool backward;
};

}  // namespace hl
