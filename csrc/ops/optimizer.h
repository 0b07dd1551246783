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
//     amsgrad   adam, with the largest v so far in the root
//     adamax    m as adam    u = max(beta_2 u, |g|)      w -= eta m / ((1 - beta_1^t)(u + epsilon))
//     nadam     m, v as adam    mu_t = beta_1 (1 - 0.96^t / 2)    P = mu_1 .. mu_t
//               w -= eta (mu_{t+1} m / (1 - P mu_{t+1}) + (1 - mu_t) g / (1 - P)) / (sqrt(v / (1 - beta_2^t)) + epsilon)
//     adagrad   a += g^2      w -= eta g / sqrt(a + epsilon)
//     adadelta  a = rho a + (1 - rho) g^2    u = g sqrt((d + epsilon) / (a + epsilon))
//               d = rho d + (1 - rho) u^2    w -= eta u
//     lion      w -= eta sign(beta_1 m + (1 - beta_1) g)      m = beta_2 m + (1 - beta_2) g
//     schedule_free_adamw   z starts as w    x = (w - (1 - beta_1) z) / beta_1    v as adam    eta grows for warmup_steps
//               z -= eta g / (sqrt(v / (1 - beta_2^t)) + epsilon)    x += (z - x) / t    w = (1 - beta_1) z + beta_1 x
//     ftrl      a' = a + g^2    z += g + 2 shrinkage w - (a'^-p - a^-p) w / eta
//               w = (clip(z, -l1, l1) - z) / (a'^-p / eta + 2 (l2 + beta / (2 eta))),  p the learning rate's power
//     lamb      u = (m / (1 - beta_1^t)) / (sqrt(v / (1 - beta_2^t)) + epsilon),  m, v as adam
//               w -= eta r u,  r = |w| / |u|, or 1 where one of them is 0; norms over one variable
//     muon      m = beta m + g    u = m, or g + beta m (muon_nesterov)    X = u / (|u| + 1e-7), across if it is higher than wide
//               steps times: A = X X^T,  X = a X + (b A + c A^2) X          w -= eta s X,  s = rms sqrt(max(K, N))
//               adam for what is no matrix, at the rate adam_rate eta and with a weight decay of its own
// Weight decay is decoupled from all of them: first w -= eta weight_decay w. A variable may have a factor of eta.
// A variable may keep its zeros (pruning): what is exactly 0 before an update is 0 after it, in averages too, its slots stay
// as they are, and its gradient and direction count as 0 in norms.
// Before the rule gradients become means of the last `accumulation` batches (t counts updates, not batches), then
//     clip_value        g = min(max(g, -c), c)
//     clip_norm         g = g c / max(|g|, c),  |g| over one variable
//     global_clip_norm  the same over all variables; NaN if |g| is not finite
// and after it  average = beta average + (1 - beta) w,  beta = 0 at the first update.
// Norms are sums of squares in blocks of rows of the panels, pads left out, then of the blocks in a fixed order.
// The node given_gradient says that g of its variable lies in the slab: the update follows as after a backward pass.
// Shapes: w, g and every slot are panels of one variable (ops/gemm.h). The pads of the last panel stay zero, whatever
// the rule makes of zeros (epsilon = 0). Flops: 2 to 15 an element. Bytes: w and slots read and written, g read.
// Polyak, "Some methods of speeding up the convergence of iteration methods", 1964. Nesterov, "A method of solving a
// convex programming problem with convergence rate O(1/k^2)", 1983. Kingma and Ba, "Adam", ICLR 2015. Tieleman and
// Hinton, "RMSprop", Coursera lecture 6.5, 2012; centered: Graves, arXiv:1308.0850, 2013. Reddi, Kale and Kumar, "On the
// convergence of Adam and beyond", ICLR 2018. Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016.
// Duchi, Hazan and Singer, "Adaptive subgradient methods", JMLR 12, 2011. Zeiler, "ADADELTA", arXiv:1212.5701, 2012. Chen
// et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023. McMahan et al., "Ad click prediction: a view
// from the trenches", KDD 2013. You et al., "Large batch optimization for deep learning", ICLR 2020. Jordan et al., "Muon: an
// optimizer for hidden layers in neural networks", 2024; its rate: Liu et al., arXiv:2502.16982, 2025. Defazio
// et al., "The road less scheduled", NeurIPS 2024. Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.
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
  HL_OPTIMIZER(rmsprop_centered_momentum, RmsPropCenteredMomentum, 3, "kind", "rho", "epsilon", "momentum") \
  HL_OPTIMIZER(amsgrad, Amsgrad, 3, "kind", "beta_1", "beta_2", "epsilon")                 \
  HL_OPTIMIZER(adamax, Adamax, 2, "kind", "beta_1", "beta_2", "epsilon")                   \
  HL_OPTIMIZER(nadam, Nadam, 2, "kind", "beta_1", "beta_2", "epsilon")                     \
  HL_OPTIMIZER(adagrad, Adagrad, 1, "kind", "initial_accumulator_value", "epsilon")        \
  HL_OPTIMIZER(adadelta, Adadelta, 2, "kind", "rho", "epsilon")                            \
  HL_OPTIMIZER(lion, Lion, 1, "kind", "beta_1", "beta_2")                                  \
  HL_OPTIMIZER(schedule_free_adamw, ScheduleFreeAdamW, 2, "kind", "beta_1", "beta_2", "epsilon", "warmup_steps") \
  HL_OPTIMIZER(ftrl, Ftrl, 2, "kind", "learning_rate_power", "initial_accumulator_value", "l1", "l2", \
               "l2_shrinkage", "beta")                                                              \
  HL_OPTIMIZER(lamb, Lamb, 2, "kind", "beta_1", "beta_2", "epsilon")                        \
  HL_OPTIMIZER(muon, Muon, 2, "kind", "momentum", "beta_1", "beta_2", "epsilon", "muon_a", "muon_b", "muon_c", \
               "ns_steps", "rms_rate", "adam_lr_ratio", "adam_weight_decay")                        \
  HL_OPTIMIZER(muon_nesterov, MuonNesterov, 2, "kind", "momentum", "beta_1", "beta_2", "epsilon", "muon_a", "muon_b", \
               "muon_c", "ns_steps", "rms_rate", "adam_lr_ratio", "adam_weight_decay")

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
  double weight_decay = 0;
  double initial_accumulator_value = 0;  // what the first slot of adagrad and ftrl starts with
  double learning_rate_power = 0, l1 = 0, l2 = 0, l2_shrinkage = 0, beta = 0;
  double muon_a = 0, muon_b = 0, muon_c = 0, rms_rate = 0;  // rms_rate 0: s = 1
  int64_t ns_steps = 0;
  double adam_lr_ratio = 1, adam_weight_decay = 0;            // of what muon leaves to adam
  double warmup_steps = 0;                                   // of schedule_free_adamw
  double rate_factor = 1;                                    // of the learning rate, for the variables at hand
  double clip_value = 0, clip_norm = 0, global_clip_norm = 0;  // one at most; 0: none
  int64_t accumulation = 1;                                  // batches of one update
  bool averages = false;                                     // weights are averaged
  double average_momentum = 0;
  int64_t overwrite_every = 0;  // updates after which averages become the weights; 0: never

  HL_INLINE bool changes_gradients() const {
    return accumulation > 1 || clip_value > 0 || clip_norm > 0 || global_clip_norm > 0;
  }
  bool orthogonalizes() const { return kind == OptimizerKind::muon || kind == OptimizerKind::muon_nesterov; }
  // The rule gives a direction, and weights follow it in steps of their own.
  bool directs() const { return orthogonalizes() || kind == OptimizerKind::lamb; }
  Optimizer for_others() const {  // by muon
    Optimizer adam = *this;
    adam.kind = OptimizerKind::adam;
    adam.rate_factor = adam_lr_ratio;
    adam.weight_decay = adam_weight_decay / adam_lr_ratio;
    return adam;
  }
};

