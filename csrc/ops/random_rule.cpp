#include "ops/random.h"

#include <cmath>

#include "core/error.h"
#include "ops/checks.h"

namespace hl {
namespace {

Distribution distribution_of(const Attrs& attrs) {
  return distribution_from(attrs.text("kind", "uniform"), attrs.number("a", 0), attrs.number("b", 1));
}

void check_stream(const Infer& node) {
  const int64_t stream = node.attrs().integer("stream");
  if (stream < 0 || stream >= kMostStreams)
    node.fail("stream from 0 to " + std::to_string(kMostStreams - 1), std::to_string(stream));
}

void infer(Infer& node) {
  node.allow({"kind", "a", "b", "shape", "stream"});
  expect_inputs(node, 0, "no inputs");
  distribution_of(node.attrs());
  check_stream(node);
  node.output({batch_shape(node), node.dtype()});
}

void forward(Build& b) {
  RandomFill a{};
  a.dst = b.write(b.output());
  a.features = b.output_spec().features();
  a.distribution = distribution_of(b.attrs());
  a.stream = b.attrs().integer("stream");
  a.purpose = Purpose::noise;
  const double elements = double(b.max_rows()) * a.features;
  b.emit(b.kernels().random_fill, a, {60 * elements, elements * size_of(b.dtype())});
}

void infer_bernoulli(Infer& node) {
  node.allow({"logits", "stream"});
  expect_inputs(node, 1, "x");
  check_stream(node);
  node.output(batched_float(node, 0));
}

void draw_bernoulli(Build& b) {
  BernoulliDraw a{};
  a.x = b.read(b.input(0));
  a.y = b.write(b.output());
  a.features = b.output_spec().features();
  a.stream = b.attrs().integer("stream");
  a.logits = b.attrs().flag("logits", false);
  const double elements = double(b.max_rows()) * a.features;
  b.emit(b.kernels().bernoulli, a, {20 * elements, 2 * elements * size_of(b.dtype())});
}

}  // namespace

Distribution distribution_from(const std::string& kind, double a, double b) {
  const auto refuse = [&](const char* expected) {
    throw ValueError("[random] expected " + std::string(expected) + ", received " + std::to_string(a) + " and " +
                     std::to_string(b) + ".");
  };
  const bool finite = std::isfinite(a) && std::isfinite(b);
  if (kind == "uniform") {
    if (!finite || a > b || !std::isfinite(b - a)) refuse("finite minval and maxval with minval <= maxval");
    return {RandomKind::uniform, a, b};
  }
  if (kind != "normal" && kind != "truncated_normal")
    throw ValueError("[random] expected kind 'uniform', 'normal' or 'truncated_normal', received '" + kind + "'." +
                     suggestion(kind, {"uniform", "normal", "truncated_normal"}));
  if (!finite || b < 0) refuse("a finite mean and a finite stddev of at least 0");
  return {kind == "normal" ? RandomKind::normal : RandomKind::truncated_normal, a, b};
}

void fill_random(const Kernels& kernels, void* values, int64_t n, Distribution distribution, uint64_t seed,
                 int64_t stream) {
  const RandomFill fill{{values, n}, n, distribution, stream, Purpose::initial_values};
  RunState run;
  run.rows = 1;
  run.seed = seed;
  kernels.random_fill.fn(&fill, run, Worker{});
}

const Op random_op{"random", infer, forward, nullptr};
const Op bernoulli_op{"bernoulli", infer_bernoulli, draw_bernoulli, nullptr};

}  // namespace hl
