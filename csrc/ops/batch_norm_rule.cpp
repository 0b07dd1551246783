#include "ops/batch_norm.h"

#include <cmath>

#include "ops/checks.h"
#include "ops/rules.h"

namespace hl {
namespace {

// Which input is what: x[, gamma][, beta], mean, var. -1: absent.
struct Places {
  int gamma, beta, mean, var;
};

Places places(const Attrs& attrs) {
  int next = 1;
  Places p{};
  p.gamma = attrs.flag("scale", true) ? next++ : -1;
  p.beta = attrs.flag("center", true) ? next++ : -1;
  p.mean = next++;
  p.var = next;
  return p;
}

// One number for each channel. Variables of rank 2 lie in panels (ops/gemm.h), any others as they are counted.
void expect_channels(const Infer& node, int place, const char* name, int64_t channels) {
  if (place < 0) return;
  const Spec& v = node.input(place);
  if (v.batched() || v.shape.size() == 2 || v.features() != channels)
    node.fail(std::string(name) + " of shape " + to_string(Shape{channels}), to_string(v.shape),
              "There is one number for each channel of x " + to_string(node.input(0).shape) + ".");
}

void infer(Infer& node) {
  const Attrs& attrs = node.attrs();
  node.allow({"axis", "momentum", "epsilon", "center", "scale", "training", "keep", "activation", "alpha"});
  activation_of(attrs);
  const Places p = places(attrs);
  expect_inputs(node, p.var + 1,
                std::string("x, ") + (p.gamma < 0 ? "" : "gamma, ") + (p.beta < 0 ? "" : "beta, ") + "mean, var");
  const Spec& x = batched_float(node, 0);
  const size_t axis = feature_axis(node, x.shape, attrs.integer("axis", -1));
  if (x.features() == 0) node.fail("x with at least one element", to_string(x.shape));
  expect_channels(node, p.gamma, "gamma", x.shape[axis]);
  expect_channels(node, p.beta, "beta", x.shape[axis]);
  expect_channels(node, p.mean, "mean", x.shape[axis]);
  expect_channels(node, p.var, "var", x.shape[axis]);
  const double momentum = attrs.number("momentum", 0.99), epsilon = attrs.number("epsilon", 1e-3);
  if (!(momentum >= 0 && momentum <= 1)) node.fail("a momentum from 0 to 1", std::to_string(momentum));
  if (!(epsilon >= 0) || std::isinf(epsilon)) node.fail("an epsilon of at least 0", std::to_string(epsilon));
  node.output(x);
}

template <class Args>
Args args_of(const Build& b) {
  const AxisView view = view_axis(b.output_spec().shape, b.attrs().integer("axis", -1));
  Args a{};
  a.shape = {view.outer, view.size, view.inner};
  return a;
}

const void* read_or_null(Build& b, int place) { return place < 0 ? nullptr : b.read(b.input(place)).data; }

void* gradient_or_null(Build& b, int place) {
  return place >= 0 && b.wants_grad(place) ? b.write(b.grad_input(place)).data : nullptr;
}

double elements(const Build& b) { return double(b.max_rows()) * b.output_spec().features(); }

Buf statistics(Build& b, int64_t channels) { return b.save(0, {2, channels, b.dtype()}); }

bool uses_batch(const Build& b) { return b.attrs().flag("training", false); }

void forward_train(Build& b, const Places& p) {
  BatchNormTrain a = args_of<BatchNormTrain>(b);
  a.activation = activation_of(b.attrs());
  a.momentum = b.attrs().number("momentum", 0.99);
  a.epsilon = b.attrs().number("epsilon", 1e-3);
  a.x = b.read(b.input(0));
  a.gamma = read_or_null(b, p.gamma);
  a.beta = read_or_null(b, p.beta);
  if (!b.attrs().flag("keep", false)) {
    a.moving_mean = b.update(b.input(p.mean)).data;
    a.moving_var = b.update(b.input(p.var)).data;
  }
  a.saved = b.write(statistics(b, a.shape.channels));
  a.y = b.write(b.output());
  b.emit(b.kernels().batch_norm_train, a, {6 * elements(b), 4 * elements(b) * size_of(b.dtype())});
}

void forward_infer(Build& b, const Places& p) {
  BatchNormInfer a = args_of<BatchNormInfer>(b);
  a.activation = activation_of(b.attrs());
  a.epsilon = b.attrs().number("epsilon", 1e-3);
  a.x = b.read(b.input(0));
  a.gamma = read_or_null(b, p.gamma);
  a.beta = read_or_null(b, p.beta);
  a.mean = read_or_null(b, p.mean);
  a.var = read_or_null(b, p.var);
  a.y = b.write(b.output());
  b.emit(b.kernels().batch_norm_infer, a, {3 * elements(b), 2 * elements(b) * size_of(b.dtype())});
}

void forward(Build& b) {
  const Places p = places(b.attrs());
  uses_batch(b) ? forward_train(b, p) : forward_infer(b, p);
}

// What both gradients need: dy, gamma, and where the results go.
template <class Args>
void bind_gradient(Build& b, const Places& p, Buf dy, Args& a) {
  a.x = b.read(b.input(0));
  a.dy = b.read(dy);
  a.gamma = read_or_null(b, p.gamma);
  if (b.wants_grad(0)) {
    b.take_activation(0, &a.below);
    a.dx = b.write(b.grad_input(0));
  }
  a.dgamma = gradient_or_null(b, p.gamma);
  a.dbeta = gradient_or_null(b, p.beta);
}

void backward(Build& b) {
  const Places p = places(b.attrs());
  const Buf dy = preactivation_gradient(b);
  const Cost cost{7 * elements(b), 5 * elements(b) * size_of(b.dtype())};
  if (uses_batch(b)) {
    BatchNormBackward a = args_of<BatchNormBackward>(b);
    bind_gradient(b, p, dy, a);
    a.saved = b.read(statistics(b, a.shape.channels));
    b.emit(b.kernels().batch_norm_backward, a, cost);
  } else {
    BatchNormInferBackward a = args_of<BatchNormInferBackward>(b);
    bind_gradient(b, p, dy, a);
    a.epsilon = b.attrs().number("epsilon", 1e-3);
    a.mean = read_or_null(b, p.mean);
    a.var = read_or_null(b, p.var);
    b.emit(b.kernels().batch_norm_infer_backward, a, cost);
  }
}

}  // namespace

const Op batch_norm_op{"batch_norm", infer, forward, backward, true, nullptr, nullptr, true};

}  // namespace hl
