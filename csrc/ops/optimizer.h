// optimizer: one pass over weights, gradients and slots; exactly Keras 3's rules. eta is the learning rate of the step,
// t = step + 1.
//
//     sgd       w -= eta g
//     momentum  m = beta m - eta g                w += m              (the velocity contains the rate)
//     nesterov  m = beta m - eta g                w += beta m - eta g
//     adam      m += (1 - beta_1)(g - m)          v += (1 - beta_2)(g^2 - v)
//               w -= alpha m / (sqrt(v) + epsilon),  alpha = eta sqrt(1 - beta_2^t) / (1 - beta_1^t)
//     rmsprop   v += (1 - rho)(g^2 - v)           u = eta g / sqrt(d + epsilon),  d = v
//               centered: a += (1 - rho)(g - a),  d = v - a^2
//               w -= u,  with momentum: m = beta m + u,  w -= m
// Shapes: w, g and every slot are panels of one variable (ops/gemm.h). The pads of the last panel stay zero, whatever
// the rule makes of zeros (epsilon = 0). Flops: 2 to 15 an element. Bytes: w and slots read and written, g read.
// Polyak, "Some methods of speeding up the convergence of iteration methods", 1964. Nesterov, "A method of solving a
// convex programming problem with convergence rate O(1/k^2)", 1983. Kingma and Ba, "Adam", ICLR 2015. Tieleman and
// Hinton, "RMSprop", Coursera lecture 6.5, 2012; centered: Graves, arXiv:1308.0850, 2013.
#pragma once
#include <string>
#include <vector>

#include "ops/gemm.h"

namespace hl {

// HL_OPTIMIZER(name, Functor, slots, what its description may hold): the only list. A rule whose slots depend on its
// options is several lines, as sgd and momentum are.
#define HL_OPTIMIZERS(HL_OPTIMIZER)                                                        \
  HL_OPTIMIZER(sgd, Sgd, 0, "kind")                                                        \
  HL_OPTIMIZER(momentum, Momentum, 1, "kind", "momentum")                                  \
  HL_OPTIMIZER(nesterov, Nesterov, 1, "kind", "momentum")                                  \
  HL_OPTIMIZER(adam, Adam, 2, "kind", "beta_1", "beta_2", "epsilon")                       \
  HL_OPTIMIZER(rmsprop, RmsProp, 1, "kind", "rho", "epsilon")                              \
  HL_OPTIMIZER(rmsprop_momentum, RmsPropMomentum, 2, "kind", "rho", "epsilon", "momentum") \
  HL_OPTIMIZER(rmsprop_centered, RmsPropCentered, 2, "kind", "rho", "epsilon")             \
  HL_OPTIMIZER(rmsprop_centered_momentum, RmsPropCenteredMomentum, 3, "kind", "rho", "epsilon", "momentum")

enum class OptimizerKind : int32_t {
#define HL_OPTIMIZER(name, Functor, slots, ...) name,
  HL_OPTIMIZERS(HL_OPTIMIZER)
#undef HL_OPTIMIZER
};

constexpr int kMaxSlots = 3;

struct Optimizer {
  OptimizerKind kind = OptimizerKind::sgd;
  double momentum = 0;
  double beta_1 = 0, beta_2 = 0, rho = 0, epsilon = 0;
};

class Attrs;
// From {"kind": "adam", "beta_1": 0.9, ..}: what is left out has Keras's default. Throws ValueError on an unknown kind,
// an unknown name or a value out of range.
Optimizer optimizer_from(const Attrs& spec);
int optimizer_slots(OptimizerKind kind);
std::vector<std::string> optimizer_names();

// One variable of the slab.
struct OptimizerRange {
  void* w;
  const void* g;
  void* slots[kMaxSlots];
  PanelShape shape;
};

struct OptimizerUpdate {
  const OptimizerRange* ranges;  // outlive the plan
  int64_t count;
  Optimizer optimizer;
};

// base^n by squaring: the same bits on every machine, which libm's pow does not promise.
constexpr HL_INLINE double integer_power(double base, int64_t n) {
  double power = 1;
  for (; n > 0; n /= 2, base *= base)
    if (n % 2) power *= base;
  return power;
}

// The functors, over a SIMD vector on the CPU. Made once per step and worker, in double: (rule, eta, t).
template <class V>
struct Sgd {
  V eta;
  HL_INLINE Sgd(const Optimizer&, double rate, int64_t) : eta(V(rate)) {}
  HL_INLINE void update(V& w, V g, V*) const { w = fnma(eta, g, w); }
};

template <class V>
struct Momentum {
  V eta, beta;
  HL_INLINE Momentum(const Optimizer& o, double rate, int64_t) : eta(V(rate)), beta(V(o.momentum)) {}
  HL_INLINE void update(V& w, V g, V* slots) const {
    V& m = slots[0];
    m = fnma(eta, g, beta * m);
    w += m;
  }
};

template <class V>
struct Nesterov {
  V eta, beta;
  HL_INLINE Nesterov(const Optimizer& o, double rate, int64_t) : eta(V(rate)), beta(V(o.momentum)) {}
  HL_INLINE void update(V& w, V g, V* slots) const {
    V& m = slots[0];
    m = fnma(eta, g, beta * m);
    w += fnma(eta, g, beta * m);
  }
};

template <class V>
struct Adam {
  V rate_1, rate_2, alpha, epsilon;  // rate_i = 1 - beta_i
  HL_INLINE Adam(const Optimizer& o, double rate, int64_t t)
      : rate_1(V(1 - o.beta_1)),
        rate_2(V(1 - o.beta_2)),
        alpha(V(rate * __builtin_sqrt(1 - integer_power(o.beta_2, t)) / (1 - integer_power(o.beta_1, t)))),
        epsilon(V(o.epsilon)) {}
  HL_INLINE void update(V& w, V g, V* slots) const {
    V &m = slots[0], &v = slots[1];
    m = fma(rate_1, g - m, m);
    v = fma(rate_2, g * g - v, v);
    w -= alpha * m / (sqrt(v) + epsilon);
  }
};

// Slots: velocity, then momentum, then average gradient, of those there are.
template <class V, bool kMomentum, bool kCentered>
struct RmsPropRule {
  V eta, rate, beta, epsilon;  // rate = 1 - rho
  HL_INLINE RmsPropRule(const Optimizer& o, double step_rate, int64_t)
      : eta(V(step_rate)), rate(V(1 - o.rho)), beta(V(o.momentum)), epsilon(V(o.epsilon)) {}
  HL_INLINE void update(V& w, V g, V* slots) const {
    V& v = slots[0];
    v = fma(rate, g * g - v, v);
    V d = v;
    if constexpr (kCentered) {
      V& a = slots[kMomentum ? 2 : 1];
      a = fma(rate, g - a, a);
      d = max(V(0), fnma(a, a, v));  // a variance, which rounding would make negative where gradients hardly change
    }
    V u = eta * g / sqrt(d + epsilon);
    if constexpr (kMomentum) u = slots[1] = fma(beta, slots[1], u);
    w -= u;
  }
};
template <class V> using RmsProp = RmsPropRule<V, false, false>;
template <class V> using RmsPropMomentum = RmsPropRule<V, true, false>;
template <class V> using RmsPropCentered = RmsPropRule<V, false, true>;
template <class V> using RmsPropCenteredMomentum = RmsPropRule<V, true, true>;

}  // namespace hl
