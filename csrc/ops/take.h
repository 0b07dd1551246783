// take_along_axis: elements of one feature axis picked by indices, each place by an index of its own.
//
//     y[o, k, i] = x[o, j, i], j = index[o, k, i]; -1 is the last; outside [-size, size): NaN, and no gradient
//     dx[o, j, i] = sum of dy[o, k, i] over the k that picked j, in order
// Shapes: x (M, outer, size, inner) and index, y (M, outer, picked, inner) as rows of a batch; the index is int32, or
// numbers of the arithmetic, of which the whole part counts. No gradient flows to it. Saved: index. Flops: none.
// Bytes: index and y twice forward; dy, index and dx backward. Keras's take_along_axis.
#pragma once
#include "core/tensor.h"

namespace hl {

struct Take {
  Tensor x, index, y;  // backward: dx, which is set to 0 first, and dy in the places of x and y
  int64_t outer, size, inner, picked;
  bool codes;  // the index is int32
};

}  // namespace hl
