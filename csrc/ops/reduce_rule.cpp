#include "ops/reduce.h"

#include <algorithm>
#include <iterator>

#include "ops/checks.h"
#include "ops/rules.h"

namespace hl {
namespace {

constexpr const char* kNames[] = {
#define HL_REDUCTION(name, Functor) #name,
    HL_REDUCTIONS(HL_REDUCTION)
#undef HL_REDUCTION
};

ReduceKind kind_of(const Attrs& attrs) {
  const std::string name = attrs.text("kind");
  const auto found = std::find(std::begin(kNames), std::end(kNames), name);
  return ReduceKind(found - std::begin(kNames));
}

// The axis as a number from 0 on.
size_t reduced_axis(const Infer& node, const Spec& x) {
  const int64_t axis = node.attrs().integer("axis", -1), rank = int64_t(x.shape.size());
  if (x.batched()) return feature_axis(node, x.shape, axis);
  if (axis < -rank || axis >= rank) node.fail("an axis of " + to_string(x.shape), std::to_string(axis));
  return size_t(axis < 0 ? axis + rank : axis);
}

void infer(Infer& node) {
  node.allow({"kind", "axis", "keepdims"});
  expect_inputs(node, 1, "x");
  Spec spec = node.input(0);
  if (spec.batched()) batched_float(node, 0);
  const ReduceKind kind = kind_of(node.attrs());
  if (size_t(kind) == std::size(kNames))
    node.fail("kind 'sum', 'mean', 'max' or 'min'", "'" + node.attrs().text("kind") + "'");
  const size_t axis = reduced_axis(node, spec);
  if (spec.shape[axis] == 0 && kind != ReduceKind::sum)
    node.fail("at least one element on axis " + std::to_string(axis), to_string(spec.shape));
  if (node.attrs().flag("keepdims", false))
    spec.shape[axis] = 1;
  else
    spec.shape.erase(spec.shape.begin() + int64_t(axis));
  node.output(spec);
}

template <class Args>
Args args_of(const Build& b) {
  const bool batched = b.spec(0).batched();
  Shape shape = b.spec(0).shape;
  int64_t axis = b.attrs().integer("axis", -1);
  if (!batched) {
    if (axis >= 0) ++axis;
    shape.insert(shape.begin(), 1);
  }
  const AxisView view = view_axis(shape, axis);
  Args a{};
  a.rows = batched ? 0 : 1;
  a.outer = view.outer;
  a.size = view.size;
  a.inner = view.inner;
  a.kind = kind_of(b.attrs());
  a.scale = a.kind == ReduceKind::mean ? 1.0 / double(view.size) : 1.0;
  return a;
}

Cost cost_of(const Build& b) {
  const double elements = double(b.spec(0).batched() ? b.max_rows() : 1) * b.spec(0).features();
  return {elements, elements * size_of(b.dtype())};
}

void forward(Build& b) {
  ReduceForward a = args_of<ReduceForward>(b);
  a.x = b.read(flat_variable(b, 0));
  a.y = b.write(b.output());
  b.emit(b.kernels().reduce_forward, a, cost_of(b));
}

void backward(Build& b) {
  if (!b.wants_grad(0)) return;
  ReduceBackward a = args_of<ReduceBackward>(b);
  if (a.kind == ReduceKind::max || a.kind == ReduceKind::min) {
    a.x = b.read(flat_variable(b, 0));
    a.y = b.read(b.output());
  }
  a.dy = b.read(b.grad_output());
  const FlatGradient gradient = flat_gradient(b, 0);
  a.dx = b.write(gradient.buf);
  b.emit(b.kernels().reduce_backward, a, cost_of(b));
  finish_flat_gradient(b, 0, gradient);
}

}  // namespace

const Op reduce_op{"reduce", infer, forward, backward};

}  // namespace hl
