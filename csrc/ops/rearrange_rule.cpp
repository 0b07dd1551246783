#include "ops/rearrange.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "ops/checks.h"
#include "ops/rules.h"

namespace hl {
namespace {

Shape axes_of(const Shape& shape) {
  return !shape.empty() && shape[0] == kBatch ? Shape(shape.begin() + 1, shape.end()) : shape;
}

// Refuses strides under which an axis of `full` but the batch leaves the `features` of a row, or meets a place twice.
void check_places(const Infer& node, const Shape& full, int64_t features) {
  const std::vector<int64_t> strides = node.attrs().integers("strides");
  const Shape shape = axes_of(full);
  if (strides.size() != shape.size() || strides.size() > size_t(kRearrangeAxes))
    node.fail("a stride for each axis, at most " + std::to_string(kRearrangeAxes), to_string(strides));
  int64_t low = node.attrs().integer("offset", 0), high = low;
  std::vector<std::pair<int64_t, int64_t>> steps;  // size of a step, how many
  for (size_t i = 0; i < strides.size(); ++i) {
    if (shape[i] < 2) continue;
    (strides[i] < 0 ? low : high) += strides[i] * (shape[i] - 1);
    steps.emplace_back(std::abs(strides[i]), shape[i] - 1);
  }
  const bool empty = element_count(shape) == 0;
  if (!empty && (low < 0 || high >= features))
    node.fail("places from 0 to " + std::to_string(features - 1), std::to_string(low) + " to " + std::to_string(high));
  std::sort(steps.begin(), steps.end());
  int64_t reach = 0;
  for (const auto& [step, count] : steps) {
    if (step <= reach && !empty) node.fail("strides that pick no element twice", to_string(strides));
    reach += step * count;
  }
}

void infer(Infer& node) {
  node.allow({"shape", "strides", "offset"});
  expect_inputs(node, 1, "x");
  const Spec& x = any_float(node, 0);
  const Shape shape = batch_shape(node, x.batched());
  check_places(node, shape, x.features());
  node.output({shape, x.dtype});
}

void infer_place(Infer& node) {
  node.allow({"shape", "strides", "offset"});
  expect_inputs(node, 1, "x");
  const Spec& x = any_float(node, 0);
  const Shape shape = batch_shape(node, x.batched());
  check_places(node, x.shape, element_count(shape));
  node.output({shape, x.dtype});
}

// `picked` has the axes, `whole` the places.
Rearrange args_of(const Build& b, const Spec& picked, const Spec& whole) {
  Rearrange a{};
  std::fill(std::begin(a.axes), std::end(a.axes), 1);
  const std::vector<int64_t> strides = b.attrs().integers("strides");
  const Shape axes = axes_of(picked.shape);
  for (size_t i = 0; i < strides.size(); ++i) {
    a.axes[kRearrangeAxes - strides.size() + i] = axes[i];
    a.strides[kRearrangeAxes - strides.size() + i] = strides[i];
  }
  a.offset = b.attrs().integer("offset", 0);
  a.features = picked.features();
  a.x_features = whole.features();
  a.rows = picked.batched() ? 0 : 1;
  return a;
}

Cost cost_of(const Build& b) {
  const double rows = b.output_spec().batched() ? double(b.max_rows()) : 1;
  return {0, rows * double(b.output_spec().features() + b.spec(0).features()) * size_of(b.dtype())};
}

void forward(Build& b) {
  Rearrange a = args_of(b, b.output_spec(), b.spec(0));
  a.x = b.read(flat_variable(b, 0));
  a.y = b.write(b.output());
  b.emit(b.kernels().rearrange, a, cost_of(b));
}

void backward(Build& b) {
  if (!b.wants_grad(0)) return;
  Rearrange a = args_of(b, b.output_spec(), b.spec(0));
  a.backward = true;
  const FlatGradient dx = flat_gradient(b, 0);
  a.y = b.read(b.grad_output());
  a.x = b.write(dx.buf);
  b.emit(b.kernels().rearrange, a, cost_of(b));
  finish_flat_gradient(b, 0, dx);
}

void forward_place(Build& b) {
  Rearrange a = args_of(b, b.spec(0), b.output_spec());
  a.backward = true;
  a.y = b.read(flat_variable(b, 0));
  a.x = b.write(b.output());
  b.emit(b.kernels().rearrange, a, cost_of(b));
}

void backward_place(Build& b) {
  if (!b.wants_grad(0)) return;
  Rearrange a = args_of(b, b.spec(0), b.output_spec());
  const FlatGradient dx = flat_gradient(b, 0);
  a.x = b.read(b.grad_output());
  a.y = b.write(dx.buf);
  b.emit(b.kernels().rearrange, a, cost_of(b));
  finish_flat_gradient(b, 0, dx);
}

}  // namespace

const Op rearrange_op{"rearrange", infer, forward, backward};
const Op place_op{"place", infer_place, forward_place, backward_place};

}  // namespace hl
