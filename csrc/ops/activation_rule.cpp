#include "ops/activation.h"

#include <cmath>
#include <limits>

#include "core/error.h"
#include "ops/checks.h"
#include "ops/rules.h"

namespace hl {
namespace {

struct Entry {
  const char* name;
  int parameters;
};
constexpr Entry kEntries[] = {
#define HL_ACTIVATION(name, Functor, parameters) {#name, parameters},
    HL_ACTIVATIONS_OF_OUTPUT(HL_ACTIVATION)
    HL_ACTIVATIONS_OF_INPUT(HL_ACTIVATION)
#undef HL_ACTIVATION
};

void check_parameters(Infer& node, const Activation& f) {
  const Attrs& attrs = node.attrs();
  const char* names[] = {"alpha", "beta", "gamma"};
  const double values[] = {f.alpha, f.beta, f.gamma};
  for (int i = 0; i < 3; ++i) {
    const std::string name = names[i];
    const bool takes = i < kEntries[size_t(f.kind)].parameters;
    if (takes != attrs.has(name) && (takes ? i < 2 : true))
      node.fail((takes ? "attribute " : "no attribute ") + name + " of " + attrs.text("kind"), takes ? "none" : "one");
    if (attrs.has(name) && !std::isfinite(values[i])) node.fail("a finite " + name, std::to_string(values[i]));
  }
  if (derives_from_output(f.kind) && !(f.alpha >= 0))
    node.fail("alpha of at least 0", std::to_string(f.alpha), "With a negative alpha the function is not monotonic.");
  if (f.kind == ActivationKind::celu && f.alpha == 0) node.fail("alpha of celu above 0", "0");
}

void infer_activation(Infer& node) {
  node.allow({"kind", "alpha", "beta", "gamma"});
  expect_inputs(node, 1, "x");
  check_parameters(node, any_activation_of(node.attrs()));
  node.output(batched_float(node, 0));
}

void forward_activation(Build& b) {
  ActivationForward a{};
  a.activation = any_activation_of(b.attrs());
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
  a.activation = any_activation_of(b.attrs());
  if (a.activation.kind == ActivationKind::identity) return b.alias_grad_input(0, b.grad_output());
  a.features = b.output_spec().features();
  a.saved = b.read(derives_from_output(a.activation.kind) ? b.output() : b.input(0));
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

void forward_rows(Build& b, const Kernel<SoftmaxForward>& kernel) {
  SoftmaxForward a = softmax_args<SoftmaxForward>(b);
  a.x = b.read(b.input(0));
  a.y = b.write(b.output());
  const double elements = double(b.max_rows()) * b.output_spec().features();
  b.emit(kernel, a, {20 * elements, 2 * elements * size_of(b.dtype())});
}

void backward_rows(Build& b, const Kernel<SoftmaxBackward>& kernel) {
  if (!b.wants_grad(0)) return;
  SoftmaxBackward a = softmax_args<SoftmaxBackward>(b);
  a.y = b.read(b.output());
  a.dy = b.read(b.grad_output());
  a.dx = b.write(b.grad_input(0));
  const double elements = double(b.max_rows()) * b.output_spec().features();
  b.emit(kernel, a, {4 * elements, 3 * elements * size_of(b.dtype())});
}

void forward_softmax(Build& b) { forward_rows(b, b.kernels().softmax_forward); }
void backward_softmax(Build& b) { backward_rows(b, b.kernels().softmax_backward); }
void forward_log_softmax(Build& b) { forward_rows(b, b.kernels().log_softmax_forward); }
void backward_log_softmax(Build& b) { backward_rows(b, b.kernels().log_softmax_backward); }
void forward_sparsemax(Build& b) { forward_rows(b, b.kernels().sparsemax_forward); }
void backward_sparsemax(Build& b) { backward_rows(b, b.kernels().sparsemax_backward); }

void infer_glu(Infer& node) {
  node.allow({"kind", "alpha", "beta", "gamma"});
  expect_inputs(node, 1, "x");
  check_parameters(node, any_activation_of(node.attrs()));
  Spec x = batched_float(node, 0);
  if (x.shape.size() < 2 || x.shape.back() < 2 || x.shape.back() % 2 != 0)
    node.fail("x with an even number of features (axis -1)", "shape " + to_string(x.shape),
              "One half is multiplied by a gate made of the other.");
  x.shape.back() /= 2;
  node.output(x);
}

template <class Args>
Args glu_args(Build& b) {
  Args a = softmax_args<Args>(b);
  a.gate = any_activation_of(b.attrs());
  a.x = b.read(b.input(0));
  return a;
}

void forward_glu(Build& b) {
  GluForward a = glu_args<GluForward>(b);
  a.y = b.write(b.output());
  const double elements = double(b.max_rows()) * b.output_spec().features();
  b.emit(b.kernels().glu_forward, a, {20 * elements, 3 * elements * size_of(b.dtype())});
}

void backward_glu(Build& b) {
  if (!b.wants_grad(0)) return;
  GluBackward a = glu_args<GluBackward>(b);
  a.dy = b.read(b.grad_output());
  a.dx = b.write(b.grad_input(0));
  const double elements = double(b.max_rows()) * b.output_spec().features();
  b.emit(b.kernels().glu_backward, a, {40 * elements, 5 * elements * size_of(b.dtype())});
}

}  // namespace

Activation any_activation_of(const Attrs& attrs) {
  constexpr double kNoCap = std::numeric_limits<double>::infinity();
  return {activation_from(attrs.text("kind")), attrs.number("alpha", 0), attrs.number("beta", 0),
          attrs.number("gamma", kNoCap)};
}

std::vector<std::string> activation_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kEntries) names.push_back(entry.name);
  return names;
}

ActivationKind activation_from(const std::string& name) {
  const std::vector<std::string> names = activation_names();
  for (size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return ActivationKind(i);
  throw ValueError("[activation] expected the name of an activation, received '" + name + "'." +
                   suggestion(name, names));
}

const Op activation_op{"activation", infer_activation, forward_activation, backward_activation};
const Op softmax_op{"softmax", infer_softmax, forward_softmax, backward_softmax};
const Op log_softmax_op{"log_softmax", infer_softmax, forward_log_softmax, backward_log_softmax};
const Op sparsemax_op{"sparsemax", infer_softmax, forward_sparsemax, backward_sparsemax};
const Op glu_op{"glu", infer_glu, forward_glu, backward_glu};

}  // namespace hl
