// chain: rows that go from batch to batch in a variable, as the Markov chains of persistent contrastive divergence do.
//
//     chain       y_r = s_(r mod C)                 row r of the batch begins where chain r mod C is
//     keep_chain  s_r = v_r   for r < min(M, C)     and what it becomes is where the next batch begins
// Shapes: s (C,F), a variable that no optimizer changes; y, v (M,F). No gradient. Flops: none. Bytes: 2 M F elements.
// Tieleman, "Training restricted Boltzmann machines using approximations to the likelihood gradient", ICML 2008.
#pragma once
#include "ops/gemm.h"

namespace hl {

struct ChainCopy {
  void* state;       // panels of (C,F)
  PanelShape shape;  // C, F
  Tensor rows;       // (M,F)
};

}  // namespace hl
