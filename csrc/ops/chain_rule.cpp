#include "ops/chain.h"

#include "ops/checks.h"

namespace hl {
namespace {

void check_state(const Infer& node, const Spec& state) {
  if (state.batched() || state.shape.size() != 2 || state.features() == 0)
    node.fail("a variable of shape (chains, features)", to_string(state.shape));
}

void infer(Infer& node) {
  node.allow({});
  expect_inputs(node, 1, "state");
  check_state(node, node.input(0));
  node.output({{kBatch, node.input(0).shape[1]}, node.dtype()});
}

void infer_kept(Infer& node) {
  node.allow({});
  expect_inputs(node, 2, "value, state");
  check_state(node, node.input(1));
  const Shape want{kBatch, node.input(1).shape[1]};
  if (batched_float(node, 0).shape != want)
    node.fail("a value of shape " + to_string(want), to_string(node.input(0).shape));
}

Cost cost_of(Build& b, const ChainCopy& a) {
  return {0, 2.0 * double(b.max_rows()) * double(a.shape.N) * size_of(b.dtype())};
}

void forward(Build& b) {
  ChainCopy a{};
  a.shape = panel_shape(b.spec(0).shape);
  a.state = b.read(b.input(0)).data;
  a.rows = b.write(b.output());
  b.emit(b.kernels().chain_read, a, cost_of(b, a));
}

void keep(Build& b) {
  ChainCopy a{};
  a.shape = panel_shape(b.spec(1).shape);
  a.rows = b.read(b.input(0));
  a.state = b.update(b.input(1)).data;
  b.emit(b.kernels().chain_keep, a, cost_of(b, a));
}

}  // namespace

const Op chain_op{"chain", infer, forward, nullptr};
const Op keep_chain_op{"keep_chain", infer_kept, keep, nullptr};

}  // namespace hl
