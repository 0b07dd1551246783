#include "ops/state.h"

#include "ops/checks.h"

namespace hl {
namespace {

void infer(Infer& node) {
  node.allow({"shape"});
  expect_inputs(node, 0, "no inputs");
  Shape shape = batch_shape(node);
  shape.erase(shape.begin());
  node.output({shape, node.dtype()});
}

void infer_kept(Infer& node) {
  node.allow({});
  expect_inputs(node, 2, "state, value");
  if (node.input(0).batched()) node.fail("a state", "values with a batch axis");
  if (node.input(1).shape != node.input(0).shape)
    node.fail("a value of shape " + to_string(node.input(0).shape), to_string(node.input(1).shape),
              node.input(1).batched() ? "Sum over the batch." : "Reshape it.");
}

void forward(Build& b) {
  StateCopy a{};
  a.features = b.output_spec().features();
  a.accumulator = b.accumulator(int(a.features));
  a.value = b.write(b.output());
  b.emit(b.kernels().state_read, a, {0, 12.0 * double(a.features)});
}

void keep(Build& b) {
  StateCopy a{};
  a.features = b.spec(0).features();
  a.accumulator = b.input_accumulator(0);
  b.read(b.input(0));  // which makes this come after the batch's own look at what was kept
  a.value = b.read(b.input(1));
  b.emit(b.kernels().state_keep, a, {0, 12.0 * double(a.features)}, Order::kDeferred);
}

}  // namespace

const Op state_op{"state", infer, forward, nullptr, false, nullptr, nullptr, true};
const Op keep_state_op{"keep_state", infer_kept, keep, nullptr};

}  // namespace hl
