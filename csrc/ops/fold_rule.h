// What rules that sum over a batch share.
#pragma once
#include "ops/fold.h"
#include "ops/op.h"

namespace hl {

// A fold that keeps all axes of rows of `features` elements.
Fold keep_all(int64_t features);

// Emits the sum of fold `f` over all rows of the batch, from x to the single row y.
void fold_batch(Build& b, Fold f, Buf x, Buf y, bool mean, Order order);

}  // namespace hl
