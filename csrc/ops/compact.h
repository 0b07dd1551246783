// compact: dense layers whose weights are stored in one or two bytes each, for inference.
//
//     bfloat16, float16     y = f(x w + b), w widened on the way to the multipliers
//     int8                  y_mn = f(sum_k q_mk w_kn / (s_m t_n) + b_n)
//                           s_m = 127 / (max_k |x_mk| + 1e-7),  q = round(s_m x_mk) within +-127, as Keras's quantizers do
// Shapes: x (M,K), w (K,N) of that type, t (N) the scales that made w, b (N), y (M,N). Integer sums are exact; those of the
// 16-bit types are four chains, of each fourth k, added to the bias one after the other: a row has the same bits in any
// batch, and for any team. Rounding is to nearest, ties to even. The way back gives dx alone, through w widened to panels.
// Saved: y. Flops: 2 M K N. Bytes: w once for a few rows, a half or a quarter of a dense layer's.
// Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference", CVPR 2018.
// Dettmers et al., "LLM.int8()", NeurIPS 2022 (scales for each row and column). Kalamkar et al., "A study of BFLOAT16 for
// deep learning training", 2019.
#pragma once
#include "ops/activation.h"
#include "ops/gemm.h"

namespace hl {

// Weights lie in panels of kCompactColumns columns, in each of which G rows k lie side by side, the last ones with zeros:
//     (k, n)  at  panel[n / 16][k / G][n % 16][k % G]      G: 1 for float16, 2 for bfloat16, for int8 what the row likes
// Behind the panels of int8 stand the sums of their columns.
constexpr int64_t kCompactColumns = 16;
constexpr int64_t kMostInt8Inputs = int64_t(1) << 17;  // more, and a sum could leave 32 bits

inline bool is_compact(DType type) { return type == DType::i8 || type == DType::f16 || type == DType::bf16; }

struct CompactWeights {
  const void* w;
  DType dtype;
  int64_t K, N;

  HL_INLINE int64_t rows() const { return dtype == DType::f16 ? K : (K + 3) / 4 * 4; }  // of a panel, with zeros
  HL_INLINE int64_t panels() const { return (N + kCompactColumns - 1) / kCompactColumns; }
  HL_INLINE int64_t elements() const { return panels() * rows() * kCompactColumns; }
  HL_INLINE int64_t bytes() const {
    return dtype == DType::i8 ? elements() + panels() * kCompactColumns * size_of(DType::i32) : 2 * elements();
  }
};

// Row-major (K,N) <-> panels. The matrix has int8 elements, or for 16-bit types those of the arithmetic.
struct CompactCopy {
  CompactWeights panels;
  void* matrix;
};

// Panels of ops/gemm.h from compact ones.
struct CompactExpand {
  CompactWeights from;
  const void* scales;  // panels of (1,N), or null
  void* panels;
};

// q (M, K rounded up to fours), as the row's products want it, and s (M,1) of rows of x.
struct QuantizeRows {
  Tensor x, q, s;
  int64_t K;
  int64_t rows_per_sample;
};

struct CompactForward {
  Tensor x;  // (M,K); int8 weights: q of QuantizeRows
  Tensor s;  // (M,1), or none
  CompactWeights w;
  const void* scales;  // panels of (1,N), or null
  const void* b;       // panels of (1,N), or null
  Tensor y;            // (M,N); columns N .. ld are nobody's
  int64_t rows_per_sample;
  Activation activation;
};

}  // namespace hl
