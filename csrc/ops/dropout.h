// dropout: a random share of the elements becomes zero, the others grow so that the mean stays.
//
//     y = keep ? x / (1 - rate) : 0          dx = keep ? dy / (1 - rate) : 0
//     keep = random word of (seed, step, stream, row, column) >= rate * 2^32      (core/philox.h)
// Shapes: x, y, dy, dx (M,F). Saved: one bit an element, cheaper than the 10 rounds of Philox again.
// Flops: 1 an element; forward also 2.5 integer multiplications. Bytes: 2 M F elements each way.
// The op always drops: a graph traced for inference has no such node. Rate 0 is no work at all.
// Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15, 2014.
#pragma once
#include "ops/activation.h"

namespace hl {

// Column c of a row is bit (c / 16) % 32 of word (c / 512) * 16 + c % 16, so that vectors of any width find their
// bits side by side.
constexpr int64_t kMaskColumns = 512, kMaskWords = 16;

struct DropoutForward {
  Tensor x, y;  // (M,F)
  Tensor kept;  // (M, ceil(F / 512) * 16) words
  int64_t features;
  uint32_t last_dropped;  // the largest random word that drops: ceil(rate * 2^32) - 1
  int64_t stream;
  double scale;  // 1 / (1 - rate)
};

struct DropoutBackward {
  Tensor kept;    // as above
  Tensor dy, dx;  // (M,F)
  Tensor x;       // (M,F), read only where `below` is not the identity
  int64_t features;
  double scale;
  Activation below;  // dx is also multiplied by its derivative: the activation that made x
};

}  // namespace hl