class Attrs;
// From {"kind": "adam", "beta_1": 0.9, ..}: what is left out has Keras's default. Throws ValueError on an unknown kind,
// an unknown name or a value out of range.
Optimizer optimizer_from(const Attrs& spec);
// Slots of the rule; then the averages and the sums of gradients, of those there are.
int rule_slots(OptimizerKind kind);
inline int average_slot(const Optimizer& optimizer) { return rule_slots(optimizer.kind); }
inline int gradient_slot(const Optimizer& optimizer) { return average_slot(optimizer) + (optimizer.averages ? 1 : 0); }
inline int optimizer_slots(const Optimizer& optimizer) {
  return gradient_slot(optimizer) + (optimizer.accumulation > 1 ? 1 : 0);
}
double optimizer_slot_start(const Optimizer& optimizer, int slot);
std::vector<std::string> optimizer_names();

// One variable of the slab.
struct OptimizerRange {
  void* w;
  void* g;
  void* u;  // where a rule that directs leaves its direction
  void* slots[kMaxSlots];
  PanelShape shape;
  bool decays;    // by the optimizer's weight decay
  bool keeps_zeros;
  double length;  // of a step along u, beside eta
};

struct OptimizerUpdate {
  const OptimizerRange* ranges;  // outlive the plan
  int64_t count;
  Optimizer optimizer;
  const double* factors;  // of each range's gradient, or null: `scale`
  double scale;
};

