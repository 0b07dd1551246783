// embedding: rows of a table picked by codes, and numbers that become codes.
//
//     embedding   y[r, s] = w[x[r, s]]      dw[v] = sum of dy[r, s] over the places where x[r, s] = v, r before s
//     codes       y = the whole part of x, or -1 where int32 cannot hold it
// Shapes: x (M,S) int32, w (V,D) in panels (ops/gemm.h), y, dy (M,S,D); codes: x (M,F) -> y (M,F) int32. A code outside
// 0 .. V - 1 gives a row of zeros and no gradient. No gradient flows to x. Saved: nothing. Flops: M S D backward.
// Bytes: 2 M S D elements forward; backward dw once and 2 M S D elements.
// dw is whole: optimizers that move weights without a gradient (momentum, Adam, decay) move every row. Each worker owns
// a range of rows of w and reads every code, so the sums have one order.
#pragma once
#include "ops/gemm.h"

namespace hl {

struct EmbeddingForward {
  Tensor x;           // (M,codes) int32
  const void* table;  // panels of (V,D)
  Tensor y;           // (M,codes * D)
  PanelShape shape;   // K = V, N = D
  int64_t codes;
};

struct EmbeddingBackward {
  Tensor x, dy;
  void* table;  // panels of dw
  PanelShape shape;
  int64_t codes;
};

struct ToCodes {
  Tensor x;  // (M,features)
  Tensor y;  // int32
  int64_t features;
};

}  // namespace hl
