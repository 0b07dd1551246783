// map: fixed element-wise maps of a value: `affine` by two numbers, `standardize` by a mean and a variance.
//
//     affine        y = scale x + offset                      dx = scale dy
//     standardize   y = (x - mean) / s                        dx = dy / s          s = max(sqrt(var), epsilon)
//       inverted    y = x s + mean                            dx = dy s
// Shapes: x, y, dy, dx (M,F); mean, var (C), C the last axis of x, or one number for all. Saved: nothing; mean and var
// get no gradient. Flops: 2 an element. Bytes: 2 M F elements each way. Keras's Rescaling and Normalization.
#pragma once
#include "core/tensor.h"

namespace hl {

struct Affine {
  Tensor x, y;  // (M,F); y may be x
  int64_t features;
  double scale, offset;
};

struct Standardize {
  Tensor x, y;            // (M, outer * channels); y may be x
  const void *mean, *var;  // (channels), or (1) where `shared`; a null mean counts as 0
  int64_t outer, channels;
  bool shared;
  bool invert;
  double epsilon;
};

}  // namespace hl