// sum = g at the first batch of an update, sum += g at the others.
struct GradientSum {
  const void* g;
  void* sum;
  PanelShape shape;
  int64_t batches;
};

constexpr int64_t kNormRows = 256;  // rows of the panels in one block of a sum of squares

struct GradientSquares {
  const OptimizerRange* ranges;
  int64_t count;
  double* blocks;  // those of the first range, then those of the second, ..
  void* OptimizerRange::*of = &OptimizerRange::g;
};

struct ClipFactors {
  const OptimizerRange* ranges;
  int64_t count;
  const double* blocks;
  double* factors;  // one a range
  double scale;     // of the gradients before they are clipped
  double limit;
  bool global;
};

// Worker 0: |w| / |u|, or where weights is null 1 / (|u| + 1e-7).
struct DirectionFactors {
  const OptimizerRange* ranges;
  int64_t count;
  const double *weights, *directions;  // blocks of squares
  double* factors;                     // one a range
};

// w -= eta length factor u.
struct DirectionUpdate {
  const OptimizerRange* ranges;
  int64_t count;
  const double* factors;  // or null: 1
};

// Small matrices on the way: rows are (K,N), panels of (K,N).
struct MatrixRows {  // rows = factor panels
  const void* panels;
  Tensor rows;
  PanelShape shape;
  const double* factor;
};

struct MatrixMix {  // alpha x + beta z, as rows and as panels
  Tensor x, z;      // z may be empty
  Tensor rows;      // or empty
  void* panels;     // or null; pads are written as zeros
  PanelShape shape;
  double alpha, beta;
};

struct MatrixProduct {  // y (M,N) = x (M,K) w, w panels of (K,N)
  Tensor x, y;
  const void* w;
  int64_t M, K, N;
};

struct WeightAverage {
  void* w;
  void* average;
  PanelShape shape;
  bool keeps_zeros;
  double momentum;
  int64_t batches;          // of one update
  int64_t overwrite_every;  // updates, or 0
};

HL_INLINE int64_t norm_blocks(const PanelShape& shape, int64_t NR) {
  return (shape.panels(NR) * shape.K + kNormRows - 1) / kNormRows;
}

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

template <class V>
struct Amsgrad : Adam<V> {
  using Adam<V>::Adam;
  HL_INLINE void update(V& w, V g, V* slots) const {
    V &m = slots[0], &v = slots[1], &most = slots[2];
    m = fma(this->rate_1, g - m, m);
    v = fma(this->rate_2, g * g - v, v);
    most = max(most, v);
    w -= this->alpha * m / (sqrt(most) + this->epsilon);
  }
};

