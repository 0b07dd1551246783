// circle: the circle loss of every row of a batch of embeddings beside reference embeddings, often the batch itself.
// Sun et al., "Circle loss: a unified perspective of pair similarity optimization", CVPR 2020.
//
//     s_ij = e_i r_j, d_ij = max(1 - s_ij, 0)
//     p_i = log sum_j exp(gamma max(m + d_ij, 0) (d_ij - m))          over the j of i's label, but for j = i if told
//     n_i = log sum_j exp(gamma max(1 + m - d_ij, 0) (1 - m - d_ij))  over the j of another label
//     y_i = log(1 + exp(p_i + n_i))                                   0, without a gradient, where one sum is empty
//     g_ij = dy_i dy_i/ds_ij     de_i = sum_j g_ij r_j     dr_j = sum_i g_ij e_i
// Shapes: e (M,D), labels (M), y (M); r (R,D), ref_labels (R), with a batch of their own rows (R = M) or without one.
// Saved: s, and +1, -1 or 0 for pairs of one label, of two, or that do not count (M,R); p and n (M,2). Every sum goes
// over j, or i, in order. Flops: 2 M R D, twice that backward. Bytes: s and its signs, once a pass.
#pragma once
#include "core/tensor.h"

namespace hl {

struct CirclePairs {
  Tensor e, labels, r, ref_labels;
  Tensor s, sign, sums;
  int64_t width;  // D
  int64_t refs;   // R; 0: the rows of the batch
  double gamma, margin;
  bool remove_diagonal;
};

struct CircleForward {
  CirclePairs pairs;
  Tensor y;
};

struct CircleBackward {
  CirclePairs pairs;
  Tensor dy, g, de;  // de may be missing
};

struct CircleBackwardRefs {
  CirclePairs pairs;
  Tensor g, dr;
};

// Of a pair at distance d: what stands in the exponent, and its slope. `same` pairs belong together, the others apart.
template <class V>
struct CircleTerm {
  V gamma, margin;

  // 1 for x > 0, half of it at 0, where max(x, 0) has two slopes.
  static HL_INLINE V step(V x) { return select(x > V(0), V(1), select(x == V(0), V(0.5), V(0))); }

  HL_INLINE V same(V d) const { return gamma * max(V(0), margin + d) * (d - margin); }
  HL_INLINE V same_slope(V d) const {
    return gamma * (step(margin + d) * (d - margin) + max(V(0), margin + d));
  }
  HL_INLINE V apart(V d) const { return gamma * max(V(0), V(1) + margin - d) * (V(1) - margin - d); }
  HL_INLINE V apart_slope(V d) const {
    return -gamma * (step(V(1) + margin - d) * (V(1) - margin - d) + max(V(0), V(1) + margin - d));
  }
};

}  // namespace hl
