// fold: sums over axes and over rows, in an order that shapes alone fix: gradients of broadcast operands
// (ops/elementwise.h), and the sum or mean of a whole batch, which custom losses may use.
//
//     fold          y[block][kept] = sum over the block's rows, in order, and over the folded axes, of x
//     reduce_batch  y = sum_r x_r, or that / M        dx_r = dy, or dy / M        Shapes: x (M,F), y (F) without a batch
// A sum over the batch is cut into blocks of kFoldRows rows, whatever the team, and then the blocks are added in order.
// Saved: nothing. Flops: 1 an element. Bytes: x once.
#pragma once
#include "core/tensor.h"

namespace hl {

constexpr int kFoldAxes = 5;
constexpr int64_t kFoldRows = 64;

struct Fold {
  Tensor x, y;
  int64_t kept[kFoldAxes], kept_strides[kFoldAxes];      // axes of y's row in order; strides in x
  int64_t folded[kFoldAxes], folded_strides[kFoldAxes];
  int64_t width;         // of the last kept axis, if it is x's last; else 1
  int64_t features;      // of a row of y
  int64_t sums;          // elements of x in each sum, of one row
  int64_t rows;          // of x; 0: those of the batch
  int64_t rows_a_block;  // 1: rows stay apart
  bool count_blocks;     // the rows of x are the blocks of a batch
  bool mean;             // divide by the rows of the batch
};

struct SpreadRows {
  Tensor dy, dx;  // (1,F), (M,F)
  int64_t features;
  bool mean;
};

}  // namespace hl
