#include "ops/gemm.h"

#include "ops/rules.h"

namespace hl {
namespace {

void infer(Infer& node) {
  node.allow({});
  if (node.inputs() != 2) node.fail("x and w", std::to_string(node.inputs()) + " inputs");
  check_product(node, node.input(0), node.input(1));
  Shape shape = node.input(0).shape;
  shape.back() = node.input(1).shape[1];
  node.output({shape, node.dtype()});
}

// A dense layer without bias and activation.
void forward(Build& b) { dense_op.forward(b); }
void backward(Build& b) { dense_op.backward(b); }

}  // namespace

const Op matmul_op{"matmul", infer, forward, backward};

}  // namespace hl
