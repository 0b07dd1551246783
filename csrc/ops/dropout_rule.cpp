#include "ops/dropout.h"

#include <cmath>

#include "core/philox.h"
#include "ops/checks.h"

namespace hl {
namespace {

constexpr double kAlpha = -1.7580993408473766;  // what SELU saturates to

// Attribute `noise_shape`, of the whole shape: 0 takes the input's size, 1 shares along the axis. Empty: nobody shares.
Shape noise_shape_of(const Attrs& attrs) {
  const Shape shape = attrs.has("noise_shape") ? Shape(attrs.integers("noise_shape")) : Shape{};
  for (const int64_t size : shape)
    if (size == 1) return shape;
  return {};
}

void infer(Infer& node) {
  node.allow({"rate", "stream", "alpha", "noise_shape"});
  expect_inputs(node, 1, "x");
  const double rate = node.attrs().number("rate");
  if (!(rate >= 0 && rate <= 1))
    node.fail("a rate from 0 to 1", std::to_string(rate), "It is the share of elements to drop.");
  const int64_t stream = node.attrs().integer("stream", 0);
  if (stream < 0 || stream >= kMostStreams) node.fail("a stream from 0 to 2**29 - 1", std::to_string(stream));
  node.attrs().flag("alpha", false);
  const Spec& x = batched_float(node, 0);
  if (node.attrs().has("noise_shape")) {
    const Shape noise(node.attrs().integers("noise_shape"));
    bool fits = noise.size() == x.shape.size() && (noise[0] == 0 || noise[0] == 1);
    for (size_t i = 1; fits && i < noise.size(); ++i) fits = noise[i] == 0 || noise[i] == 1 || noise[i] == x.shape[i];
    if (!fits)
      node.fail("a noise_shape that fits " + to_string(x.shape), to_string(noise),
                "Each entry is the size of its axis, None for that size, or 1 to share along it.");
  }
  node.output(x);
}

Fate fate_of(const Attrs& attrs) {
  const double rate = attrs.number("rate");
  if (!attrs.flag("alpha", false)) return {1 / (1 - rate), 0, 0};
  if (rate == 1) return {0, 0, 0};  // the limit
  const double a = 1 / std::sqrt((1 - rate) * (1 + rate * kAlpha * kAlpha)), b = -a * kAlpha * rate;
  return {a, b, a * kAlpha + b};
}

Buf kept_bits(Build& b) {
  const int64_t groups = (b.output_spec().features() + kMaskColumns - 1) / kMaskColumns;
  return b.save(0, {b.max_rows(), groups * kMaskWords, DType::i32});
}

double elements_of(const Build& b) { return double(b.max_rows()) * b.output_spec().features(); }

// The smaller shape's mask, and how the input's elements find theirs. Neighbouring axes that share alike become one.
struct SharedMask {
  Buf buf;
  int64_t columns = 1;
  bool one_row = false;
  DropoutShared apply{};
};

SharedMask shared_mask(Build& b, const Shape& noise) {
  SharedMask m;
  const Shape& shape = b.output_spec().shape;
  m.one_row = noise[0] == 1;
  int64_t axes = 0;
  for (size_t i = 1; i < shape.size(); ++i) {
    const bool shared = noise[i] == 1;
    const bool like_last = axes > 0 && (m.apply.strides[axes - 1] == 0) == shared;
    if (!shared) m.columns *= shape[i];
    if (like_last) {
      m.apply.sizes[axes - 1] *= shape[i];
    } else {
      m.apply.sizes[axes] = shape[i];
      m.apply.strides[axes++] = shared ? 0 : 1;
    }
  }
  if (axes == 0) m.apply.sizes[axes++] = 1;
  int64_t stride = 1;
  for (int64_t axis = axes - 1; axis >= 0; --axis) {
    if (m.apply.strides[axis] == 0) continue;
    m.apply.strides[axis] = stride;
    stride *= m.apply.sizes[axis];
  }
  m.apply.axes = axes;
  m.apply.one_row = m.one_row;
  m.buf = b.save(0, {m.one_row ? 1 : b.max_rows(), m.columns, b.dtype()});
  return m;
}

void forward_shared(Build& b, const Shape& noise) {
  SharedMask m = shared_mask(b, noise);
  DropoutMask d{};
  d.mask = b.write(m.buf);
  d.columns = m.columns;
  d.one_row = m.one_row;
  d.last_dropped = last_dropped(b.attrs().number("rate"));
  d.stream = b.attrs().integer("stream", 0);
  b.emit(b.kernels().dropout_mask, d, {30.0 * b.max_rows() * m.columns, 0});
  m.apply.x = b.read(b.input(0));
  m.apply.mask = b.read(m.buf);
  m.apply.y = b.write(b.output());
  m.apply.fate = fate_of(b.attrs());
  b.emit(b.kernels().dropout_shared, m.apply, {2 * elements_of(b), 2 * elements_of(b) * size_of(b.dtype())});
}

void backward_shared(Build& b, const Shape& noise) {
  SharedMask m = shared_mask(b, noise);
  m.apply.x = b.read(b.grad_output());
  m.apply.mask = b.read(m.buf);
  m.apply.y = b.write(b.grad_input(0));
  m.apply.fate = {fate_of(b.attrs()).scale, 0, 0};
  b.emit(b.kernels().dropout_shared, m.apply, {2 * elements_of(b), 2 * elements_of(b) * size_of(b.dtype())});
}

void forward(Build& b) {
  const double rate = b.attrs().number("rate");
  if (rate == 0) return b.alias_output(b.input(0));
  const Shape noise = noise_shape_of(b.attrs());
  if (!noise.empty()) return forward_shared(b, noise);
  DropoutForward a{};
  a.features = b.output_spec().features();
  a.last_dropped = last_dropped(rate);
  a.stream = b.attrs().integer("stream", 0);
  a.fate = fate_of(b.attrs());
  a.x = b.read(b.input(0));
  a.y = b.write(b.output());
  a.kept = b.write(kept_bits(b));
  b.emit(b.kernels().dropout_forward, a, {30 * elements_of(b), 2 * elements_of(b) * size_of(b.dtype())});
}

void backward(Build& b) {
  if (!b.wants_grad(0)) return;
  if (b.attrs().number("rate") == 0) return b.alias_grad_input(0, b.grad_output());
  const Shape noise = noise_shape_of(b.attrs());
  if (!noise.empty()) return backward_shared(b, noise);
  DropoutBackward a{};
  a.features = b.output_spec().features();
  a.scale = fate_of(b.attrs()).scale;
  a.kept = b.read(kept_bits(b));
  if (b.take_activation(0, &a.below)) a.x = b.read(b.input(0));
  a.dy = b.read(b.grad_output());
  a.dx = b.write(b.grad_input(0));
  b.emit(b.kernels().dropout_backward, a, {elements_of(b), 2 * elements_of(b) * size_of(b.dtype())});
}

}  // namespace

uint32_t last_dropped(double rate) { return uint32_t(std::ceil(std::ldexp(rate, 32)) - 1); }

const Op dropout_op{"dropout", infer, forward, backward};

}  // namespace hl
