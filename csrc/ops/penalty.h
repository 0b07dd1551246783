// penalty: what a regulariser adds to the loss: a number of a variable, or of a batch of activations by its rows.
//
//     l1_l2        P = l1 sum |x| + l2 sum x^2           dx = l1 sign(x) + 2 l2 x,  sign(0) = 0
//     value        P = x, a number made of other values  dx = 1
//     orthogonal   P = c / 2 sum_(i != j) |u_i u_j|      dw_i = c (s_i - (s_i u_i) u_i) / |w_i|
//                  u_i = w_i / |w_i|, the n rows (or columns) of w (K,N);  s_i = sum_(j != i) sign(u_i u_j) u_j;
//                  c = 2 factor / (n (n - 1))
// Shapes: a variable as it lies in its panels (ops/gemm.h), whose pads are zero and count nothing; or x (M,F). The
// gradient of a variable is added to what the rest of the graph sends it, when all that is there. Saved: nothing.
// Sums: in rows of a fixed length, then in a fixed order: the same bits for any team.
// Flops: 5 an element; orthogonal 4 n elements. Bytes: x read, its gradient read and written.
// Tibshirani, "Regression shrinkage and selection via the lasso", JRSS B 58, 1996. Hoerl and Kennard, "Ridge
// regression", Technometrics 12, 1970. Bansal, Chen and Wang, "Can we gain more from orthogonality regularizations",
// NeurIPS 2018.
#pragma once
#include "ops/gemm.h"

namespace hl {

constexpr int64_t kPenaltyColumns = 4096;  // elements of a variable that are one row of its sum

struct PenaltyValues {
  Tensor x;        // (M,columns), or a variable's panels in rows of `columns`
  Tensor dx;       // like x, or empty: values alone
  double* values;  // one a row
  int64_t columns;
  int64_t elements;  // of the variable, pads included, or of the number; 0: a batch
  bool add;          // dx holds what others sent
  double l1, l2;
  double slope;      // of x itself
};

// w_i / |w_i| as rows, and 1 / |w_i|, at most 1e7.
struct OrthogonalUnits {
  const void* w;    // panels of (K,N)
  Tensor unit;      // (n,d)
  double* inverse;  // (n)
  PanelShape shape;
  bool columns;  // the vectors are columns of w, not rows
};

struct OrthogonalValues {
  Tensor unit;            // (n,d)
  const double* inverse;  // (n)
  Tensor sum;             // (n,d) s_i
  void* dw;               // panels of (K,N), or null: values alone
  double* values;         // (n)
  PanelShape shape;
  bool columns;
  bool add;
  double scale;  // factor / (n (n - 1))
};

// One worker: total += P * rows, count += rows, last P, first step where it was not finite.
struct PenaltyReduce {
  const double* values;
  double* accumulator;
  int64_t count;  // values of a variable; 0: one for each row of the batch, P is their mean
};

}  // namespace hl
