// noise: normal noise, added to x or multiplied with it.
//
//     add        y = x + stddev z                dx = dy
//     multiply   y = x f,  f = 1 + stddev z      dx = dy f
//     z = normal draw of (seed, step, stream, row, column)      (ops/random.h)
// Shapes: x, y, dy, dx (M,F). Saved: f, if somebody wants dx: 60 operations an element cost more than its bytes.
// Flops: about 60 an element forward, 1 backward. Bytes: 2 M F elements each way, and f.
// Keras's GaussianNoise, and GaussianDropout with stddev^2 = rate / (1 - rate).
// Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15, 2014, section 10.
#pragma once
#include "core/tensor.h"

namespace hl {

struct NoiseForward {
  Tensor x, y;    // (M,F)
  Tensor factor;  // (M,F) f, or empty
  int64_t features;
  int64_t stream;
  double stddev;
  bool multiply;
};

struct NoiseBackward {
  Tensor dy, factor, dx;  // (M,F)
  int64_t features;
};

}  // namespace hl
