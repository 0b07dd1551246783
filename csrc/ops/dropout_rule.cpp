#include "ops/dropout.h"

#include <cmath>

#include "core/philox.h"
#include "ops/checks.h"

namespace hl {
namespace {

void infer(Infer& node) {
  node.allow({"rate", "stream"});
  expect_inputs(node, 1, "x");
  const double rate = node.attrs().number("rate");
  if (!(rate >= 0 && rate <= 1))
    node.fail("a rate from 0 to 1", std::to_string(rate), "It is the share of elements to drop.");
  const int64_t stream = node.attrs().integer("stream", 0);
  if (stream < 0 || stream >= kMostStreams) node.fail("a stream from 0 to 2**29 - 1", std::to_string(stream));
  node.output(batched_float(node, 0));
}

Buf kept_bits(Build& b) {
  const int64_t groups = (b.output_spec().features() + kMaskColumns - 1) / kMaskColumns;
  return b.save(0, {b.max_rows(), groups * kMaskWords, DType::i32});
}

void forward(Build& b) {
  const double rate = b.attrs().number("rate");
  if (rate == 0) return b.alias_output(b.input(0));
  DropoutForward a{};
  a.features = b.output_spec().features();
  a.last_dropped = uint32_t(std::ceil(std::ldexp(rate, 32)) - 1);
  a.stream = b.attrs().integer("stream", 0);
  a.scale = 1 / (1 - rate);
  a.x = b.read(b.input(0));
  a.y = b.write(b.output());
  a.kept = b.write(kept_bits(b));
  const double elements = double(b.max_rows()) * a.features;
  b.emit(b.kernels().dropout_forward, a, {30 * elements, 2 * elements * size_of(b.dtype())});
}

void backward(Build& b) {
  if (!b.wants_grad(0)) return;
  const double rate = b.attrs().number("rate");
  if (rate == 0) return b.alias_grad_input(0, b.grad_output());
  DropoutBackward a{};
  a.features = b.output_spec().features();
  a.scale = 1 / (1 - rate);
  a.kept = b.read(kept_bits(b));
  if (b.take_activation(0, &a.below)) a.x = b.read(b.input(0));
  a.dy = b.read(b.grad_output());
  a.dx = b.write(b.grad_input(0));
  const double elements = double(b.max_rows()) * a.features;
  b.emit(b.kernels().dropout_backward, a, {elements, 2 * elements * size_of(b.dtype())});
}

}  // namespace

const Op dropout_op{"dropout", infer, forward, backward};

}  // namespace hl
