// metric: what is reported beside the loss, summed over an epoch; no gradient.
//
//     total += sum_i w_i v_i        count += sum_i w_i        (result: total / count)
//     binary_accuracy              v_i = mean over a sample of [(p > threshold) == y]
//     categorical_accuracy         v_i = [argmax p == argmax y], the first of equal ones; a NaN is never the largest
//     sparse_categorical_accuracy  v_i = [argmax p == y]
//     and every loss of ops/loss.h: its value for a sample, by its kernel
// Where a sample holds several distributions v_i is their mean.
// Shapes: p, y (M, groups * C), class numbers (M,groups) int32, w (M) or absent. Flops: 2 an element. Bytes: p, y once.
#pragma once
#include "core/tensor.h"

namespace hl {

// HL_METRIC and HL_SPARSE(kind, row functor in metric_cpu.h): the only list besides the losses. A sparse metric reads
// class numbers.
#define HL_METRICS(HL_METRIC, HL_SPARSE)               \
  HL_METRIC(binary_accuracy, BinaryAccuracy)           \
  HL_METRIC(categorical_accuracy, CategoricalAccuracy) \
  HL_SPARSE(sparse_categorical_accuracy, CategoricalAccuracy)

enum class MetricKind : int32_t {
#define HL_KIND(name, Functor) name,
  HL_METRICS(HL_KIND, HL_KIND)
#undef HL_KIND
};

struct MetricUpdate {
  Tensor pred;     // (M, groups * columns)
  Tensor target;   // like pred, or (M,groups) int32
  double* values;  // (M) v_i
  int64_t groups, columns;
  MetricKind kind;
  double threshold;
};

// One worker: total += sum of w v, count += sum of w, last = their ratio in this batch.
struct MetricReduce {
  const double* values;  // (M)
  Tensor weight;         // (M,1), or empty: all 1
  double* accumulator;
};

}  // namespace hl
