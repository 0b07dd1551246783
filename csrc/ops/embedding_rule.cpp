#include "ops/embedding.h"

#include "ops/checks.h"

namespace hl {
namespace {

void infer(Infer& node) {
  node.allow({});
  expect_inputs(node, 2, "x, w");
  const Spec &x = node.input(0), &w = node.input(1);
  if (!x.batched() || x.dtype != DType::i32)
    node.fail("a batch of int32 codes", std::string(name_of(x.dtype)) + " of shape " + to_string(x.shape),
              "Declare the input with dtype='int32'.");
  if (w.batched() || w.shape.size() != 2) node.fail("w to be a variable of shape (V, D)", to_string(w.shape));
  Shape shape = x.shape;
  shape.push_back(w.shape[1]);
  node.output({shape, node.dtype()});
}

Cost cost_of(const Build& b, double passes) {
  const double elements = double(b.max_rows()) * b.output_spec().features();
  return {elements, passes * elements * size_of(b.dtype())};
}

void forward(Build& b) {
  EmbeddingForward a{};
  a.shape = panel_shape(b.spec(1).shape);
  a.codes = b.spec(0).features();
  a.x = b.read(b.input(0));
  a.table = b.read(b.input(1)).data;
  a.y = b.write(b.output());
  b.emit(b.kernels().embedding_forward, a, cost_of(b, 2));
}

void backward(Build& b) {
  if (!b.wants_grad(1)) return;
  EmbeddingBackward a{};
  a.shape = panel_shape(b.spec(1).shape);
  a.codes = b.spec(0).features();
  a.x = b.read(b.input(0));
  a.dy = b.read(b.grad_output());
  a.table = b.write(b.grad_input(1)).data;
  Cost cost = cost_of(b, 2);
  cost.bytes += double(a.shape.elements(b.kernels().panel_width)) * size_of(b.dtype());
  b.emit(b.kernels().embedding_backward, a, cost, Order::kDeferred);
}

void infer_codes(Infer& node) {
  node.allow({});
  expect_inputs(node, 1, "x");
  node.output({batched_float(node, 0).shape, DType::i32});
}

void forward_codes(Build& b) {
  ToCodes a{};
  a.features = b.spec(0).features();
  a.x = b.read(b.input(0));
  a.y = b.write(b.output());
  const double elements = double(b.max_rows()) * a.features;
  b.emit(b.kernels().to_codes, a, {elements, elements * (4 + size_of(b.dtype()))});
}

}  // namespace

const Op embedding_op{"embedding", infer, forward, backward};
const Op codes_op{"codes", infer_codes, forward_codes, nullptr};

}  // namespace hl
