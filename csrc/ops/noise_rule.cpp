#include "ops/noise.h"

#include <cmath>

#include "core/philox.h"
#include "ops/checks.h"

namespace hl {
namespace {

bool multiplies(const Attrs& attrs) { return attrs.text("kind", "add") == "multiply"; }

void infer(Infer& node) {
  node.allow({"kind", "stddev", "stream"});
  expect_inputs(node, 1, "x");
  const std::string kind = node.attrs().text("kind", "add");
  if (kind != "add" && kind != "multiply") node.fail("kind 'add' or 'multiply'", "'" + kind + "'");
  const double stddev = node.attrs().number("stddev");
  if (!(stddev >= 0) || std::isinf(stddev))
    node.fail("a finite standard deviation of at least 0", std::to_string(stddev));
  const int64_t stream = node.attrs().integer("stream", 0);
  if (stream < 0 || stream >= kMostStreams) node.fail("a stream from 0 to 2**29 - 1", std::to_string(stream));
  node.output(batched_float(node, 0));
}

Buf factors(Build& b) { return b.save(0, {b.max_rows(), b.output_spec().features(), b.dtype()}); }

void forward(Build& b) {
  NoiseForward a{};
  a.features = b.output_spec().features();
  a.stream = b.attrs().integer("stream", 0);
  a.stddev = b.attrs().number("stddev");
  a.multiply = multiplies(b.attrs());
  a.x = b.read(b.input(0));
  a.y = b.write(b.output());
  if (a.multiply && b.training() && b.wants_grad(0)) a.factor = b.write(factors(b));
  const double elements = double(b.max_rows()) * a.features;
  b.emit(b.kernels().noise_forward, a, {60 * elements, 2 * elements * size_of(b.dtype())});
}

void backward(Build& b) {
  if (!b.wants_grad(0)) return;
  if (!multiplies(b.attrs())) return b.alias_grad_input(0, b.grad_output());
  NoiseBackward a{};
  a.features = b.output_spec().features();
  a.dy = b.read(b.grad_output());
  a.factor = b.read(factors(b));
  a.dx = b.write(b.grad_input(0));
  const double elements = double(b.max_rows()) * a.features;
  b.emit(b.kernels().noise_backward, a, {elements, 3 * elements * size_of(b.dtype())});
}

}  // namespace

const Op noise_op{"noise", infer, forward, backward};

}  // namespace hl
