// reduce: sum, mean, maximum or minimum over one feature axis, or one axis of what has no batch.
//
//     sum    y = sum_i x_i             dx_i = dy
//     mean   y = sum_i x_i / R         dx_i = dy / R
//     max    y = max_i x_i             dx_i = x_i = y ? dy / (number of such i) : 0       min alike
// Shapes: x, dx (M, outer, R, inner) and y, dy (M, outer, inner) as rows of a batch. Saved: x and y for max and min,
// nothing else. Flops: 1 an element. Bytes: x once forward; dx once backward, and x for max and min.
// Ties share the gradient equally, as in Keras on JAX.
#pragma once
#include "core/tensor.h"

namespace hl {

// HL_REDUCTION(name, Functor): the only list.
#define HL_REDUCTIONS(HL_REDUCTION) \
  HL_REDUCTION(sum, SumOf)          \
  HL_REDUCTION(mean, SumOf)         \
  HL_REDUCTION(max, MaxOf)          \
  HL_REDUCTION(min, MinOf)

enum class ReduceKind : int32_t {
#define HL_REDUCTION(name, Functor) name,
  HL_REDUCTIONS(HL_REDUCTION)
#undef HL_REDUCTION
};

struct ReduceForward {
  Tensor x;  // (M, outer * size * inner)
  Tensor y;  // (M, outer * inner)
  int64_t rows;  // 1 without a batch, else 0
  int64_t outer, size, inner;
  ReduceKind kind;
  double scale;  // mean: 1 / size, else 1
};

struct ReduceBackward {
  Tensor x, y;  // read by max and min only
  Tensor dy, dx;
  int64_t rows;
  int64_t outer, size, inner;
  ReduceKind kind;
  double scale;
};

// start() changes nothing when combined; NaN once seen stays; fold combines the lanes of a vector.
struct SumOf {
  static constexpr bool kPicks = false;  // y is one of the x_i
  template <class V> static HL_INLINE V start() { return V(0); }
  template <class V> static HL_INLINE V combine(V all, V x) { return all + x; }
  template <class V> static HL_INLINE auto fold(V all) { return sum(all); }
};

struct MaxOf {
  static constexpr bool kPicks = true;
  template <class V> static HL_INLINE V start() { return V(-__builtin_inff()); }
  template <class V> static HL_INLINE V combine(V all, V x) { return select((x > all) | (x != x), x, all); }
  template <class V> static HL_INLINE auto fold(V all) { return any(all != all) ? sum(all) : max_of(all); }
};

struct MinOf {
  static constexpr bool kPicks = true;
  template <class V> static HL_INLINE V start() { return V(__builtin_inff()); }
  template <class V> static HL_INLINE V combine(V all, V x) { return select((x < all) | (x != x), x, all); }
  template <class V> static HL_INLINE auto fold(V all) { return any(all != all) ? sum(all) : min_of(all); }
};

template <class Body>
HL_INLINE void with_reduction(ReduceKind kind, Body&& body) {
  switch (kind) {
#define HL_REDUCTION(name, Functor) \
  case ReduceKind::name: body(Functor{}); break;
    HL_REDUCTIONS(HL_REDUCTION)
#undef HL_REDUCTION
  }
}

}  // namespace hl
