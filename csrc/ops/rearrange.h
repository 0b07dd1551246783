// rearrange: elements of a row picked by strides: slices with steps, reversed and transposed axes.
//
//     y[i0, i1, ..] = x[offset + i0 s0 + i1 s1 + ..]     dx = dy at those places, 0 elsewhere
// place: the reverse, elements of a row put at such places of a larger one.
//
//     y[offset + i0 s0 + i1 s1 + ..] = x[i0, i1, ..], 0 elsewhere     dx = dy at those places
// Attributes: `shape` of a sample of y, `strides` and `offset` in elements of a sample of x (place: of y).
// No element is picked twice. Shapes: x (M,F), y (M, axes); place: x (M, axes), y (M,F); or without a batch, of weights:
// one row. Saved: nothing. Flops: none. Bytes: y twice forward; dx once more backward.
#pragma once
#include "core/tensor.h"

namespace hl {

constexpr int kRearrangeAxes = 6;

struct Rearrange {
  Tensor x, y;  // backward: y is read and x, whose `x_features` elements become 0 first, is written
  int64_t axes[kRearrangeAxes], strides[kRearrangeAxes];
  int64_t offset;
  int64_t features, x_features;
  int64_t rows;  // 0: those of the batch
  bool backward;
};

}  // namespace hl
