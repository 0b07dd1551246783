#include "ops/layer_norm.h"

#include <cmath>

#include "ops/checks.h"
#include "ops/rules.h"

namespace hl {
namespace {

// Attributes: kind; `axes`, how many axes at the end of the shape are standardised together (layer, rms, unit), or
// `groups`, of the last axis, each with all positions before it (layer only); epsilon; center, scale.
NormKind kind_of(const Infer& node) {
  const std::string kind = node.attrs().text("kind", "layer");
  if (kind == "layer") return NormKind::layer;
  if (kind == "rms") return NormKind::rms;
  if (kind != "unit") node.fail("kind 'layer', 'rms' or 'unit'", "'" + kind + "'");
  return NormKind::unit;
}

GroupShape group_shape(const Shape& x, const Attrs& attrs, NormKind kind) {
  GroupShape s{1, 1, 1, true, kind};
  if (attrs.has("groups")) {
    s.shared = false;
    s.groups = attrs.integer("groups");
    s.columns = x.back() / s.groups;
    for (size_t i = 1; i + 1 < x.size(); ++i) s.runs *= x[i];
    return s;
  }
  const size_t first = x.size() - size_t(attrs.integer("axes", 1));
  for (size_t i = 1; i < x.size(); ++i) (i < first ? s.groups : s.columns) *= x[i];
  return s;
}

int place(const Attrs& attrs, const char* which) {
  const bool scale = attrs.flag("scale", true), center = attrs.flag("center", true);
  if (which[0] == 'g') return scale ? 1 : -1;
  return center ? 1 + int(scale) : -1;
}

void expect_weights(const Infer& node, int at, const char* name, const Shape& shape) {
  if (at >= 0 && node.input(at).shape != shape)
    node.fail(std::string(name) + " of shape " + to_string(shape), to_string(node.input(at).shape),
              "There is one number for each element of the standardised axes of x " +
                  to_string(node.input(0).shape) + ".");
}

void infer(Infer& node) {
  const Attrs& attrs = node.attrs();
  node.allow({"kind", "axes", "groups", "epsilon", "center", "scale"});
  const NormKind kind = kind_of(node);
  const int gamma = place(attrs, "gamma"), beta = place(attrs, "beta");
  expect_inputs(node, 1 + int(gamma >= 0) + int(beta >= 0),
                std::string("x") + (gamma < 0 ? "" : ", gamma") + (beta < 0 ? "" : ", beta"));
  const Spec& x = batched_float(node, 0);
  const int64_t rank = int64_t(x.shape.size());
  if (rank < 2 || x.features() == 0) node.fail("x with at least one feature", to_string(x.shape));
  Shape weights{x.shape.back()};
  if (attrs.has("groups")) {
    const int64_t groups = attrs.integer("groups");
    if (attrs.has("axes") || kind != NormKind::layer) node.fail("groups alone, of kind 'layer'", "axes or another kind");
    if (groups < 1 || x.shape.back() % groups != 0)
      node.fail("groups that divide the " + std::to_string(x.shape.back()) + " channels", std::to_string(groups));
  } else {
    const int64_t axes = attrs.integer("axes", 1);
    if (axes < 1 || axes >= rank) node.fail("axes from 1 to " + std::to_string(rank - 1), std::to_string(axes));
    weights.assign(x.shape.end() - axes, x.shape.end());
  }
  expect_weights(node, gamma, "gamma", weights);
  expect_weights(node, beta, "beta", weights);
  const double epsilon = attrs.number("epsilon", 1e-3);
  if (!(epsilon >= 0) || std::isinf(epsilon)) node.fail("an epsilon of at least 0", std::to_string(epsilon));
  node.output(x);
}

NormKind known_kind(const Attrs& attrs) {
  const std::string kind = attrs.text("kind", "layer");
  return kind == "rms" ? NormKind::rms : kind == "unit" ? NormKind::unit : NormKind::layer;
}

GroupShape shape_of(const Build& b) { return group_shape(b.spec(0).shape, b.attrs(), known_kind(b.attrs())); }

Buf statistics(Build& b) { return b.save(0, {b.max_rows(), 2 * shape_of(b).groups, b.dtype()}); }

double elements(const Build& b) { return double(b.max_rows()) * b.output_spec().features(); }

void forward(Build& b) {
  const int gamma = place(b.attrs(), "gamma"), beta = place(b.attrs(), "beta");
  const Buf g = gamma < 0 ? Buf{} : flat_variable(b, gamma), offset = beta < 0 ? Buf{} : flat_variable(b, beta);
  LayerNormForward a{};
  a.shape = shape_of(b);
  a.epsilon = b.attrs().number("epsilon", 1e-3);
  a.gamma = g ? b.read(g).data : nullptr;
  a.beta = offset ? b.read(offset).data : nullptr;
  a.x = b.read(b.input(0));
  a.saved = b.write(statistics(b));
  a.y = b.write(b.output());
  b.emit(b.kernels().layer_norm_forward, a, {8 * elements(b), 2 * elements(b) * size_of(b.dtype())});
}

void backward_params(Build& b, int gamma, int beta) {
  const bool scales = gamma >= 0 && b.wants_grad(gamma), offsets = beta >= 0 && b.wants_grad(beta);
  if (!scales && !offsets) return;
  const FlatGradient dgamma = scales ? flat_gradient(b, gamma) : FlatGradient{};
  const FlatGradient dbeta = offsets ? flat_gradient(b, beta) : FlatGradient{};
  LayerNormBackwardParams a{};
  a.shape = shape_of(b);
  a.x = b.read(b.input(0));
  a.saved = b.read(statistics(b));
  a.dy = b.read(b.grad_output());
  a.dgamma = scales ? b.write(dgamma.buf).data : nullptr;
  a.dbeta = offsets ? b.write(dbeta.buf).data : nullptr;
  b.emit(b.kernels().layer_norm_backward_params, a, {4 * elements(b), 2 * elements(b) * size_of(b.dtype())});
  if (scales) finish_flat_gradient(b, gamma, dgamma);
  if (offsets) finish_flat_gradient(b, beta, dbeta);
}

void backward(Build& b) {
  const int gamma = place(b.attrs(), "gamma"), beta = place(b.attrs(), "beta");
  backward_params(b, gamma, beta);
  if (!b.wants_grad(0)) return;
  const Buf g = gamma < 0 ? Buf{} : flat_variable(b, gamma);
  LayerNormBackward a{};
  a.shape = shape_of(b);
  a.gamma = g ? b.read(g).data : nullptr;
  a.x = b.read(b.input(0));
  a.saved = b.read(statistics(b));
  a.dy = b.read(b.grad_output());
  a.dx = b.write(b.grad_input(0));
  b.emit(b.kernels().layer_norm_backward, a, {8 * elements(b), 5 * elements(b) * size_of(b.dtype())});
}

}  // namespace

const Op layer_norm_op{"layer_norm", infer, forward, backward};

}  // namespace hl
