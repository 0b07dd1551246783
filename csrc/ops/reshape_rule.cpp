#include "ops/reshape.h"

#include "ops/checks.h"
#include "ops/rules.h"

namespace hl {
namespace {

std::string text_of(const std::vector<int64_t>& axes) {
  std::string text;
  for (int64_t axis : axes) text += (text.empty() ? "" : ", ") + std::to_string(axis);
  return "(" + text + (axes.size() == 1 ? ",)" : ")");
}

// The new shape of a sample; one axis may be -1, the one that makes the element counts equal.
Shape resolve(const Infer& node, const Shape& from, bool batched, const std::vector<int64_t>& axes) {
  const int64_t elements = element_count(from);
  Shape to;
  if (batched) to.push_back(kBatch);
  const size_t none = size_t(-1);
  size_t open = none;  // place of the -1
  int64_t known = 1;
  for (int64_t axis : axes) {
    if (axis < -1 || (axis == -1 && open != none))
      node.fail("axes of at least 0, at most one of them -1", text_of(axes));
    if (axis == -1) open = to.size();
    to.push_back(axis);
  }
  known = element_count(to);  // the open axis reads as a batch axis and does not count
  if (open != none && known > 0 && elements % known == 0) {
    to[open] = elements / known;
    known = elements;
  }
  if (known != elements || (open != none && to[open] < 0))
    node.fail("a shape of " + std::to_string(elements) + " elements, as x " + to_string(from) + " has for each sample",
              text_of(axes), "Use -1 for one axis to have it computed.");
  return to;
}

void infer(Infer& node) {
  node.allow({"shape"});
  expect_inputs(node, 1, "x");
  const Spec& x = node.input(0);
  node.output({resolve(node, x.shape, x.batched(), node.attrs().integers("shape")), x.dtype});
}

void forward(Build& b) { b.alias_output(flat_variable(b, 0)); }

void backward(Build& b) {
  if (!b.wants_grad(0)) return;
  if (!b.is_variable(0)) return b.alias_grad_input(0, b.grad_output());
  finish_flat_gradient(b, 0, {b.grad_output(), true});
}

}  // namespace

const Op reshape_op{"reshape", infer, forward, backward};

}  // namespace hl
