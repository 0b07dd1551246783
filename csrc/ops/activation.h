// activation: element-wise functions and their derivatives, each written once, and the row-wise softmax.
//
//     y = f(x)         dx = dy f'(x), the derivative expressed through the output y
// Shapes: x, y, dy, dx (M,F). Saved: y. Bytes: 2 M F elements forward, 3 M F backward; flops: 1 to 25 an element.
// Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017 (selu). Clevert et al., "Fast and accurate deep
// network learning by exponential linear units", ICLR 2016 (elu). Maas et al., ICML 2013 workshop (leaky_relu).
#pragma once
#include "core/tensor.h"

namespace hl {

// HL_ACTIVATION(name, Functor): the only list. `alpha` is the one parameter a function may have.
#define HL_ACTIVATIONS(HL_ACTIVATION)  \
  HL_ACTIVATION(identity, Identity)    \
  HL_ACTIVATION(relu, Relu)            \
  HL_ACTIVATION(leaky_relu, LeakyRelu) \
  HL_ACTIVATION(elu, Elu)              \
  HL_ACTIVATION(selu, Selu)            \
  HL_ACTIVATION(sigmoid, Sigmoid)      \
  HL_ACTIVATION(tanh, Tanh)            \
  HL_ACTIVATION(softplus, Softplus)

enum class ActivationKind : int32_t {
#define HL_ACTIVATION(name, Functor) name,
  HL_ACTIVATIONS(HL_ACTIVATION)
#undef HL_ACTIVATION
};

struct Activation {
  ActivationKind kind = ActivationKind::identity;
  double alpha = 0;  // leaky_relu: slope below zero; elu: its alpha; at least 0, else y would not tell the derivative
};

std::vector<std::string> activation_names();
ActivationKind activation_from(const std::string& name);  // throws ValueError with a suggestion

struct ActivationForward {
  Tensor x, y;  // (M,F); y may be x
  int64_t features;
  Activation activation;
};

struct ActivationBackward {
  Tensor y, dy, dx;  // (M,F); dx may be dy
  int64_t features;
  Activation activation;
};

// y_i = exp(x_i - max x) / sum_j exp(x_j - max x), over groups of `columns` in a row of groups * columns.
// dx = y (dy - sum_j dy_j y_j)
struct SoftmaxForward {
  Tensor x, y;  // (M, groups * columns); y may be x
  int64_t groups, columns;
};
struct SoftmaxBackward {
  Tensor y, dy, dx;  // dx may be dy
  int64_t groups, columns;
};

// The functors. V is a SIMD vector on the CPU, a scalar on a GPU. No value-dependent `if`, only `select`; the
// comparisons stand so that NaN comes out as NaN.
struct Identity {
  template <class V> static HL_INLINE V forward(V x, V) { return x; }
  template <class V> static HL_INLINE V derivative(V, V) { return V(1); }
};

struct Relu {
  template <class V> static HL_INLINE V forward(V x, V) { return select(x < V(0), V(0), x); }
  template <class V> static HL_INLINE V derivative(V y, V) { return select(y > V(0), V(1), V(0)); }
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

struct Sigmoid {
  template <class V> static HL_INLINE V forward(V x, V) { return sigmoid(x); }
  template <class V> static HL_INLINE V derivative(V y, V) { return y * (V(1) - y); }
};

struct Tanh {
  template <class V> static HL_INLINE V forward(V x, V) { return tanh(x); }
  template <class V> static HL_INLINE V derivative(V y, V) { return fnma(y, y, V(1)); }
};

struct Softplus {
  template <class V> static HL_INLINE V forward(V x, V) { return softplus(x); }
  template <class V> static HL_INLINE V derivative(V y, V) { return -expm1(-y); }  // sigmoid(x) = 1 - e^-y
};

// with_activation(kind, [&](auto f) { ... f.forward(x, alpha) ... }) compiles the body once for each functor.
template <class Body>
HL_INLINE void with_activation(ActivationKind kind, Body&& body) {
  switch (kind) {
#define HL_ACTIVATION(name, Functor) \
  case ActivationKind::name: body(Functor{}); break;
    HL_ACTIVATIONS(HL_ACTIVATION)
#undef HL_ACTIVATION
  }
}

}  // namespace hl
