// gather: between the user's arrays and the arena. `input` collects the rows of a batch and converts them, `output`
// hands rows back, `one_hot` spreads category codes.
//
//     input    y[r] = source[index[r]], or source[first_row + r] where the batch has no index
//     output   sink[first_row + r] = x[r]
//     one_hot  y[r][t] = does (multi_hot: any, count: how often) x[r][..] equal t
// Shapes: a row of the source has `features` elements side by side; rows may be any distance apart, even backwards.
// one_hot: x (M,S) int32 -> y (M,T), or (M,S,T) where each of S codes gets its own vector. Codes outside 0 .. T - 1 set
// nothing. No gradients flow. Flops: none. Bytes: source and y once each.
#pragma once
#include "core/small_floats.h"
#include "core/tensor.h"

namespace hl {

struct GatherRows {
  const Source* source;  // filled before the plan runs
  Tensor dst;            // (M,features), i32 or the arithmetic's type
  int64_t features;
  bool labels;  // dst is i32. A number that int32 cannot hold becomes -1, which no op counts as a label.
};

struct ScatterRows {
  Tensor src;  // (M,features)
  Sink* sink;  // where data is null, nobody asked for this output
  int64_t features;
};

struct OneHot {
  Tensor x;        // (M, groups * codes) int32
  Tensor y;        // (M, groups * tokens)
  int64_t groups;  // vectors in a row
  int64_t codes;   // codes that share a vector
  int64_t tokens;
  bool count;  // else 0 or 1
};

}  // namespace hl
