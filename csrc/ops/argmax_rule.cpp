#include "ops/argmax.h"

#include "ops/checks.h"

namespace hl {
namespace {

void infer(Infer& node) {
  node.allow({"axis", "smallest"});
  expect_inputs(node, 1, "x");
  Spec spec = batched_float(node, 0);
  const size_t axis = feature_axis(node, spec.shape, node.attrs().integer("axis", -1));
  if (spec.shape[axis] == 0) node.fail("at least one element on axis " + std::to_string(axis), to_string(spec.shape));
  spec.shape.erase(spec.shape.begin() + int64_t(axis));
  node.output(spec);
}

void forward(Build& b) {
  const AxisView view = view_axis(b.spec(0).shape, b.attrs().integer("axis", -1));
  ArgMax a{};
  a.x = b.read(b.input(0));
  a.y = b.write(b.output());
  a.outer = view.outer;
  a.size = view.size;
  a.inner = view.inner;
  a.smallest = b.attrs().flag("smallest", false);
  const double elements = double(b.max_rows()) * b.spec(0).features();
  b.emit(b.kernels().argmax, a, {elements, elements * size_of(b.dtype())});
}

}  // namespace

const Op argmax_op{"argmax", infer, forward, nullptr};

}  // namespace hl
