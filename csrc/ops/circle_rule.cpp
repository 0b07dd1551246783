#include "ops/circle.h"

#include "ops/checks.h"
#include "ops/rules.h"

namespace hl {
namespace {

// One number a row: (M) or (M,1), (R) or (R,1).
bool is_column(const Spec& labels, const Spec& rows) {
  return labels.batched() == rows.batched() && labels.shape[0] == rows.shape[0] && labels.shape.size() <= 2 &&
         (labels.batched() ? labels.features() == 1 : labels.features() == rows.shape[0]);
}

void infer(Infer& node) {
  node.allow({"gamma", "margin", "remove_diagonal"});
  expect_inputs(node, 4, "embeddings, labels, reference embeddings, reference labels");
  const Spec& e = batched_float(node, 0);
  if (e.shape.size() != 2) node.fail("embeddings (batch, D)", to_string(e.shape));
  const Spec& r = node.input(2);
  if (r.shape.size() != 2 || r.shape[1] != e.shape[1] || r.shape[0] == 0)
    node.fail("reference embeddings of width " + std::to_string(e.shape[1]), to_string(r.shape));
  for (int i : {1, 3})
    if (node.input(i).shape.empty() || node.input(i).dtype != e.dtype || !is_column(node.input(i), node.input(i - 1)))
      node.fail("one label for each row of " + to_string(node.input(i - 1).shape), to_string(node.input(i).shape));
  node.output({{kBatch}, e.dtype});
}

CirclePairs pairs_of(Build& b, Buf refs, bool forward) {
  const Spec& r = b.spec(2);
  CirclePairs a{};
  a.width = b.spec(0).shape[1];
  a.refs = r.batched() ? 0 : r.shape[0];
  a.gamma = b.attrs().number("gamma", 80.0);
  a.margin = b.attrs().number("margin", 0.4);
  a.remove_diagonal = b.attrs().flag("remove_diagonal", true);
  const Extent extent{b.max_rows(), a.refs ? a.refs : b.max_rows(), b.dtype()};
  const Buf s = b.save(0, extent), sign = b.save(1, extent), sums = b.save(2, {b.max_rows(), 2, b.dtype()});
  a.s = forward ? b.write(s) : b.read(s);
  a.sign = forward ? b.write(sign) : b.read(sign);
  a.sums = forward ? b.write(sums) : b.read(sums);
  a.e = b.read(b.input(0));
  a.r = b.read(refs);
  if (!r.batched()) a.r.ld = a.width;
  return a;
}

Cost cost_of(const Build& b, const CirclePairs& a) {
  const double pairs = double(b.max_rows()) * double(a.refs ? a.refs : b.max_rows());
  return {pairs * (2.0 * double(a.width) + 60.0), 2 * pairs * size_of(b.dtype())};
}

void forward(Build& b) {
  const Buf refs = flat_variable(b, 2), ref_labels = flat_variable(b, 3);
  CircleForward a{};
  a.pairs = pairs_of(b, refs, true);
  a.pairs.labels = b.read(b.input(1));
  a.pairs.ref_labels = b.read(ref_labels);
  if (!b.spec(3).batched()) a.pairs.ref_labels.ld = 1;
  a.y = b.write(b.output());
  b.emit(b.kernels().circle_forward, a, cost_of(b, a.pairs));
}

void backward(Build& b) {
  if (!b.wants_grad(0) && !b.wants_grad(2)) return;
  const Buf refs = flat_variable(b, 2);
  CircleBackward a{};
  a.pairs = pairs_of(b, refs, false);
  const Buf g = b.scratch({b.max_rows(), a.pairs.refs ? a.pairs.refs : b.max_rows(), b.dtype()});
  a.dy = b.read(b.grad_output());
  a.g = b.write(g);
  if (b.wants_grad(0)) a.de = b.write(b.grad_input(0));
  b.emit(b.kernels().circle_backward, a, cost_of(b, a.pairs));
  if (!b.wants_grad(2)) return;
  const FlatGradient gradient = flat_gradient(b, 2);
  CircleBackwardRefs c{};
  c.pairs = pairs_of(b, refs, false);
  c.g = b.read(g);
  c.dr = b.write(gradient.buf);
  if (!b.spec(2).batched()) c.dr.ld = c.pairs.width;
  b.emit(b.kernels().circle_backward_refs, c, cost_of(b, c.pairs));
  finish_flat_gradient(b, 2, gradient);
}

}  // namespace

const Op circle_op{"circle", infer, forward, backward};

}  // namespace hl
