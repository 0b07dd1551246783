#include "ops/fold_rule.h"

#include "core/error.h"
#include "ops/checks.h"

namespace hl {
namespace {

bool is_mean(const Attrs& attrs) { return attrs.text("kind") == "mean"; }

void infer(Infer& node) {
  node.allow({"kind"});
  expect_inputs(node, 1, "x");
  Spec x = batched_float(node, 0);
  const std::string kind = node.attrs().text("kind");
  if (kind != "sum" && kind != "mean")
    node.fail("kind 'sum' or 'mean'", "'" + kind + "'", suggestion(kind, {"sum", "mean"}));
  x.shape.erase(x.shape.begin());
  node.output(x);
}

void forward(Build& b) {
  fold_batch(b, keep_all(b.output_spec().features()), b.input(0), b.output(), is_mean(b.attrs()), Order::kChain);
}

void backward(Build& b) {
  if (!b.wants_grad(0)) return;
  SpreadRows a{};
  a.features = b.output_spec().features();
  a.mean = is_mean(b.attrs());
  a.dy = b.read(b.grad_output());
  a.dx = b.write(b.grad_input(0));
  const double elements = double(b.max_rows()) * a.features;
  b.emit(b.kernels().spread_rows, a, {elements, elements * size_of(b.dtype())});
}

}  // namespace

Fold keep_all(int64_t features) {
  Fold f{};
  for (int i = 0; i < kFoldAxes; ++i) f.kept[i] = f.folded[i] = 1;
  f.kept[kFoldAxes - 1] = f.width = f.features = features;
  f.kept_strides[kFoldAxes - 1] = f.sums = 1;
  return f;
}

void fold_batch(Build& b, Fold f, Buf x, Buf y, bool mean, Order order) {
  const Buf part = b.scratch({(b.max_rows() + kFoldRows - 1) / kFoldRows, f.features, b.dtype()});
  f.rows_a_block = kFoldRows;
  f.x = b.read(x);
  f.y = b.write(part);
  const double elements = double(b.max_rows()) * f.features * f.sums;
  b.emit(b.kernels().fold, f, {elements, elements * size_of(b.dtype())}, order);
  Fold blocks = keep_all(f.features);
  blocks.count_blocks = true;
  blocks.mean = mean;
  blocks.x = b.read(part);
  blocks.y = b.write(y);
  b.emit(b.kernels().fold, blocks, {elements / kFoldRows, elements / kFoldRows * size_of(b.dtype())}, order);
}

const Op reduce_batch_op{"reduce_batch", infer, forward, backward};

}  // namespace hl