template <class V>
struct Adamax {
  V rate_1, beta_2, alpha, epsilon;
  HL_INLINE Adamax(const Optimizer& o, double rate, int64_t t)
      : rate_1(V(1 - o.beta_1)),
        beta_2(V(o.beta_2)),
        alpha(V(rate / (1 - integer_power(o.beta_1, t)))),
        epsilon(V(o.epsilon)) {}
  HL_INLINE void update(V& w, V g, V* slots) const {
    V &m = slots[0], &u = slots[1];
    m = fma(rate_1, g - m, m);
    u = max(beta_2 * u, abs(g));
    w -= alpha * m / (u + epsilon);
  }
};

// NaN in z says that it has not begun.
template <class V>
struct ScheduleFreeAdamW {
  V beta_1, rest_1, over_1, rate_2, eta, correct, epsilon, share;
  HL_INLINE ScheduleFreeAdamW(const Optimizer& o, double rate, int64_t t)
      : beta_1(V(o.beta_1)),
        rest_1(V(1 - o.beta_1)),
        over_1(V(1 / o.beta_1)),
        rate_2(V(1 - o.beta_2)),
        eta(V(t < o.warmup_steps ? rate * double(t) / o.warmup_steps : rate)),
        correct(V(1 / (1 - integer_power(o.beta_2, t)))),
        epsilon(V(o.epsilon)),
        share(V(1 / double(t))) {}
  HL_INLINE void update(V& w, V g, V* slots) const {
    V &z = slots[0], &v = slots[1];
    z = select(z == z, z, w);
    V x = fnma(rest_1, z, w) * over_1;
    v = fma(rate_2, fma(g, g, -v), v);
    z -= eta * g / (sqrt(v * correct) + epsilon);
    x = fma(share, z - x, x);
    w = fma(rest_1, z, beta_1 * x);
  }
};

constexpr HL_INLINE double nadam_momentum(double beta_1, int64_t t) {
  return beta_1 * (1 - 0.5 * integer_power(0.96, t));
}
// mu_1 .. mu_t. From step 1000 on 0.96^t is nothing beside 1; a product below 1e-20 is nothing beside 1 either.
constexpr HL_INLINE double nadam_product(double beta_1, int64_t t) {
  constexpr int64_t kLast = 1000;
  double product = 1, power = 1;
  for (int64_t i = 1; i <= t && i <= kLast && product > 1e-20; ++i) {
    power *= 0.96;
    product *= beta_1 * (1 - 0.5 * power);
  }
  return t > kLast ? product * integer_power(beta_1, t - kLast) : product;
}

template <class V>
struct Nadam {
  V rate_1, rate_2, of_m, of_g, of_v, epsilon;
  HL_INLINE Nadam(const Optimizer& o, double rate, int64_t t)
      : rate_1(V(1 - o.beta_1)),
        rate_2(V(1 - o.beta_2)),
        of_v(V(1 / (1 - integer_power(o.beta_2, t)))),
        epsilon(V(o.epsilon)) {
    const double next = nadam_momentum(o.beta_1, t + 1), product = nadam_product(o.beta_1, t);
    of_m = V(rate * next / (1 - product * next));
    of_g = V(rate * (1 - nadam_momentum(o.beta_1, t)) / (1 - product));
  }
  HL_INLINE void update(V& w, V g, V* slots) const {
    V &m = slots[0], &v = slots[1];
    m = fma(rate_1, g - m, m);
    v = fma(rate_2, g * g - v, v);
    w -= fma(of_m, m, of_g * g) / (sqrt(v * of_v) + epsilon);
  }
};

template <class V>
struct Adagrad {
  V eta, epsilon;
  HL_INLINE Adagrad(const Optimizer& o, double rate, int64_t) : eta(V(rate)), epsilon(V(o.epsilon)) {}
  HL_INLINE void update(V& w, V g, V* slots) const {
    V& a = slots[0];
    a = fma(g, g, a);
    w -= eta * g / sqrt(a + epsilon);
  }
};

