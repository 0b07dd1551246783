// metric: what is reported beside the loss, summed over an epoch; no gradient.
//
//     total += sum_i w_i v_i        count += sum_i w_i        (result: total / count)
//     binary_accuracy              v_i = mean over a sample of [(p > threshold) == y]
//     categorical_accuracy         v_i = [argmax p == argmax y], the first of equal ones; a NaN is never the largest
//     sparse_categorical_accuracy  v_i = [argmax p == y]
//     top_k_categorical_accuracy, sparse_top_k_categorical_accuracy
//                                  v_i = [fewer than k elements of p are larger than the one at argmax y, or at y]
//     and every loss of ops/loss.h: its value for a sample, by its kernel
// Metrics that are no such quotient add up several numbers a sample, rows of accumulators of their own:
//     sums       total_j += sum_i w_i v_ij, for v (M,C) that the graph has made
//     histogram  hits_b += sum w_i y_ij, misses_b += sum w_i (1 - y_ij) over all i, j with p_ij = b, for whole numbers p;
//                what lies outside 0 .. bins - 1 is left out
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
  HL_METRIC(top_k_categorical_accuracy, TopKAccuracy)  \
  HL_SPARSE(sparse_categorical_accuracy, CategoricalAccuracy) \
  HL_SPARSE(sparse_top_k_categorical_accuracy, TopKAccuracy)

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
  int64_t k;
};

// One worker: total += sum of w v, count += sum of w, last = their ratio in this batch.
struct MetricReduce {
  const double* values;  // (M)
  Tensor weight;         // (M,1), or empty: all 1
  double* accumulator;
};

// Workers split the columns.
struct MetricSums {
  Tensor value;   // (M,C)
  Tensor weight;  // (M,1), or empty: all 1
  double* accumulator;  // C rows
  int64_t columns;
};

// One worker.
struct MetricHistogram {
  Tensor bin, hit;  // (M,C)
  Tensor weight;    // (M,1), or empty: all 1
  double* accumulator;  // bins rows of hits, then bins rows of misses
  int64_t columns, bins;
};

}  // namespace hl
