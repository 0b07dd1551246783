// dense: product, bias and activation in one pass; the gradients of its input and parameters.
//
//     y = f(x w + b)                    x (M,K)  w (K,N)  b (N)  y (M,N)
//     dz = dy f'(y)      dx = dz w^T      dw = x^T dz      db = sum over M of dz
// Saved: y. Flops: 2 M K N each for y, dx, dw. Bytes: every operand once, w from the cache it stays in.
// Every output adds in ascending k (dx: n, dw: m) by fused multiply-add into one accumulator that starts from the
// bias (or zero), whatever tile computes it: a row's bits do not depend on M, nor any bits on the team.
// Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.
#pragma once
#include "ops/activation.h"
#include "ops/gemm.h"

namespace hl {

// M = RunState::rows * rows_per_sample in all three.
struct DenseForward {
  Tensor x;       // (M,K)
  const void* w;  // panels of (K,N), see ops/gemm.h
  const void* b;  // panels of (1,N), or null
  Tensor y;       // (M,N); columns N .. ld are not written
  int64_t K, N;
  int64_t rows_per_sample;
  Activation activation;
};

// For fewer rows, dot products along w as it lies cost less than transposing w: then dx adds in one fixed tree.
constexpr int64_t kTransposedRows = 8;

// dx = (dz w^T) * g'(x), g the activation that made x (identity: no factor).
struct DenseBackwardInput {
  Tensor dz;       // (M,N)
  const void* w;   // panels of (K,N)
  const void* wt;  // panels of (N,K), written by panel_transpose, or null: dot products
  Tensor x;        // (M,K), read only where `below` is not the identity
  Tensor dx;       // (M,K)
  int64_t K, N;
  int64_t rows_per_sample;
  Activation below;
};

struct DenseBackwardParams {
  Tensor x;   // (M,K)
  Tensor dz;  // (M,N)
  void* dw;   // panels of (K,N), or null; pads are written as zeros
  void* db;   // panels of (1,N), or null; pads are written as zeros
  int64_t K, N;
  int64_t rows_per_sample;
};

}  // namespace hl