template <class V>
struct Adadelta {
  V eta, rate, epsilon;  // rate = 1 - rho
  HL_INLINE Adadelta(const Optimizer& o, double step_rate, int64_t)
      : eta(V(step_rate)), rate(V(1 - o.rho)), epsilon(V(o.epsilon)) {}
  HL_INLINE void update(V& w, V g, V* slots) const {
    V &a = slots[0], &d = slots[1];
    a = fma(rate, g * g - a, a);
    const V u = sqrt((d + epsilon) / (a + epsilon)) * g;
    d = fma(rate, u * u - d, d);
    w = fnma(eta, u, w);
  }
};

template <class V>
struct Lion {
  V eta, beta_1, rest_1, rate_2;
  HL_INLINE Lion(const Optimizer& o, double rate, int64_t)
      : eta(V(rate)), beta_1(V(o.beta_1)), rest_1(V(1 - o.beta_1)), rate_2(V(1 - o.beta_2)) {}
  HL_INLINE void update(V& w, V g, V* slots) const {
    V& m = slots[0];
    const V c = fma(beta_1, m, rest_1 * g);
    w = fnma(eta, select(V(0) < abs(c), copysign(V(1), c), c), w);  // sign; NaN stays NaN
    m = fma(rate_2, g - m, m);
  }
};

template <class V>
struct Ftrl {
  V inverse, exponent, shrink, l1, twice_l2;
  bool root, still;
  HL_INLINE Ftrl(const Optimizer& o, double rate, int64_t)
      : inverse(V(1 / rate)),
        exponent(V(-o.learning_rate_power)),
        shrink(V(2 * o.l2_shrinkage)),
        l1(V(o.l1)),
        twice_l2(V(2 * o.l2 + o.beta / rate)),
        root(o.learning_rate_power == -0.5),
        still(rate == 0) {}
  HL_INLINE V raised(V a) const { return root ? sqrt(a) : power(a, exponent); }
  HL_INLINE void update(V& w, V g, V* slots) const {
    if (still) return;  // without a rate the formula has no value
    V &a = slots[0], &z = slots[1];
    const V before = raised(a);
    a = fma(g, g, a);
    const V now = raised(a);
    z += fma(shrink, w, g) - (now - before) * inverse * w;
    w = (min(max(z, V(0) - l1), l1) - z) / fma(now, inverse, twice_l2);
  }
};

// Rules that direct leave u in the place of g.
template <class V>
struct Lamb {
  static constexpr bool kDirects = true;
  V rate_1, rate_2, of_m, of_v, epsilon;
  HL_INLINE Lamb(const Optimizer& o, double, int64_t t)
      : rate_1(V(1 - o.beta_1)),
        rate_2(V(1 - o.beta_2)),
        of_m(V(1 / (1 - integer_power(o.beta_1, t)))),
        of_v(V(1 / (1 - integer_power(o.beta_2, t)))),
        epsilon(V(o.epsilon)) {}
  HL_INLINE void update(V&, V& g, V* slots) const {
    V &m = slots[0], &v = slots[1];
    m = fma(rate_1, g - m, m);
    v = fma(rate_2, g * g - v, v);
    g = m * of_m / (sqrt(v * of_v) + epsilon);
  }
};

template <class V, bool kNesterov>
struct MuonRule {
  static constexpr bool kDirects = true;
  V beta;
  HL_INLINE MuonRule(const Optimizer& o, double, int64_t) : beta(V(o.momentum)) {}
  HL_INLINE void update(V&, V& g, V* slots) const {
    V& m = slots[0];
    m = fma(beta, m, g);
    g = kNesterov ? fma(beta, m, g) : m;
  }
};
template <class V> using Muon = MuonRule<V, false>;
template <class V> using MuonNesterov = MuonRule<V, true>;

}  // namespace hl
