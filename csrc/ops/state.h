// state: numbers that live as long as the plan and go from batch to batch: the variables of metrics of one's own.
//
//     state       y = what was kept last; the trainer sets what the first batch sees
//     keep_state  kept = value, once the batch has read what was kept before
// Shapes: y (F) of attribute `shape`, without a batch; keep_state takes y and a value of its shape. Kept in doubles, the
// totals of F rows of accumulators, which hold either type to the bit. Flops: none. Bytes: y, and 8 F.
#pragma once
#include "core/tensor.h"

namespace hl {

struct StateCopy {
  Tensor value;         // (1,F)
  double* accumulator;  // F rows
  int64_t features;
};

}  // namespace hl
