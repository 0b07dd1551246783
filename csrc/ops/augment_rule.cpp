#include "ops/augment.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/philox.h"
#include "ops/checks.h"

namespace hl {
namespace {

// An image (batch, height, width, channels).
const Spec& image(const Infer& node) {
  const Spec& x = batched_float(node, 0);
  if (x.shape.size() != 4)
    node.fail("images of shape (batch, height, width, channels)", to_string(x.shape),
              "Images without a channel axis get one by Reshape((height, width, 1)).");
  return x;
}

Interval interval(const Attrs& attrs, const std::string& name, double fallback) {
  return {attrs.number(name + "_low", fallback), attrs.number(name + "_high", fallback)};
}

void check_interval(const Infer& node, const std::string& name, double fallback) {
  const Interval i = interval(node.attrs(), name, fallback);
  if (!(std::abs(i.low) <= kMostPixels && std::abs(i.high) <= kMostPixels && i.low <= i.high))
    node.fail(name + " from a finite number to one that is not smaller",
              std::to_string(i.low) + " and " + std::to_string(i.high));
}

void check_stream(const Infer& node) {
  const int64_t stream = node.attrs().integer("stream", 0);
  if (stream < 0 || stream >= kMostStreams) node.fail("a stream from 0 to 2**29 - 1", std::to_string(stream));
}

std::string fill_mode(const Attrs& attrs) { return attrs.text("fill_mode", "reflect"); }
std::string interpolation(const Attrs& attrs) { return attrs.text("interpolation", "bilinear"); }

// Attribute `size`, or that of the input.
Shape warped_shape(const Attrs& attrs, const Shape& x) {
  if (!attrs.has("size")) return x;
  Shape shape = x;
  const std::vector<int64_t> size = attrs.integers("size");
  for (size_t i = 0; i < 2; ++i) shape[i + 1] = size.at(i);
  return shape;
}

void warp_infer(Infer& node) {
  node.allow({"size",      "angle_low",  "angle_high", "zoom_y_low", "zoom_y_high", "zoom_x_low",
              "zoom_x_high", "one_zoom",   "top_low",    "top_high",   "left_low",    "left_high",
              "whole",     "flip_x",     "flip_y",     "fill_mode",  "fill_value",  "interpolation",
              "stream"});
  expect_inputs(node, 1, "x");
  const Attrs& attrs = node.attrs();
  const Spec& x = image(node);
  if (attrs.has("size") && attrs.integers("size").size() != 2)
    node.fail("size as height and width", to_string(attrs.integers("size")));
  const Shape shape = warped_shape(attrs, x.shape);
  for (const int64_t side : {x.shape[1], x.shape[2], shape[1], shape[2]})
    if (side < 1 || side > kMostPixels)
      node.fail("images of 1 to 2**20 pixels a side", to_string(x.shape) + " and " + to_string(shape));
  for (const char* name : {"angle", "top", "left"}) check_interval(node, name, 0);
  for (const char* name : {"zoom_y", "zoom_x"}) check_interval(node, name, 1);
  for (const char* name : {"one_zoom", "whole", "flip_x", "flip_y"}) attrs.flag(name, false);
  const std::string fill = fill_mode(attrs), sampling = interpolation(attrs);
  if (fill != "reflect" && fill != "nearest" && fill != "wrap" && fill != "constant")
    node.fail("fill_mode 'reflect', 'nearest', 'wrap' or 'constant'", "'" + fill + "'",
              suggestion(fill, {"reflect", "nearest", "wrap", "constant"}));
  if (sampling != "bilinear" && sampling != "nearest")
    node.fail("interpolation 'bilinear' or 'nearest'", "'" + sampling + "'",
              suggestion(sampling, {"bilinear", "nearest"}));
  if (!std::isfinite(attrs.number("fill_value", 0)))
    node.fail("a finite fill_value", std::to_string(attrs.number("fill_value", 0)));
  check_stream(node);
  node.output({shape, x.dtype});
}

Warp warp_args(Build& b) {
  const Attrs& attrs = b.attrs();
  const Shape &in = b.spec(0).shape, &out = b.output_spec().shape;
  const std::string fill = fill_mode(attrs);
  Warp a{};
  a.height = in[1], a.width = in[2], a.channels = in[3];
  a.out_height = out[1], a.out_width = out[2];
  a.angle = interval(attrs, "angle", 0);
  a.zoom_y = interval(attrs, "zoom_y", 1);
  a.zoom_x = interval(attrs, "zoom_x", 1);
  a.top = interval(attrs, "top", 0);
  a.left = interval(attrs, "left", 0);
  a.one_zoom = attrs.flag("one_zoom", false);
  a.whole = attrs.flag("whole", false);
  a.flip_x = attrs.flag("flip_x", false);
  a.flip_y = attrs.flag("flip_y", false);
  a.nearest = interpolation(attrs) == "nearest";
  a.fill = fill == "reflect"   ? Fill::reflect
           : fill == "nearest" ? Fill::nearest
           : fill == "wrap"    ? Fill::wrap
                               : Fill::constant;
  a.fill_value = attrs.number("fill_value", 0);
  a.stream = attrs.integer("stream", 0);
  return a;
}

Cost cost_of(const Build& b) {
  const double elements = double(b.max_rows()) * double(b.output_spec().features());
  return {30 * elements, 2 * elements * size_of(b.dtype())};
}

void warp_forward(Build& b) {
  Warp a = warp_args(b);
  a.x = b.read(b.input(0));
  a.y = b.write(b.output());
  b.emit(b.kernels().warp_forward, a, cost_of(b));
}

void warp_backward(Build& b) {
  if (!b.wants_grad(0)) return;
  Warp a = warp_args(b);
  a.y = b.read(b.grad_output());
  a.x = b.write(b.grad_input(0));
  b.emit(b.kernels().warp_backward, a, cost_of(b));
}

constexpr const char* kColorKinds[] = {"brightness", "contrast", "saturation", "hue"};
constexpr const char* kResampleKinds[] = {"nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"};

// The place of attribute `kind` in the list of an enum's names.
template <class Kind, size_t n>
Kind kind_of(const Infer* node, const Attrs& attrs, const char* const (&names)[n]) {
  const std::string kind = attrs.text("kind");
  for (size_t i = 0; i < n; ++i)
    if (kind == names[i]) return Kind(i);
  std::string all;
  for (const char* name : names) all += (all.empty() ? "'" : ", '") + std::string(name) + "'";
  node->fail("one of " + all, "'" + kind + "'", suggestion(kind, {names, names + n}));
  return Kind(n);
}

void recolor_infer(Infer& node) {
  node.allow({"kind", "factor_low", "factor_high", "low", "high", "stream"});
  expect_inputs(node, 1, "x");
  const Spec& x = image(node);
  const ColorKind kind = kind_of<ColorKind>(&node, node.attrs(), kColorKinds);
  if ((kind == ColorKind::saturation || kind == ColorKind::hue) && x.shape[3] != 3)
    node.fail("images of 3 channels, red, green and blue", to_string(x.shape));
  check_interval(node, "factor", 0);
  const double low = node.attrs().number("low"), high = node.attrs().number("high");
  if (!(std::isfinite(low) && std::isfinite(high) && low < high))
    node.fail("a range of values from low to high", std::to_string(low) + " and " + std::to_string(high));
  check_stream(node);
  node.output(x);
}

Recolor recolor_args(Build& b) {
  Recolor a{};
  const Shape& shape = b.output_spec().shape;
  a.pixels = shape[1] * shape[2];
  a.channels = shape[3];
  a.kind = kind_of<ColorKind>(nullptr, b.attrs(), kColorKinds);
  a.factor = interval(b.attrs(), "factor", 0);
  a.low = b.attrs().number("low");
  a.high = b.attrs().number("high");
  a.stream = b.attrs().integer("stream", 0);
  a.x = b.read(b.input(0));
  return a;
}

void recolor_forward(Build& b) {
  Recolor a = recolor_args(b);
  a.y = b.write(b.output());
  b.emit(b.kernels().recolor_forward, a, cost_of(b));
}

void recolor_backward(Build& b) {
  if (!b.wants_grad(0)) return;
  Recolor a = recolor_args(b);
  a.dy = b.read(b.grad_output());
  a.dx = b.write(b.grad_input(0));
  b.emit(b.kernels().recolor_backward, a, cost_of(b));
}

void resample_infer(Infer& node) {
  node.allow({"kind", "axis", "size", "begin", "length", "antialias", "fill_value"});
  expect_inputs(node, 1, "x");
  const Attrs& attrs = node.attrs();
  const Spec& x = batched_float(node, 0);
  kind_of<ResampleKind>(&node, attrs, kResampleKinds);
  attrs.flag("antialias", false);
  Shape shape = x.shape;
  const size_t axis = feature_axis(node, shape, attrs.integer("axis"));
  const int64_t size = attrs.integer("size"), begin = attrs.integer("begin", 0);
  const int64_t length = attrs.integer("length", shape[axis]);
  for (const int64_t n : {shape[axis], size, length})
    if (n < 1 || n > kMostPixels) node.fail("1 to 2**20 points along the axis", std::to_string(n));
  if (begin < -kMostPixels || begin > kMostPixels)
    node.fail("a window that begins within 2**20 points of the axis", std::to_string(begin));
  if (!std::isfinite(attrs.number("fill_value", 0)))
    node.fail("a finite fill_value", std::to_string(attrs.number("fill_value", 0)));
  shape[axis] = size;
  node.output({shape, x.dtype});
}

// Computes the weights and gives the arguments that both directions share.
Resample resample_args(Build& b) {
  const Attrs& attrs = b.attrs();
  const AxisView view = view_axis(b.spec(0).shape, attrs.integer("axis"));
  ResampleTaps t{};
  t.kind = kind_of<ResampleKind>(nullptr, attrs, kResampleKinds);
  t.antialias = attrs.flag("antialias", false);
  t.begin = attrs.integer("begin", 0);
  t.length = attrs.integer("length", view.size);
  t.size = attrs.integer("size");
  constexpr double kRadius[] = {0, 1, 2, 3, 5};
  const double step = double(t.length) / double(t.size), width = t.antialias && step > 1 ? step : 1;
  t.count = t.kind == ResampleKind::nearest
                ? 1
                : std::min(t.length, 2 * int64_t(std::ceil(kRadius[int(t.kind)] * width)));
  const Buf taps = b.scratch({t.size, 1 + t.count, b.dtype()});
  t.taps = b.write(taps);
  b.emit(b.kernels().resample_taps, t, {60.0 * double(t.size * t.count), 0});
  Resample a{};
  a.outer = view.outer;
  a.in = view.size;
  a.inner = view.inner;
  a.size = t.size;
  a.count = t.count;
  a.fill_value = attrs.number("fill_value", 0);
  a.taps = b.read(taps);
  return a;
}

Cost resample_cost(const Build& b, const Resample& a) {
  const Cost cost = cost_of(b);
  return {cost.flops / 10 * double(a.count), cost.bytes};
}

void resample_forward(Build& b) {
  Resample a = resample_args(b);
  a.x = b.read(b.input(0));
  a.y = b.write(b.output());
  b.emit(b.kernels().resample_forward, a, resample_cost(b, a));
}

void resample_backward(Build& b) {
  if (!b.wants_grad(0)) return;
  Resample a = resample_args(b);
  a.fill_value = 0;
  a.y = b.read(b.grad_output());
  a.x = b.write(b.grad_input(0));
  b.emit(b.kernels().resample_backward, a, resample_cost(b, a));
}

}  // namespace

const Op warp_op{"warp", warp_infer, warp_forward, warp_backward};
const Op recolor_op{"recolor", recolor_infer, recolor_forward, recolor_backward};
const Op resample_op{"resample", resample_infer, resample_forward, resample_backward};

}  // namespace hl
