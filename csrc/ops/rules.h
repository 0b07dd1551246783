// Pieces that several rules share.
#pragma once
#include "ops/op.h"

namespace hl {

// A batched value seen as a matrix over its last axis: M = rows * per_sample rows, `ld` elements apart.
struct Rows {
  Buf buf;
  int64_t ld;
  int64_t per_sample;
};

// x (.., K) as rows of K: in place for rank 2, and where a sample's elements leave no pad; else copied to scratch.
Rows split_rows(Build& b, Buf value, const Spec& spec);

// Where a kernel may write rows of the last axis of `value`; join_rows then moves them there if they are scratch.
Rows rows_for_output(Build& b, Buf value, const Spec& spec);
void join_rows(Build& b, const Rows& rows, Buf value, const Spec& spec);

// Nodes that compute an activation along with their value: what the attributes "activation" and "alpha" say.
Activation activation_of(const Attrs& attrs);
// Of an activation's own node: attributes `kind`, `alpha`, `beta`, `gamma`. Only gamma may be left out: nothing is capped.
Activation any_activation_of(const Attrs& attrs);
// The gradient before that activation: grad_output(), differentiated here unless whoever made it has done so.
Buf preactivation_gradient(Build& b);

// A variable of rank 2 lies in panels (ops/gemm.h). An element-wise rule has input i in row-major order by flat_variable,
// writes its gradient into flat_gradient(b, i).buf, and calls finish_flat_gradient when that is written.
struct FlatGradient {
  Buf buf;
  bool packed = false;  // buf is scratch, still to be packed
};
Buf flat_variable(Build& b, int i);
FlatGradient flat_gradient(Build& b, int i);
void finish_flat_gradient(Build& b, int i, const FlatGradient& flat);

// Checks x (batch, .., K) against w (K,N), or of a product by w^T (N,K); N.
int64_t check_product(const Infer& node, const Spec& x, const Spec& w, bool transposed = false);

}  // namespace hl
