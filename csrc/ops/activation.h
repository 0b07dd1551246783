// activation: element-wise functions and their derivatives, each written once, and the row-wise softmax.
//
//     y = f(x)         dx = dy f'(x), the derivative expressed through the output y where that is possible
// Shapes: x, y, dy, dx (M,F). Saved: y or x. Bytes: 2 M F elements forward, 3 M F backward; flops: 1 to 60 an element.
// Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017 (selu). Clevert et al., "Fast and accurate deep
// network learning by exponential linear units", ICLR 2016 (elu). Maas et al., ICML 2013 workshop (leaky_relu). Barron,
// "Continuously differentiable exponential linear units", 2017 (celu), and "Squareplus", 2021. Hendrycks and Gimpel,
// "Gaussian error linear units", 2016 (gelu, silu). Misra, "Mish", BMVC 2020. Martins and Astudillo, ICML 2016
// (sparsemax). Dauphin et al., ICML 2017 (glu); Shazeer, "GLU variants improve transformer", 2020.
#pragma once
#include "core/tensor.h"

namespace hl {

// The only lists: HL_ACTIVATION(name, Functor, number of parameters), at most alpha, beta and gamma. The derivatives of the
// first list are functions of the output, so a node that keeps y alone can compute them along with its value; those
// of the second need x.
#define HL_ACTIVATIONS_OF_OUTPUT(HL_ACTIVATION)    \
  HL_ACTIVATION(identity, Identity, 0)             \
  HL_ACTIVATION(relu, Relu, 0)                     \
  HL_ACTIVATION(relu6, Relu6, 0)                   \
  HL_ACTIVATION(leaky_relu, LeakyRelu, 1)          \
  HL_ACTIVATION(elu, Elu, 1)                       \
  HL_ACTIVATION(selu, Selu, 0)                     \
  HL_ACTIVATION(celu, Celu, 1)                     \
  HL_ACTIVATION(sigmoid, Sigmoid, 0)               \
  HL_ACTIVATION(log_sigmoid, LogSigmoid, 0)        \
  HL_ACTIVATION(hard_sigmoid, HardSigmoid, 0)      \
  HL_ACTIVATION(sparse_sigmoid, SparseSigmoid, 0)  \
  HL_ACTIVATION(tanh, Tanh, 0)                     \
  HL_ACTIVATION(hard_tanh, HardTanh, 0)            \
  HL_ACTIVATION(softplus, Softplus, 0)             \
  HL_ACTIVATION(sparse_plus, SparsePlus, 0)        \
  HL_ACTIVATION(squareplus, Squareplus, 1)         \
  HL_ACTIVATION(softsign, Softsign, 0)             \
  HL_ACTIVATION(exponential, Exponential, 0)       \
  HL_ACTIVATION(soft_shrink, SoftShrink, 1)        \
  HL_ACTIVATION(hard_shrink, HardShrink, 1)
#define HL_ACTIVATIONS_OF_INPUT(HL_ACTIVATION)     \
  HL_ACTIVATION(gelu, Gelu, 0)                     \
  HL_ACTIVATION(gelu_tanh, GeluTanh, 0)            \
  HL_ACTIVATION(silu, Silu, 0)                     \
  HL_ACTIVATION(hard_silu, HardSilu, 0)            \
  HL_ACTIVATION(mish, Mish, 0)                     \
  HL_ACTIVATION(tanh_shrink, TanhShrink, 0)        \
  HL_ACTIVATION(threshold, Threshold, 2)           \
  HL_ACTIVATION(rectify, Rectify, 3)

enum class ActivationKind : int32_t {
#define HL_ACTIVATION(name, Functor, parameters) name,
  HL_ACTIVATIONS_OF_OUTPUT(HL_ACTIVATION)
  HL_ACTIVATIONS_OF_INPUT(HL_ACTIVATION)
#undef HL_ACTIVATION
};

struct Activation {
  ActivationKind kind = ActivationKind::identity;
  double alpha = 0;  // see the functors; in the first list at least 0, else y would not tell the derivative
  double beta = 0, gamma = 0;
};

std::vector<std::string> activation_names();
ActivationKind activation_from(const std::string& name);  // throws ValueError with a suggestion
HL_INLINE bool derives_from_output(ActivationKind kind) { return kind < ActivationKind::gelu; }

struct ActivationForward {
  Tensor x, y;  // (M,F); y may be x
  int64_t features;
  Activation activation;
};

struct ActivationBackward {
  Tensor saved;   // (M,F): y, or x where the derivative is a function of x
  Tensor dy, dx;  // (M,F); dx may be dy
  int64_t features;
  Activation activation;
};

// y_i = exp(x_i - max x) / sum_j exp(x_j - max x), over groups of `columns` in a row of groups * columns.
// dx = y (dy - sum_j dy_j y_j). log_softmax is its logarithm, dx = dy - exp(y) sum_j dy_j. sparsemax is the nearest point
// of the simplex, max(x - tau, 0), dx = dy - mean of dy where y > 0, else 0.
struct SoftmaxForward {
  Tensor x, y;  // (M, groups * columns); y may be x
  int64_t groups, columns;
};
struct SoftmaxBackward {
  Tensor y, dy, dx;  // dx may be dy
  int64_t groups, columns;
};

// y = a g(b), a and b the halves (groups, 2 * columns) of x on its last axis; da = dy g(b), db = dy a g'(b).
struct GluForward {
  Tensor x, y;  // (M, groups * 2 * columns), (M, groups * columns)
  int64_t groups, columns;
  Activation gate;
};
struct GluBackward {
  Tensor x, dy, dx;
  int64_t groups, columns;
  Activation gate;
};

// The functors. V is a SIMD vector on the CPU, a scalar on a GPU. No value-dependent `if`, only `select`; the
// comparisons stand so that NaN comes out as NaN.
template <class V>
HL_INLINE V unit_clip(V x) {
  return max(V(0), min(V(1), x));
}

struct Identity {
  template <class V> static HL_INLINE V forward(V x, V) { return x; }
  template <class V> static HL_INLINE V derivative(V, V) { return V(1); }
};

struct Relu {
  template <class V> static HL_INLINE V forward(V x, V) { return select(x < V(0), V(0), x); }
  template <class V> static HL_INLINE V derivative(V y, V) { return select(y > V(0), V(1), V(0)); }
};

struct Relu6 {
  template <class V> static HL_INLINE V forward(V x, V) { return max(V(0), min(V(6), x)); }
  template <class V> static HL_INLINE V derivative(V y, V) { return select((y > V(0)) & (y < V(6)), V(1), V(0)); }
};

struct LeakyRelu {  // slope 1 at 0, as in Keras; y = -0 where a negative x times alpha is 0
  template <class V> static HL_INLINE V forward(V x, V alpha) { return select(x < V(0), alpha * x, x); }
  template <class V> static HL_INLINE V derivative(V y, V alpha) {
    return select(copysign(V(1), y) < V(0), alpha, V(1));
  }
};

struct Elu {
  template <class V> static HL_INLINE V forward(V x, V alpha) { return select(x > V(0), x, alpha * expm1(x)); }
  template <class V> static HL_INLINE V derivative(V y, V alpha) { return select(y > V(0), V(1), y + alpha); }
};

struct Selu {
  static constexpr double kScale = 1.0507009873554804934;
  static constexpr double kScaleAlpha = 1.7580993408473768599;
  template <class V> static HL_INLINE V forward(V x, V) {
    return select(x > V(0), V(kScale) * x, V(kScaleAlpha) * expm1(x));
  }
  template <class V> static HL_INLINE V derivative(V y, V) {
    return select(y > V(0), V(kScale), y + V(kScaleAlpha));
  }
};

struct Celu {
  template <class V> static HL_INLINE V forward(V x, V alpha) {
    return select(x > V(0), x, alpha * expm1(x / alpha));
  }
  template <class V> static HL_INLINE V derivative(V y, V alpha) {
    return select(y > V(0), V(1), V(1) + y / alpha);
  }
};

struct Sigmoid {
  template <class V> static HL_INLINE V forward(V x, V) { return sigmoid(x); }
  template <class V> static HL_INLINE V derivative(V y, V) { return y * (V(1) - y); }
};

struct LogSigmoid {
  template <class V> static HL_INLINE V forward(V x, V) { return -softplus(-x); }
  template <class V> static HL_INLINE V derivative(V y, V) { return -expm1(y); }
};

struct HardSigmoid {
  template <class V> static HL_INLINE V forward(V x, V) { return unit_clip((x + V(3)) / V(6)); }
  template <class V> static HL_INLINE V derivative(V y, V) {
    return select((y > V(0)) & (y < V(1)), V(1) / V(6), V(0));
  }
};

struct SparseSigmoid {
  template <class V> static HL_INLINE V forward(V x, V) { return unit_clip((x + V(1)) * V(0.5)); }
  template <class V> static HL_INLINE V derivative(V y, V) {
    return select((y > V(0)) & (y < V(1)), V(0.5), V(0));
  }
};

struct Tanh {
  template <class V> static HL_INLINE V forward(V x, V) { return tanh(x); }
  template <class V> static HL_INLINE V derivative(V y, V) { return fnma(y, y, V(1)); }
};

struct HardTanh {
  template <class V> static HL_INLINE V forward(V x, V) { return max(V(-1), min(V(1), x)); }
  template <class V> static HL_INLINE V derivative(V y, V) { return select(abs(y) < V(1), V(1), V(0)); }
};

struct Softplus {
  template <class V> static HL_INLINE V forward(V x, V) { return softplus(x); }
  template <class V> static HL_INLINE V derivative(V y, V) { return -expm1(-y); }  // sigmoid(x) = 1 - e^-y
};

struct SparsePlus {  // a parabola from (-1, 0) to (1, 1)
  template <class V> static HL_INLINE V forward(V x, V) {
    const V half = (x + V(1)) * V(0.5);
    return select(x <= V(-1), V(0), select(x < V(1), half * half, x));
  }
  template <class V> static HL_INLINE V derivative(V y, V) { return min(V(1), sqrt(y)); }
};

struct Squareplus {  // (x + sqrt(x^2 + alpha)) / 2, without cancellation, and without the overflow of x^2
  template <class V> static HL_INLINE V forward(V x, V alpha) {
    const V a = abs(x);
    const V root = select(a > V(1), a * sqrt(V(1) + alpha / (a * a)), sqrt(fma(x, x, alpha)));
    const V falling = V(0.5) * alpha / (root + a);
    return select(x < V(0), falling, V(0.5) * x + V(0.5) * root);
  }
  template <class V> static HL_INLINE V derivative(V y, V alpha) {
    return select(y > V(0), V(1) / (V(1) + V(0.25) * alpha / y / y), V(0));
  }
};

struct Softsign {
  template <class V> static HL_INLINE V forward(V x, V) {
    x = max(V(-1e30), min(V(1e30), x));
    return x / (V(1) + abs(x));
  }
  template <class V> static HL_INLINE V derivative(V y, V) {
    const V rest = V(1) - abs(y);
    return rest * rest;
  }
};

struct Exponential {
  template <class V> static HL_INLINE V forward(V x, V) { return exp(x); }
  template <class V> static HL_INLINE V derivative(V y, V) { return y; }
};

struct SoftShrink {
  template <class V> static HL_INLINE V forward(V x, V alpha) { return copysign(max(V(0), abs(x) - alpha), x); }
  template <class V> static HL_INLINE V derivative(V y, V) { return select(y == V(0), V(0), V(1)); }
};

struct HardShrink {
  template <class V> static HL_INLINE V forward(V x, V alpha) { return select(abs(x) <= alpha, V(0), x); }
  template <class V> static HL_INLINE V derivative(V y, V) { return select(y == V(0), V(0), V(1)); }
};

// The second list. Where x times a factor that vanishes is wanted, x is held back from infinity.
template <class V>
struct Parameters {
  V alpha, beta, gamma;
};

struct OfInput {
  static constexpr bool kOfInput = true;
};

struct Gelu : OfInput {  // x Phi(x)
  template <class V> static HL_INLINE V forward(V x, const Parameters<V>&) {
    return max(V(-100), x) * normal_cdf(x);
  }
  template <class V> static HL_INLINE V derivative(V x, const Parameters<V>&) {
    const V near = max(V(-100), min(V(100), x));
    return fma(near * V(0.39894228040143267794), exp_half_square(near), normal_cdf(x));
  }
};

struct GeluTanh : OfInput {  // x / 2 (1 + tanh(sqrt(2 / pi) (x + c x^3))) = x sigmoid(s (x + c x^3)), s = 2 sqrt(2 / pi)
  static constexpr double kScale = 1.5957691216057307117, kCube = 0.044715;
  template <class V> static HL_INLINE V gate(V x) { return sigmoid(V(kScale) * x * fma(V(kCube), x * x, V(1))); }
  template <class V> static HL_INLINE V forward(V x, const Parameters<V>&) {
    const V above = max(V(-100), x);
    return above * gate(above);
  }
  template <class V> static HL_INLINE V derivative(V x, const Parameters<V>&) {
    x = max(V(-100), min(V(100), x));
    const V g = gate(x);
    return fma(g * gate(-x) * V(kScale) * x, fma(V(3 * kCube), x * x, V(1)), g);
  }
};

struct Silu : OfInput {  // x sigmoid(x)
  template <class V> static HL_INLINE V forward(V x, const Parameters<V>&) {
    const V above = max(V(-1000), x);
    return above / (V(1) + exp(-above));
  }
  template <class V> static HL_INLINE V derivative(V x, const Parameters<V>&) {
    x = max(V(-1000), min(V(1000), x));
    const V s = sigmoid(x);
    return fma(s * (V(1) - s), x, s);
  }
};

struct HardSilu : OfInput {  // x clip(x / 6 + 1/2, 0, 1)
  template <class V> static HL_INLINE V forward(V x, const Parameters<V>&) {
    return max(V(-3), x) * unit_clip((x + V(3)) / V(6));
  }
  template <class V> static HL_INLINE V derivative(V x, const Parameters<V>&) {
    return select(x <= V(-3), V(0), select(x >= V(3), V(1), x / V(3) + V(0.5)));
  }
};

struct Mish : OfInput {  // x tanh(log(1 + e^x)) = x n / (n + 2), n = e^x (e^x + 2)
  template <class V> static HL_INLINE V power(V x) { return exp(min(V(40), x)); }
  template <class V> static HL_INLINE V forward(V x, const Parameters<V>&) {
    const V e = power(x), n = e * (e + V(2));
    return max(V(-1000), x) * (n / (n + V(2)));
  }
  template <class V> static HL_INLINE V derivative(V x, const Parameters<V>&) {
    const V e = power(x), n = e * (e + V(2)), t = V(1) / (n + V(2));
    return fma(max(V(-1000), min(V(1000), x)) * (V(4) * e * t), (e + V(1)) * t, n * t);
  }
};

struct TanhShrink : OfInput {  // x - tanh x
  template <class V> static HL_INLINE V forward(V x, const Parameters<V>&) { return x - tanh(x); }
  template <class V> static HL_INLINE V derivative(V x, const Parameters<V>&) {
    const V t = tanh(x);
    return t * t;
  }
};

struct Threshold : OfInput {  // x where x > alpha, else beta
  template <class V> static HL_INLINE V forward(V x, const Parameters<V>& p) { return select(x <= p.alpha, p.beta, x); }
  template <class V> static HL_INLINE V derivative(V x, const Parameters<V>& p) {
    return select(x <= p.alpha, V(0), V(1));
  }
};

struct Rectify : OfInput {  // gamma where x >= gamma, x where x > beta, else alpha (x - beta)
  template <class V> static HL_INLINE V forward(V x, const Parameters<V>& p) {
    const V below = select((p.alpha == V(0)) & (x <= p.beta), V(0), p.alpha * (x - p.beta));
    return select(x >= p.gamma, p.gamma, select(x > p.beta, x, below));
  }
  template <class V> static HL_INLINE V derivative(V x, const Parameters<V>& p) {
    return select(x >= p.gamma, V(0), select(x > p.beta, V(1), p.alpha));
  }
};

// A functor of the first list, called as one of the second; its derivative is still given y.
template <class F>
struct OfOutput {
  static constexpr bool kOfInput = false;
  template <class V> static HL_INLINE V forward(V x, const Parameters<V>& p) { return F::forward(x, p.alpha); }
  template <class V> static HL_INLINE V derivative(V y, const Parameters<V>& p) { return F::derivative(y, p.alpha); }
};

// with_activation(kind, [&](auto f) { ... f.forward(x, alpha) ... }) compiles the body once for each functor of the first
// list; with_any_activation, whose functors take Parameters, once for each of both.
template <class Body>
HL_INLINE void with_activation(ActivationKind kind, Body&& body) {
  switch (kind) {
#define HL_ACTIVATION(name, Functor, parameters) \
  case ActivationKind::name: body(Functor{}); break;
    HL_ACTIVATIONS_OF_OUTPUT(HL_ACTIVATION)
#undef HL_ACTIVATION
    default: break;
  }
}

template <class Body>
HL_INLINE void with_any_activation(ActivationKind kind, Body&& body) {
  switch (kind) {
#define HL_ACTIVATION(name, Functor, parameters) \
  case ActivationKind::name: body(Functor{}); break;
    HL_ACTIVATIONS_OF_INPUT(HL_ACTIVATION)
#undef HL_ACTIVATION
    default: with_activation(kind, [&](auto f) { body(OfOutput<decltype(f)>{}); });
  }
}

}  // namespace hl
