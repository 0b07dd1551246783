// sloped_relu: a straight line on either side of zero, its slope below zero learned (prelu) or random (rrelu).
//
//     y = x >= 0 ? x : a x        dx = x >= 0 ? dy : a dy        prelu: da = sum over the batch of dy x where x < 0
// Shapes: x, y, dy, dx (M,F); prelu's a (F), or with axes of size 1, along which it is shared. Saved: x.
// rrelu: a is uniform in [lower, upper), a random word of (seed, step, stream, row, column) each (core/philox.h), drawn
// again in backward. The op always draws: a graph traced for inference has leaky_relu with the mean slope.
// Flops: 2 an element, rrelu 30. Bytes: 2 M F elements forward, 3 M F backward.
// He et al., "Delving deep into rectifiers", ICCV 2015 (prelu). Xu et al., "Empirical evaluation of rectified
// activations in convolution network", 2015 (rrelu).
#pragma once
#include "core/tensor.h"

namespace hl {

constexpr int kSlopeAxes = 6;

// The axes of a sample; an axis of size 1 in `slope` has stride 0 there.
struct SlopeShape {
  int64_t size[kSlopeAxes];
  int64_t stride[kSlopeAxes];
  int64_t features, slopes;
};

// For every feature the slope it uses, and back: the sum of the features of every slope.
struct SlopeSpread {
  const void* slopes;  // (slopes)
  void* features;      // (features)
  SlopeShape shape;
};
struct SlopeGather {
  const void* features;
  void* slopes;
  SlopeShape shape;
};

struct PreluForward {
  Tensor x, y;      // (M,F)
  const void* slope;  // (F)
  int64_t features;
};
struct PreluBackward {
  Tensor x, dy, dx;   // (M,F); dx may be dy
  const void* slope;  // (F)
  int64_t features;
};
struct PreluBackwardSlope {
  Tensor x, dy;  // (M,F)
  void* dslope;  // (F)
  int64_t features;
};

// to = from where x >= 0, else its random slope times from: from is x forward, dy backward.
struct RandomSlope {
  Tensor x, from, to;  // (M,F)
  int64_t features;
  double lower, upper;
  int64_t stream;
};

}  // namespace hl
