// argsort: where the elements of one feature axis stand in order, as numbers of the arithmetic.
//
//     y = the places of x's elements, smallest first, or largest first; equal ones as they stand; a NaN is the largest
// Shapes: x, y (M, outer, size, inner) as rows of a batch. No gradient. Saved: nothing. Flops: about 2 log2(size) an
// element. Bytes: x and y, log2(size) times, from a near cache. Heapsort (Williams, Communications of the ACM 7, 1964):
// it needs no memory, and the place breaks ties, so the order is the only one there is.
#pragma once
#include "core/tensor.h"

namespace hl {

struct ArgSort {
  Tensor x, y;
  int64_t outer, size, inner;
  bool descending;
};

}  // namespace hl
