// constant: numbers that are part of the description of a model: y = the attribute `values`, of the attribute `shape`.
//
// Shapes: y (F) without a batch. No gradients flow. Flops: none. Bytes: 8 F read, y written, in every batch.
#pragma once
#include "core/tensor.h"

namespace hl {

struct Constant {
  const double* values;
  Tensor y;
  int64_t features;
};

}  // namespace hl
