#include "ops/activation.h"

#include <cmath>
#include <iterator>

#include "core/error.h"
#include "ops/checks.h"

namespace hl {
namespace {

constexpr const char* kNames[] = {
#define HL_ACTIVATION(name, Functor) #name,
    HL_ACTIVATIONS(HL_ACTIVATION)
#undef HL_ACTIVATION
};

Activation activation_of(const Attrs& attrs) {
  return {activation_from(attrs.text("kind")), attrs.number("alpha", 0)};
}

void infer_activation(Infer& node) {
  node.allow({"kind", "alpha"});
  expect_inputs(node, 1, "x");
  const Activation f = activation_of(node.attrs());
  const bool has_alpha = f.kind == ActivationKind::leaky_relu || f.kind == ActivationKind::elu;
  if (has_alpha && !node.attrs().has("alpha"))
    node.fail("attribute alpha of " + node.attrs().text("kind"), "none");
  if (!(f.alpha >= 0) || std::isinf(f.alpha))
    node.fail("alpha of at least 0 and finite", std::to_string(f.alpha),
              "With a negative alpha the function is not monotonic.");
  node.output(batched_float(node, 0));
}

void forward_activation(Build& b) {
  ActivationForward a{};
  a.activation = activation_of(b.attrs());
  if (a.activation.kind == ActivationKind::identity) return b.alias_output(b.input(0));
  a.features = b.output_spec().features();
  a.x = b.read(b.input(0));
  a.y = b.write(b.output());
  const double elements = double(b.max_rows()) * a.features;
  b.emit(b.kernels().activation_forward, a, {10 * elements, 2 * elements * size_of(b.dtype())});
}

void backward_activation(Build& b) {
  if (!b.wants_grad(0)) return;
  ActivationBackward a{};
  a.activation = activation_of(b.attrs());
  if (a.activation.kind == ActivationKind::identity) return b.alias_grad_input(0, b.grad_output());
  a.features = b.output_spec().features();
  a.y = b.read(b.output());
  a.dy = b.read(b.grad_output());
  a.dx = b.write(b.grad_input(0));
  const double elements = double(b.max_rows()) * a.features;
  b.emit(b.kernels().activation_backward, a, {3 * elements, 3 * elements * size_of(b.dtype())});
}

void infer_softmax(Infer& node) {
  node.allow({});
  expect_inputs(node, 1, "x");
  const Spec& x = batched_float(node, 0);
  if (x.shape.size() < 2 || x.shape.back() < 1)
    node.fail("x with at least one class on its last axis", to_string(x.shape));
  node.output(x);
}

template <class Args>
Args softmax_args(Build& b) {
  Args a{};
  a.columns = b.output_spec().shape.back();
  a.groups = b.output_spec().features() / a.columns;
  return a;
}

void forward_softmax(Build& b) {
  SoftmaxForward a = softmax_args<SoftmaxForward>(b);
  a.x = b.read(b.input(0));
  a.y = b.write(b.output());
  const double elements = double(b.max_rows()) * b.output_spec().features();
  b.emit(b.kernels().softmax_forward, a, {20 * elements, 2 * elements * size_of(b.dtype())});
}

void backward_softmax(Build& b) {
  if (!b.wants_grad(0)) return;
  SoftmaxBackward a = softmax_args<SoftmaxBackward>(b);
  a.y = b.read(b.output());
  a.dy = b.read(b.grad_output());
  a.dx = b.write(b.grad_input(0));
  const double elements = double(b.max_rows()) * b.output_spec().features();
  b.emit(b.kernels().softmax_backward, a, {4 * elements, 3 * elements * size_of(b.dtype())});
}

}  // namespace

std::vector<std::string> activation_names() { return {std::begin(kNames), std::end(kNames)}; }

ActivationKind activation_from(const std::string& name) {
  const std::vector<std::string> names = activation_names();
  for (size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return ActivationKind(i);
  throw ValueError("[activation] expected the name of an activation, received '" + name + "'." +
                   suggestion(name, names));
}

const Op activation_op{"activation", infer_activation, forward_activation, backward_activation};
const Op softmax_op{"softmax", infer_softmax, forward_softmax, backward_softmax};

}  // namespace hl
