// layer_norm: each sample standardised by its own statistics, over all of its features or over groups of them.
//
//     layer   y = (x - mean) / sqrt(var + epsilon) gamma + beta      biased variance
//     rms     y = x / sqrt(mean of x^2 + epsilon) gamma + beta
//     unit    y = x min(1 / sqrt(sum of x^2), 1e12)
// With n the standardised x, r the factor, d = dy gamma and m(.) the mean over the group (unit: the sum):
//     dx = r (d - [layer: m(d)] - n m(d n))      dgamma = sum of dy n      dbeta = sum of dy
// Shapes: x, y, dy, dx (M,F), F = runs * groups * columns. A group is `runs` runs of `columns` neighbours each. gamma and
// beta (columns) where one row of weights serves every group (layer, rms), else (groups * columns). Saved: mean and r of
// each group. Flops: 8 an element each way. Bytes: 2 M F elements forward, 5 M F backward.
// Ba, Kiros and Hinton, "Layer normalization", 2016. Zhang and Sennrich, "Root mean square layer normalization", NeurIPS
// 2019. Wu and He, "Group normalization", ECCV 2018.
#pragma once
#include "core/tensor.h"

namespace hl {

enum class NormKind : int32_t { layer, rms, unit };

struct GroupShape {
  int64_t runs, groups, columns;
  bool shared;  // gamma and beta serve every group; then runs is 1
  NormKind kind;
};

struct LayerNormForward {
  Tensor x, y;               // (M,F)
  Tensor saved;              // (M, 2 * groups): mean, r of each group
  const void *gamma, *beta;  // or null
  GroupShape shape;
  double epsilon;
};

struct LayerNormBackward {
  Tensor x, saved, dy, dx;
  const void* gamma;  // or null
  GroupShape shape;
};

struct LayerNormBackwardParams {
  Tensor x, saved, dy;
  void *dgamma, *dbeta;  // or null
  GroupShape shape;
};

}  // namespace hl
