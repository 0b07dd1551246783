// constraint: a variable is put back to where it may be, after every update.
//
//     n = sqrt(sum w^2) over an axis, epsilon = 1e-7
//     max_norm       w clip(n, 0, max_value) / (epsilon + n)
//     unit_norm      w / (epsilon + n)
//     min_max_norm   w (rate clip(n, min_value, max_value) + (1 - rate) n) / (epsilon + n)
//     non_neg        max(w, 0)
// Shapes: w (K,N) in panels (ops/gemm.h), its pads stay zero; n (N) over axis 0, each unit's incoming weights; (K) over
// axis 1; one number over both, and for a variable of any other rank. Every norm is one worker's, added in one order.
// Flops: 4 an element. Bytes: w read twice, written once. No gradient.
// In a plan that does not train, the op changes its variable where it stands.
// Srebro and Shraibman, "Rank, trace-norm and max-norm", COLT 2005; Srivastava et al., "Dropout", JMLR 15, 2014.
#pragma once
#include "ops/gemm.h"

namespace hl {

// HL_CONSTRAINT(name, Functor, its attributes): the only list.
#define HL_CONSTRAINTS(HL_CONSTRAINT)                                                       \
  HL_CONSTRAINT(max_norm, MaxNorm, "kind", "axis", "max_value")                             \
  HL_CONSTRAINT(unit_norm, UnitNorm, "kind", "axis")                                        \
  HL_CONSTRAINT(min_max_norm, MinMaxNorm, "kind", "axis", "min_value", "max_value", "rate") \
  HL_CONSTRAINT(non_neg, NonNeg, "kind")

enum class ConstraintKind : int32_t {
#define HL_CONSTRAINT(name, Functor, ...) name,
  HL_CONSTRAINTS(HL_CONSTRAINT)
#undef HL_CONSTRAINT
};

enum class NormOver : int32_t { k, n, all };

struct Constrain {
  void* w;  // panels of (K,N)
  PanelShape shape;
  ConstraintKind kind;
  NormOver over;
  double min_value, max_value, rate;
};

constexpr double kNormEpsilon = 1e-7;

// The functors. kNorm: w is multiplied by factor(n); else it becomes of(w).
template <class V>
struct MaxNorm {
  static constexpr bool kNorm = true;
  V most;
  HL_INLINE MaxNorm(const Constrain& a) : most(V(a.max_value)) {}
  HL_INLINE V factor(V n) const { return min(most, n) / (V(kNormEpsilon) + n); }
};
template <class V>
struct UnitNorm {
  static constexpr bool kNorm = true;
  HL_INLINE UnitNorm(const Constrain&) {}
  HL_INLINE V factor(V n) const { return V(1) / (V(kNormEpsilon) + n); }
};
template <class V>
struct MinMaxNorm {
  static constexpr bool kNorm = true;
  V least, most, rate, rest;
  HL_INLINE MinMaxNorm(const Constrain& a)
      : least(V(a.min_value)), most(V(a.max_value)), rate(V(a.rate)), rest(V(1 - a.rate)) {}
  HL_INLINE V factor(V n) const { return fma(rate, min(most, max(least, n)), rest * n) / (V(kNormEpsilon) + n); }
};
template <class V>
struct NonNeg {
  static constexpr bool kNorm = false;
  HL_INLINE NonNeg(const Constrain&) {}
  static HL_INLINE V of(V w) { return max(V(0), w); }  // NaN stays NaN
};

}  // namespace hl
