#include "ops/cumsum.h"

#include "ops/checks.h"

namespace hl {
namespace {

void infer(Infer& node) {
  node.allow({"axis"});
  expect_inputs(node, 1, "x");
  const Spec& x = batched_float(node, 0);
  feature_axis(node, x.shape, node.attrs().integer("axis", -1));
  node.output(x);
}

void add_up(Build& b, Buf x, Buf y, bool backward) {
  const AxisView view = view_axis(b.spec(0).shape, b.attrs().integer("axis", -1));
  CumSum a{};
  a.x = b.read(x);
  a.y = b.write(y);
  a.outer = view.outer;
  a.size = view.size;
  a.inner = view.inner;
  a.backward = backward;
  const double elements = double(b.max_rows()) * b.spec(0).features();
  b.emit(b.kernels().cumsum, a, {elements, 2 * elements * size_of(b.dtype())});
}

void forward(Build& b) { add_up(b, b.input(0), b.output(), false); }

void backward(Build& b) {
  if (b.wants_grad(0)) add_up(b, b.grad_output(), b.grad_input(0), true);
}

}  // namespace

const Op cumsum_op{"cumsum", infer, forward, backward};

}  // namespace hl
