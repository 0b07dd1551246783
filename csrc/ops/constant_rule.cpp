#include "ops/constant.h"

#include "ops/op.h"

namespace hl {
namespace {

void infer(Infer& node) {
  node.allow({"shape", "values"});
  if (node.inputs() != 0) node.fail("no inputs", std::to_string(node.inputs()));
  const Shape shape = node.attrs().integers("shape");
  for (int64_t axis : shape)
    if (axis < 0) node.fail("a shape with every axis known", to_string(shape));
  if (element_count(shape) != int64_t(node.attrs().numbers("values").size()))
    node.fail("a number for each of " + std::to_string(element_count(shape)) + " elements",
              std::to_string(node.attrs().numbers("values").size()));
  node.output({shape, node.dtype()});
}

void forward(Build& b) {
  Constant a{};
  a.values = b.numbers("values");
  a.features = b.output_spec().features();
  a.y = b.write(b.output());
  b.emit(b.kernels().constant, a, {0, double(a.features * (8 + size_of(b.dtype())))});
}

}  // namespace

const Op constant_op{"constant", infer, forward, nullptr};

}  // namespace hl
