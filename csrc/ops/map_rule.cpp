#include "ops/map.h"

#include <cmath>

#include "ops/checks.h"

namespace hl {
namespace {

Cost one_pass(const Build& b) {
  const double elements = double(b.max_rows()) * b.output_spec().features();
  return {2 * elements, 2 * elements * size_of(b.dtype())};
}

void infer_affine(Infer& node) {
  node.allow({"scale", "offset"});
  expect_inputs(node, 1, "x");
  for (const char* name : {"scale", "offset"}) {
    const double value = node.attrs().number(name, 0);
    if (!std::isfinite(value)) node.fail(std::string("a finite ") + name, std::to_string(value));
  }
  node.output(batched_float(node, 0));
}

void forward_affine(Build& b) {
  Affine a{};
  a.features = b.output_spec().features();
  a.scale = b.attrs().number("scale", 1);
  a.offset = b.attrs().number("offset", 0);
  a.x = b.read(b.input(0));
  a.y = b.write(b.output());
  b.emit(b.kernels().affine, a, one_pass(b));
}

void backward_affine(Build& b) {
  if (!b.wants_grad(0)) return;
  Affine a{};
  a.features = b.output_spec().features();
  a.scale = b.attrs().number("scale", 1);
  a.x = b.read(b.grad_output());
  a.y = b.write(b.grad_input(0));
  b.emit(b.kernels().affine, a, one_pass(b));
}

bool is_single(const Spec& variable) { return variable.features() == 1; }

void infer_standardize(Infer& node) {
  node.allow({"epsilon", "invert"});
  expect_inputs(node, 3, "x, mean, var");
  const Spec& x = batched_float(node, 0);
  if (x.shape.size() < 2) node.fail("x with a feature axis", to_string(x.shape));
  for (int i = 1; i < 3; ++i) {
    const Spec& v = node.input(i);
    if (v.batched() || (!is_single(v) && v.shape != Shape{x.shape.back()}))
      node.fail(std::string(i == 1 ? "a mean" : "a variance") + " of shape " + to_string(Shape{x.shape.back()}) +
                    " or one number",
                to_string(v.shape), "There is one for each feature of x " + to_string(x.shape) + ".");
  }
  if (is_single(node.input(1)) != is_single(node.input(2)))
    node.fail("mean and var of the same shape",
              to_string(node.input(1).shape) + " and " + to_string(node.input(2).shape));
  const double epsilon = node.attrs().number("epsilon", 1e-7);
  if (!(epsilon > 0) || std::isinf(epsilon)) node.fail("an epsilon above 0", std::to_string(epsilon));
  node.output(x);
}

Standardize standardize_args(Build& b) {
  Standardize a{};
  a.shared = is_single(b.spec(1));
  a.channels = a.shared ? b.output_spec().features() : b.output_spec().shape.back();
  a.outer = a.channels ? b.output_spec().features() / a.channels : 0;
  a.invert = b.attrs().flag("invert", false);
  a.epsilon = b.attrs().number("epsilon", 1e-7);
  a.var = b.read(b.input(2)).data;
  return a;
}

void forward_standardize(Build& b) {
  Standardize a = standardize_args(b);
  a.mean = b.read(b.input(1)).data;
  a.x = b.read(b.input(0));
  a.y = b.write(b.output());
  b.emit(b.kernels().standardize, a, one_pass(b));
}

void backward_standardize(Build& b) {
  if (!b.wants_grad(0)) return;
  Standardize a = standardize_args(b);
  a.x = b.read(b.grad_output());
  a.y = b.write(b.grad_input(0));
  b.emit(b.kernels().standardize, a, one_pass(b));
}

}  // namespace

const Op affine_op{"affine", infer_affine, forward_affine, backward_affine};
const Op standardize_op{"standardize", infer_standardize, forward_standardize, backward_standardize};

}  // namespace hl
