#include "ops/compact.h"

#include "ops/op.h"
#include "ops/rules.h"

namespace hl {
namespace {

bool of_int8(const Spec& w) { return w.dtype == DType::i8; }

void infer(Infer& node) {
  node.allow({"activation", "alpha"});
  if (node.inputs() < 2) node.fail("x, w, for int8 its scales, and perhaps b", std::to_string(node.inputs()) + " inputs");
  const Spec &x = node.input(0), &w = node.input(1);
  const int fixed = of_int8(w) ? 3 : 2;
  if (node.inputs() < fixed || node.inputs() > fixed + 1)
    node.fail(fixed == 3 ? "x, w, its scales and perhaps b" : "x, w and perhaps b",
              std::to_string(node.inputs()) + " inputs");
  if (!is_compact(w.dtype) || w.batched() || w.shape.size() != 2)
    node.fail("weights of int8, bfloat16 or float16 with two axes", to_string(w.shape) + " of " + name_of(w.dtype));
  if (x.dtype != node.dtype()) node.fail("x of " + std::string(name_of(node.dtype())), name_of(x.dtype));
  if (!x.batched() || x.shape.size() < 2 || x.shape.back() != w.shape[0])
    node.fail("x with " + std::to_string(w.shape[0]) + " features (axis -1)", "shape " + to_string(x.shape));
  if (of_int8(w) && w.shape[0] > kMostInt8Inputs)
    node.fail("at most " + std::to_string(kMostInt8Inputs) + " features for int8", std::to_string(w.shape[0]));
  for (int i = 2; i < node.inputs(); ++i)
    if (node.input(i).batched() || node.input(i).shape != Shape{w.shape[1]} || node.input(i).dtype != node.dtype())
      node.fail((i < fixed ? "scales" : "a bias") + std::string(" of shape ") + to_string(Shape{w.shape[1]}),
                to_string(node.input(i).shape));
  activation_of(node.attrs());
  Shape shape = x.shape;
  shape.back() = w.shape[1];
  node.output({shape, x.dtype});
}

CompactWeights weights(Build& b) {
  const Spec& w = b.spec(1);
  return {b.read(b.input(1)).data, w.dtype, w.shape[0], w.shape[1]};
}

int bias_of(Build& b) {  // its input, or -1
  const int at = of_int8(b.spec(1)) ? 3 : 2;
  return b.inputs() > at ? at : -1;
}

void forward(Build& b) {
  CompactForward a{};
  const Rows x = split_rows(b, b.input(0), b.spec(0));
  const Rows y = rows_for_output(b, b.output(), b.output_spec());
  const int64_t rows = b.max_rows() * x.per_sample, K = b.spec(1).shape[0], N = b.spec(1).shape[1];
  const bool int8 = of_int8(b.spec(1));
  const double m = double(rows), kn = double(K) * double(N), e = size_of(b.dtype());
  Buf q, s;
  if (int8) {
    QuantizeRows quantize{};
    q = b.scratch({rows, (K + 3) / 4 * 4, DType::i16});
    s = b.scratch({rows, 1, b.dtype()});
    quantize.x = b.read(x.buf);
    quantize.x.ld = x.ld;
    quantize.q = b.write(q);
    quantize.s = b.write(s);
    quantize.K = K;
    quantize.rows_per_sample = x.per_sample;
    b.emit(b.kernels().quantize_rows, quantize, {4 * m * double(K), m * double(K) * (e + 2)});
    a.s = b.read(s);
    a.scales = b.read(b.input(2)).data;
  }
  a.x = b.read(int8 ? q : x.buf);
  if (!int8) a.x.ld = x.ld;
  a.w = weights(b);
  a.b = bias_of(b) < 0 ? nullptr : b.read(b.input(bias_of(b))).data;
  a.y = b.write(y.buf);
  a.y.ld = y.ld;
  a.rows_per_sample = x.per_sample;
  a.activation = activation_of(b.attrs());
  b.emit(b.kernels().compact_forward, a,
         {2 * m * kn, m * double(K) * (int8 ? 2 : e) + kn * double(size_of(a.w.dtype)) + e * m * double(N)});
  join_rows(b, y, b.output(), b.output_spec());
}

// dx alone, as a dense layer's, by the weights in float.
void backward(Build& b) {
  const int bias = bias_of(b);
  const Rows dz = split_rows(b, preactivation_gradient(b), b.output_spec());
  const int64_t K = b.spec(1).shape[0], N = b.spec(1).shape[1], NR = b.kernels().panel_width;
  const double m = double(b.max_rows() * dz.per_sample), kn = double(K) * double(N), e = size_of(b.dtype());
  if (b.wants_grad(0)) {
    const Buf panels = b.scratch({1, PanelShape{K, N}.elements(NR), b.dtype()});
    const Buf across = b.scratch({1, PanelShape{N, K}.elements(NR), b.dtype()});
    CompactExpand expand{};
    expand.from = weights(b);
    if (of_int8(b.spec(1))) expand.scales = b.read(b.input(2)).data;
    expand.panels = b.write(panels).data;
    b.emit(b.kernels().compact_expand, expand, {kn, 2 * e * kn});
    const PanelTranspose transpose{b.read(panels).data, b.write(across).data, {K, N}};
    b.emit(b.kernels().panel_transpose, transpose, {0, 2 * e * kn});
    DenseBackwardInput a{};
    const Rows dx = rows_for_output(b, b.grad_input(0), b.spec(0));
    a.dz = b.read(dz.buf);
    a.dz.ld = dz.ld;
    a.w = b.read(panels).data;
    a.wt = b.read(across).data;
    a.dx = b.write(dx.buf);
    a.dx.ld = dx.ld;
    a.K = K;
    a.N = N;
    a.rows_per_sample = dz.per_sample;
    b.emit(b.kernels().dense_backward_input, a, {2 * m * kn, e * (m * double(K) + kn + m * double(N))});
    join_rows(b, dx, b.grad_input(0), b.spec(0));
  }
  if (bias >= 0 && b.wants_grad(bias)) {
    DenseBackwardParams a{};
    a.x = b.read(dz.buf);  // not read
    a.dz = b.read(dz.buf);
    a.x.ld = a.dz.ld = dz.ld;
    a.db = b.write(b.grad_input(bias)).data;
    a.K = K;
    a.N = N;
    a.rows_per_sample = dz.per_sample;
    b.emit(b.kernels().dense_backward_params, a, {m * double(N), e * m * double(N)}, Order::kDeferred);
  }
}

}  // namespace

const Op compact_dense_op{"compact_dense", infer, forward, backward, true, nullptr, nullptr, false, true};

}  // namespace hl
