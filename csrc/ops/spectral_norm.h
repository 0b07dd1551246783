// spectral_norm: a kernel is divided by its largest singular value, which steps of the power method follow from batch
// to batch.
//
//     each of `iterations` steps:  v = u w^T / |u w^T|,  t = v w,  u = t / |t|;  at last s = |t| = v w u^T,  w = w / s
// A kernel for which s is 0 stays as it is, and so does u. Shapes: w (K,N), u (1,N), v (K), in place; w and u in panels
// (ops/gemm.h). No output, no gradient: what follows in the graph sees the new w. Flops: (4 iterations + 1) K N. Bytes:
// w read 2 iterations + 1 times, written once. Every norm is added in one order by each worker for itself.
// Miyato, Kataoka, Koyama and Yoshida, "Spectral normalization for generative adversarial networks", ICLR 2018.
#pragma once
#include "ops/gemm.h"

namespace hl {

// v = w (u / |u|), not yet of length 1.
struct SpectralRows {
  const void *w, *u;  // panels of (K,N), (1,N)
  void* v;            // (K)
  PanelShape shape;
};

// t = (v / |v|) w
struct SpectralColumns {
  const void *w, *v;
  void* t;  // panels of (1,N)
  PanelShape shape;
};

// s = |t|; u = t / s, w = w / s
struct SpectralDivide {
  const void* t;
  void *w, *u;
  PanelShape shape;
};

}  // namespace hl
