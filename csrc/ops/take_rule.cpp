#include "ops/take.h"

#include "ops/checks.h"

namespace hl {
namespace {

void infer(Infer& node) {
  node.allow({"axis"});
  expect_inputs(node, 2, "x, index");
  const Spec &x = batched_float(node, 0), &index = node.input(1);
  if (!index.batched()) node.fail("an index with a batch axis", to_string(index.shape));
  const size_t axis = feature_axis(node, x.shape, node.attrs().integer("axis", -1));
  Shape shape = x.shape;
  if (index.shape.size() == shape.size()) shape[axis] = index.shape[axis];
  if (index.shape != shape)
    node.fail("an index of the shape of x " + to_string(x.shape) + " but for axis " + std::to_string(axis),
              to_string(index.shape));
  if (x.shape[axis] == 0 && shape[axis] > 0)
    node.fail("at least one element on axis " + std::to_string(axis), to_string(x.shape));
  node.output({shape, x.dtype});
}

Take args_of(Build& b) {
  const AxisView view = view_axis(b.spec(0).shape, b.attrs().integer("axis", -1));
  Take a{};
  a.outer = view.outer;
  a.size = view.size;
  a.inner = view.inner;
  a.picked = view_axis(b.output_spec().shape, b.attrs().integer("axis", -1)).size;
  a.codes = b.spec(1).dtype == DType::i32;
  a.index = b.read(b.input(1));
  return a;
}

Cost cost_of(const Build& b, double more) {
  const double picked = double(b.max_rows()) * b.output_spec().features();
  return {picked, (3 * picked + more) * size_of(b.dtype())};
}

void forward(Build& b) {
  Take a = args_of(b);
  a.x = b.read(b.input(0));
  a.y = b.write(b.output());
  b.emit(b.kernels().take_forward, a, cost_of(b, 0));
}

void backward(Build& b) {
  if (!b.wants_grad(0)) return;
  Take a = args_of(b);
  a.y = b.read(b.grad_output());
  a.x = b.write(b.grad_input(0));
  b.emit(b.kernels().take_backward, a, cost_of(b, double(b.max_rows()) * b.spec(0).features()));
}

}  // namespace

const Op take_along_axis_op{"take_along_axis", infer, forward, backward};

}  // namespace hl
