// batch_norm: every channel is shifted and scaled to mean 0 and variance 1, then by gamma and beta.
//
//     training    mean = sum x / n      var = sum (x - mean)^2 / n  (biased)      inv = 1 / sqrt(var + epsilon)
//                 y = (x - mean) inv gamma + beta
//                 moving = momentum moving + (1 - momentum) batch, for mean and var
//     gradient    dbeta = sum dy      dgamma = inv sum dy (x - mean)
//                 dx = gamma inv (dy - dbeta / n - (x - mean) inv dgamma / n)
//     inference   the same y from the moving statistics;  dx = gamma inv dy
// Shapes: x, y, dy, dx (M, outer, C, inner) as rows of a batch, C the axis; everything else (C); n = M outer inner.
// Saved: x and the batch's mean and inv. Flops an element: 6 and 7. Bytes: x three times, y once; dy, x twice, dx once;
// strips of channels come from the cache after the first time. An activation that follows is part of both passes forward.
// A worker owns whole channels, so no pass waits for another worker. Statistics take two passes, the second also sums
// the rounding error of the first (Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983);
// blocks of 64 rows are summed on their own first.
// Ioffe and Szegedy, "Batch normalization", ICML 2015.
#pragma once
#include "ops/activation.h"

namespace hl {

struct ChannelShape {
  int64_t outer, channels, inner;  // element (o, c, i) of a row is at (o * channels + c) * inner + i
};

struct BatchNormTrain {
  ChannelShape shape;
  Tensor x, y;
  const void *gamma, *beta;  // (C), or null: 1 and 0
  void *moving_mean, *moving_var;  // (C), or null: they stay as they are
  Tensor saved;  // (2,C): mean, inv
  double momentum, epsilon;
  Activation activation;  // of y
};

struct BatchNormBackward {
  ChannelShape shape;
  Tensor x, saved, dy;
  const void* gamma;
  Tensor dx;             // null: not wanted
  void *dgamma, *dbeta;  // panels of (1,C), or null; pads are written as zeros
  Activation below;      // dx is also multiplied by its derivative: the activation that made x
};

struct BatchNormInfer {
  ChannelShape shape;
  Tensor x, y;
  const void *gamma, *beta, *mean, *var;
  double epsilon;
  Activation activation;
};

struct BatchNormInferBackward {
  ChannelShape shape;
  Tensor x, dy;  // x is read only where dgamma is wanted, or `below` is not the identity
  const void *gamma, *mean, *var;
  Tensor dx;
  void *dgamma, *dbeta;
  Activation below;
  double epsilon;
};

}  // namespace hl
