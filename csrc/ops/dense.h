// dense: product, bias and activation in one pass; the gradients of its input and parameters.
//
//     y = f(x w + b)                    x (M,K)  w (K,N)  b (N)  y (M,N)
//     dz = dy f'(y)      dx = dz w^T      dw = x^T dz      db = sum over M of dz
// With a drop_rate (DropConnect) w is everywhere w', in which a share of the weights is zero (ops/dropout.h), and dw has
// the same mask. With `transposed` the variable is w^T (N,K), as for the way back through tied weights: dw^T = dz^T x.
// Saved: y, and the transposed panels. Flops: 2 M K N each for y, dx, dw. Bytes: every operand once, w from the cache it stays in.
// Every output adds in ascending k (dx: n, dw: m) by fused multiply-add, in blocks that K and N alone choose, whatever
// tile computes it: a row's bits do not depend on M, nor any bits on the team. On CPUs y, dx and dw leave out zeros of x
// (dz) where there are many (core/nonzero.h), with the same bits as long as the other factor is finite.
// Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.
#pragma once
#include "ops/activation.h"
#include "ops/gemm.h"
#include "ops/optimizer.h"

namespace hl {

// M = RunState::rows * rows_per_sample in all of them.
struct DenseForward {
  Tensor x;       // (M,K)
  const void* w;  // panels of (K,N), see ops/gemm.h
  const void* b;  // panels of (1,N), or null
  Tensor y;       // (M,N); columns N .. ld are nobody's
  int64_t K, N;
  int64_t rows_per_sample;
  Activation activation;
  Upcoming next;  // brought nearer on the way
};

// dx = (dz w^T) * g'(x), g the activation that made x (identity: no factor).
struct DenseBackwardInput {
  Tensor dz;       // (M,N)
  const void* w;   // panels of (K,N)
  const void* wt;  // panels of (N,K), written by panel_transpose, or null: M is at most kFewRows
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
  bool adds_dw, adds_db;  // to what is there
};

// For up to so many rows of a plan, the optimizer's update costs less while the gradient is in registers: the same
// numbers, and the gradient is never written.
constexpr int64_t kUpdateRows = 4;

struct DenseUpdateParams {
  Tensor x;             // (M,K)
  Tensor dz;            // (M,N)
  OptimizerRange w, b;  // where `w` is null, no update
  int64_t rows_per_sample;
  Optimizer optimizer;
};

}  // namespace hl
