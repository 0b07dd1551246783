// loss: the value of every sample and, in the same pass over rows, its gradient into y_pred; then the mean of a batch.
//
//     l_i     mean over a sample's last axis of an element-wise formula, or one number a class distribution
//     batch   sum_i w_i l_i / rows  (reduction "sum": without the division)
//     dp_ij = weight * w_i / rows * dl_i / dp_ij
//   p predicted, y true, C classes, epsilon = 1e-7, smoothing s: y (1 - s) + s / 2 (binary) or + s / C (categorical)
//     mean_squared_error         (p - y)^2
//     mean_absolute_error        |p - y|, slope 0 where they are equal
//     binary_crossentropy        -(y log q + (1 - y) log(1 - q)),  q = clip(p, epsilon, 1 - epsilon)
//     categorical_crossentropy   -sum_j y_j log q_j,  q = clip(p / sum p, epsilon, 1 - epsilon)
//     sparse_...                 the same with a class number for y; a number outside 0 .. C - 1 counts as loss 0
//     linear                     sum_j y_j p_j  (hands any gradient to whatever made p)
//     value                      p itself, which a custom loss has made; y is not looked at
// The slope is zero where q was clipped and flows through the division by sum p, as Keras on JAX has it. From logits z,
// p = sigmoid(z) or softmax(z), nothing is clipped and log p is never formed from p.
// Shapes: p, y, dp (M, groups * C); class numbers (M, groups) int32; w (M) or absent. Saved: nothing.
// Flops: up to about 40 an element (one exp, one or two log). Bytes: p and y read, dp written.
#pragma once
#include "core/tensor.h"

namespace hl {

// HL_ELEMENT(kind, Functor below), HL_CLASS and HL_SPARSE(kind, row functor in loss_cpu.h): the only list. A sparse
// loss reads class numbers.
#define HL_LOSSES(HL_ELEMENT, HL_CLASS, HL_SPARSE)                                  \
  HL_ELEMENT(mean_squared_error, MeanSquaredError)                                  \
  HL_ELEMENT(mean_absolute_error, MeanAbsoluteError)                                \
  HL_ELEMENT(linear, Linear)                                                        \
  HL_ELEMENT(value, GivenValue)                                                     \
  HL_ELEMENT(binary_crossentropy, BinaryCrossentropy)                               \
  HL_ELEMENT(binary_crossentropy_from_logits, BinaryCrossentropyFromLogits)         \
  HL_CLASS(categorical_crossentropy, CategoricalCrossentropy)                       \
  HL_CLASS(categorical_crossentropy_from_logits, CategoricalCrossentropyFromLogits) \
  HL_SPARSE(sparse_categorical_crossentropy, SparseCrossentropy)                    \
  HL_SPARSE(sparse_categorical_crossentropy_from_logits, SparseCrossentropyFromLogits)

enum class LossKind : int32_t {
#define HL_KIND(name, Functor) name,
  HL_LOSSES(HL_KIND, HL_KIND, HL_KIND)
#undef HL_KIND
};

struct LossForward {
  Tensor pred;      // (M, groups * columns)
  Tensor target;    // like pred, or (M,groups) int32
  Tensor weight;    // (M,1), or empty: all 1
  Tensor gradient;  // like pred, or empty: values alone
  double* values;   // (M) w_i l_i
  int64_t groups;   // distributions in a sample
  int64_t columns;  // elements of one
  LossKind kind;
  bool mean;            // gradient divides by the rows of the batch
  double target_scale;  // y' = y * target_scale + target_shift: label smoothing
  double target_shift;
  double value_scale;  // from a sample's sum to l_i
  double loss_weight;
};

// One worker: total += sum of values, count += rows, last value, first step where it was not finite.
struct LossReduce {
  const double* values;
  double* accumulator;
  bool mean;
};

constexpr double kLossEpsilon = 1e-7;

template <class V>
struct ValueSlope {
  V value, slope;
};

// clip(p, epsilon, 1 - epsilon), and where p lies outside; NaN stays NaN and counts as inside.
template <class V>
HL_INLINE V clip_probability(V p) {
  return min(V(1 - kLossEpsilon), max(V(kLossEpsilon), p));
}
template <class V>
HL_INLINE V zero_if_clipped(V p, V slope) {
  return select((p < V(kLossEpsilon)) | (p > V(1 - kLossEpsilon)), V(0), slope);
}

// The element-wise functors. V is a SIMD vector on the CPU, a scalar on a GPU. kMean: l_i is a mean, not a sum.
struct MeanSquaredError {
  static constexpr bool kMean = true;
  template <class V>
  static HL_INLINE ValueSlope<V> of(V p, V y) {
    const V d = p - y;
    return {d * d, d + d};
  }
};
struct MeanAbsoluteError {
  static constexpr bool kMean = true;
  template <class V>
  static HL_INLINE ValueSlope<V> of(V p, V y) {
    const V d = p - y;
    return {abs(d), select(d > V(0), V(1), select(d < V(0), V(-1), d))};  // keeps NaN
  }
};
struct Linear {
  static constexpr bool kMean = false;
  template <class V>
  static HL_INLINE ValueSlope<V> of(V p, V y) {
    return {p * y, y};
  }
};
struct GivenValue {
  static constexpr bool kMean = true;
  template <class V>
  static HL_INLINE ValueSlope<V> of(V p, V) {
    return {p, V(1)};
  }
};
struct BinaryCrossentropy {
  static constexpr bool kMean = true;
  template <class V>
  static HL_INLINE ValueSlope<V> of(V p, V y) {
    const V q = clip_probability(p), rest = V(1) - q;
    return {-(y * log(q) + (V(1) - y) * log(rest)), zero_if_clipped(p, (q - y) / (q * rest))};
  }
};
// -y log sigmoid(z) - (1 - y) log sigmoid(-z), each term without cancellation.
struct BinaryCrossentropyFromLogits {
  static constexpr bool kMean = true;
  template <class V>
  static HL_INLINE ValueSlope<V> of(V z, V y) {
    const V e = exp(-abs(z)), near = V(1) / (V(1) + e), far = e * near;  // sigmoid of |z| and of -|z|
    const V positive = select(z < V(0), far, near), negative = select(z < V(0), near, far);
    const V value = log1p(e) + y * max(-z, V(0)) + (V(1) - y) * max(z, V(0));
    return {value, (V(1) - y) * positive - y * negative};
  }
};

}  // namespace hl
