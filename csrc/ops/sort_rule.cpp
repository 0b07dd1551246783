#include "ops/sort.h"

#include "ops/checks.h"

namespace hl {
namespace {

constexpr int64_t kMost = int64_t(1) << 24;  // places that a float holds

void infer(Infer& node) {
  node.allow({"axis", "descending"});
  expect_inputs(node, 1, "x");
  const Spec& x = batched_float(node, 0);
  const size_t axis = feature_axis(node, x.shape, node.attrs().integer("axis", -1));
  if (x.shape[axis] > kMost)
    node.fail("at most " + std::to_string(kMost) + " elements to sort", std::to_string(x.shape[axis]));
  node.output(x);
}

void forward(Build& b) {
  const AxisView view = view_axis(b.spec(0).shape, b.attrs().integer("axis", -1));
  ArgSort a{};
  a.x = b.read(b.input(0));
  a.y = b.write(b.output());
  a.outer = view.outer;
  a.size = view.size;
  a.inner = view.inner;
  a.descending = b.attrs().flag("descending", false);
  double passes = 1;
  for (int64_t n = view.size; n > 1; n /= 2) passes += 2;
  const double elements = double(b.max_rows()) * b.spec(0).features();
  b.emit(b.kernels().argsort, a, {passes * elements, 2 * elements * size_of(b.dtype())});
}

}  // namespace

const Op argsort_op{"argsort", infer, forward, nullptr};

}  // namespace hl
