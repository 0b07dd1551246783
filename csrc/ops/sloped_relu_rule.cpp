#include "ops/sloped_relu.h"

#include <cmath>

#include "core/philox.h"
#include "ops/checks.h"
#include "ops/rules.h"

namespace hl {
namespace {

// ---- prelu ----

void infer_prelu(Infer& node) {
  node.allow({});
  expect_inputs(node, 2, "x, alpha");
  const Spec& x = batched_float(node, 0);
  const Shape& slope = node.input(1).shape;
  bool fits = !node.input(1).batched() && slope.size() + 1 == x.shape.size() && !slope.empty() &&
              slope.size() <= size_t(kSlopeAxes);
  for (size_t i = 0; fits && i < slope.size(); ++i) fits = slope[i] == x.shape[i + 1] || slope[i] == 1;
  if (!fits)
    node.fail("an alpha of the shape of one sample of x " + to_string(x.shape) + ", of at most " +
                  std::to_string(kSlopeAxes) + " axes",
              to_string(slope), "An axis along which alpha is shared has size 1.");
  node.output(x);
}

SlopeShape slope_shape(const Build& b) {
  const Shape &x = b.spec(0).shape, &slope = b.spec(1).shape;
  SlopeShape s{};
  s.features = b.spec(0).features();
  s.slopes = b.spec(1).features();
  const int empty = kSlopeAxes - int(slope.size());
  for (int i = 0; i < empty; ++i) s.size[i] = 1;
  int64_t stride = 1;
  for (int i = int(slope.size()) - 1; i >= 0; --i) {
    s.size[empty + i] = x[size_t(i) + 1];
    s.stride[empty + i] = slope[size_t(i)] == 1 ? 0 : stride;
    stride *= slope[size_t(i)];
  }
  return s;
}

Buf feature_slopes(Build& b) {
  const Buf flat = flat_variable(b, 1);
  const SlopeShape shape = slope_shape(b);
  if (shape.slopes == shape.features) return flat;
  SlopeSpread a{};
  a.shape = shape;
  a.slopes = b.read(flat).data;
  const Buf spread = b.scratch({1, shape.features, b.dtype()});
  a.features = b.write(spread).data;
  b.emit(b.kernels().slope_spread, a);
  return spread;
}

void forward_prelu(Build& b) {
  const Buf slopes = feature_slopes(b);
  PreluForward a{};
  a.features = b.output_spec().features();
  a.slope = b.read(slopes).data;
  a.x = b.read(b.input(0));
  a.y = b.write(b.output());
  const double elements = double(b.max_rows()) * a.features;
  b.emit(b.kernels().prelu_forward, a, {2 * elements, 2 * elements * size_of(b.dtype())});
}

void slope_gradient(Build& b) {
  const SlopeShape shape = slope_shape(b);
  const bool shared = shape.slopes != shape.features;
  const FlatGradient flat = flat_gradient(b, 1);
  const Buf sums = shared ? b.scratch({1, shape.features, b.dtype()}) : flat.buf;
  PreluBackwardSlope a{};
  a.features = shape.features;
  a.x = b.read(b.input(0));
  a.dy = b.read(b.grad_output());
  a.dslope = b.write(sums).data;
  const double elements = double(b.max_rows()) * a.features;
  b.emit(b.kernels().prelu_backward_slope, a, {2 * elements, 2 * elements * size_of(b.dtype())});
  if (shared) {
    SlopeGather g{};
    g.shape = shape;
    g.features = b.read(sums).data;
    g.slopes = b.write(flat.buf).data;
    b.emit(b.kernels().slope_gather, g);
  }
  finish_flat_gradient(b, 1, flat);
}

void backward_prelu(Build& b) {
  if (b.wants_grad(1)) slope_gradient(b);
  if (!b.wants_grad(0)) return;
  const Buf slopes = feature_slopes(b);
  PreluBackward a{};
  a.features = b.output_spec().features();
  a.slope = b.read(slopes).data;
  a.x = b.read(b.input(0));
  a.dy = b.read(b.grad_output());
  a.dx = b.write(b.grad_input(0));
  const double elements = double(b.max_rows()) * a.features;
  b.emit(b.kernels().prelu_backward, a, {2 * elements, 3 * elements * size_of(b.dtype())});
}

// ---- rrelu ----

void infer_rrelu(Infer& node) {
  node.allow({"lower", "upper", "stream"});
  expect_inputs(node, 1, "x");
  const double lower = node.attrs().number("lower"), upper = node.attrs().number("upper");
  if (!(std::isfinite(lower) && std::isfinite(upper) && lower <= upper))
    node.fail("finite slopes with lower <= upper", std::to_string(lower) + " and " + std::to_string(upper));
  const int64_t stream = node.attrs().integer("stream", 0);
  if (stream < 0 || stream >= kMostStreams) node.fail("a stream from 0 to 2**29 - 1", std::to_string(stream));
  node.output(batched_float(node, 0));
}

void emit_rrelu(Build& b, Buf from, Buf to) {
  RandomSlope a{};
  a.features = b.output_spec().features();
  a.lower = b.attrs().number("lower");
  a.upper = b.attrs().number("upper");
  a.stream = b.attrs().integer("stream", 0);
  a.x = b.read(b.input(0));
  a.from = b.read(from);
  a.to = b.write(to);
  const double elements = double(b.max_rows()) * a.features;
  b.emit(b.kernels().rrelu, a, {30 * elements, 3 * elements * size_of(b.dtype())});
}

void forward_rrelu(Build& b) { emit_rrelu(b, b.input(0), b.output()); }
void backward_rrelu(Build& b) {
  if (b.wants_grad(0)) emit_rrelu(b, b.grad_output(), b.grad_input(0));
}

}  // namespace

const Op prelu_op{"prelu", infer_prelu, forward_prelu, backward_prelu};
const Op rrelu_op{"rrelu", infer_rrelu, forward_rrelu, backward_rrelu};

}  // namespace hl
