// sparse: a dense layer whose weights are mostly zeros, of which only blocks that are not are stored and multiplied.
//
//     y = f(x w + b)                    x (M,K)  w (K,N)  b (N)  y (M,N)
//     dz = dy f'(y)      dx = dz w^T      dvalues_i = sum over M of x_k dz_panel      db = sum over M of dz
// w is cut into panels of kBlockColumns columns, a block is one row k of a panel: blocked CSR of w^T. Panel p has the
// blocks offsets[p] .. offsets[p + 1] - 1; block i is row indices[i], ascending within a panel, and its elements, beyond N
// zeros, are values[i kBlockColumns] and on. Where they stand is fixed when the node is made, what they are is a variable.
// Saved: y. Flops: 2 M kBlockColumns a block for y, dx, dvalues each. Bytes: every block once for a few rows of x.
// A sum over the blocks of a panel is four chains, of each fourth block, added to the bias one after the other: one row
// has chains enough to keep the multipliers busy, and its bits do not depend on M, nor any bits on the team.
// Gray, Radford and Kingma, "GPU kernels for block-sparse weights", 2017.
#pragma once
#include "ops/activation.h"
#include "ops/gemm.h"

namespace hl {

constexpr int64_t kBlockColumns = 16;

struct SparseWeights {
  const void* values;  // (blocks, kBlockColumns)
  const int64_t* indices;
  const int64_t* offsets;
  int64_t K, N;

  HL_INLINE int64_t panels() const { return (N + kBlockColumns - 1) / kBlockColumns; }
};

// M = RunState::rows * rows_per_sample in all of them.
struct SparseForward {
  Tensor x;  // (M,K)
  SparseWeights w;
  const void* b;  // panels of (1,N), or null
  Tensor y;       // (M,N); columns N .. ld are nobody's
  int64_t rows_per_sample;
  Activation activation;
};

struct SparseBackwardInput {
  Tensor dz;  // (M,N)
  SparseWeights w;
  Tensor dx;  // (M,K)
  int64_t rows_per_sample;
};

struct SparseBackwardParams {
  Tensor x;   // (M,K)
  Tensor dz;  // (M,N)
  SparseWeights w;
  void* dvalues;  // as the values, or null
  void* db;       // panels of (1,N), or null; pads are written as zeros
  int64_t rows_per_sample;
};

}  // namespace hl
