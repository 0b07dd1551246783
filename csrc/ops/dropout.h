// dropout: a random share of the elements is dropped, the others change so that the mean stays.
//
//     y = keep ? scale x + shift : dropped          dx = keep ? scale dy : 0
//     keep = random word of (seed, step, stream, row, column) >= rate * 2^32      (core/philox.h)
//   dropout        scale = 1 / (1 - rate), shift = dropped = 0
//   alpha_dropout  scale = a, shift = b, dropped = a alpha' + b: keeps mean 0 and variance 1, as SELU makes them;
//                  alpha' = -1.7580993408473766, a = ((1 - rate)(1 + rate alpha'^2))^(-1/2), b = -a alpha' rate
// With a noise shape the elements along an axis of size 1 share their fate: their column is that of the smaller shape,
// and where the batch axis is 1, all rows count as row 0.
// drop_weights (DropConnect) is the same for a layer's weights: w' = keep ? w / (1 - rate) : 0, element (k, n) drawn as
// row k, column n, one mask for all samples of a step.
// Shapes: x, y, dy, dx (M,F). Saved: one bit an element, cheaper than the 10 rounds of Philox again; with a noise shape
// a number for each element of it. Flops: 2 an element; forward also 2.5 integer multiplications. Bytes: 2 M F elements
// each way. The op always drops: a graph traced for inference has no such node. Rate 0 is no work at all.
// Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15, 2014. Klambauer et
// al., "Self-normalizing neural networks", NeurIPS 2017. Wan et al., "Regularization of neural networks using
// DropConnect", ICML 2013. Tompson et al., "Efficient object localization using convolutional networks", CVPR 2015.
#pragma once
#include "ops/activation.h"
#include "ops/gemm.h"

namespace hl {

// Column c of a row is bit (c / 16) % 32 of word (c / 512) * 16 + c % 16, so that vectors of any width find their
// bits side by side.
constexpr int64_t kMaskColumns = 512, kMaskWords = 16;

// What becomes of an element.
struct Fate {
  double scale, shift, dropped;
};

struct DropoutForward {
  Tensor x, y;  // (M,F)
  Tensor kept;  // (M, ceil(F / 512) * 16) words
  int64_t features;
  uint32_t last_dropped;  // the largest random word that drops: ceil(rate * 2^32) - 1
  int64_t stream;
  Fate fate;
};

struct DropoutBackward {
  Tensor kept;    // as above
  Tensor dy, dx;  // (M,F)
  Tensor x;       // (M,F), read only where `below` is not the identity
  int64_t features;
  double scale;
  Activation below;  // dx is also multiplied by its derivative: the activation that made x
};

// The mask of a noise shape: 1 keeps, 0 drops.
struct DropoutMask {
  Tensor mask;  // (M,columns), or (1,columns)
  int64_t columns;
  bool one_row;
  uint32_t last_dropped;
  int64_t stream;
};

constexpr int kMaskAxes = 6;

// y = keep ? scale x + shift : dropped; an element finds its mask's at the sum over the axes of its index times stride.
struct DropoutShared {
  Tensor x, y;  // (M,F)
  Tensor mask;
  bool one_row;
  int64_t axes;
  int64_t sizes[kMaskAxes], strides[kMaskAxes];
  Fate fate;
};

struct DropWeights {
  const void* src;  // panels of (K,N)
  void* dst;        // the same, or src itself; pads are written as zeros
  PanelShape shape;
  uint32_t last_dropped;
  int64_t stream;
  double scale;
};

// ceil(rate * 2^32) - 1, for a rate above 0.
uint32_t last_dropped(double rate);

}  // namespace hl
