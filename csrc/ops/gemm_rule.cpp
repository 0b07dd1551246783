#include "ops/gemm.h"

#include <algorithm>
#include <iterator>

#include "ops/checks.h"
#include "ops/rules.h"

namespace hl {
namespace {

void infer(Infer& node) {
  node.allow({"transposed"});
  if (node.inputs() != 2) node.fail("x and w", std::to_string(node.inputs()) + " inputs");
  Shape shape = node.input(0).shape;
  shape.back() = check_product(node, node.input(0), node.input(1), node.attrs().flag("transposed", false));
  node.output({shape, node.dtype()});
}

// A dense layer without bias and activation.
void forward(Build& b) { dense_op.forward(b); }
void backward(Build& b) { dense_op.backward(b); }

const Spec& matrix_of_weights(Infer& node, int i) {
  const Spec& w = node.input(i);
  if (w.batched() || w.shape.size() != 2 || w.dtype != node.dtype())
    node.fail("weights with two axes, or what is made of them", to_string(w.shape));
  return w;
}

Buf panels_like(Build& b, PanelShape shape) {
  return b.scratch({1, shape.elements(b.kernels().panel_width), b.dtype()});
}

// The panels of a row-major matrix.
Buf packed(Build& b, Buf matrix, PanelShape shape) {
  const Buf panels = panels_like(b, shape);
  const PanelCopy copy{b.write(panels).data, b.read(matrix).data, shape};
  b.emit(b.kernels().panel_pack, copy);
  return panels;
}

Buf packed_input(Build& b, int i) {
  return b.is_variable(i) ? b.input(i) : packed(b, b.input(i), panel_shape(b.spec(i).shape));
}

void unpack(Build& b, Buf panels, Buf matrix, PanelShape shape) {
  const PanelCopy copy{b.read(panels).data, b.write(matrix).data, shape};
  b.emit(b.kernels().panel_unpack, copy);
}

// `to`, panels of w^T, from those of w, which have this shape.
void transpose_panels(Build& b, Buf from, Buf to, PanelShape shape) {
  const PanelTranspose t{b.read(from).data, b.write(to).data, shape};
  b.emit(b.kernels().panel_transpose, t, {0, 2.0 * double(shape.K * shape.N) * size_of(b.dtype())});
}

// w^T as a row-major matrix, of panels of w.
void transposed(Build& b, Buf panels, Buf matrix, PanelShape shape) {
  const PanelShape across{shape.N, shape.K};
  const Buf turned = panels_like(b, across);
  transpose_panels(b, panels, turned, shape);
  unpack(b, turned, matrix, across);
}

// y (M,N) = x w: x and y are row-major and dense, w is panels.
void multiply(Build& b, Buf x, Buf w, Buf y, int64_t M, PanelShape shape) {
  MatrixProduct p{};
  const Buf rows = b.scratch({M, shape.N, b.dtype()});
  p.x = {b.read(x).data, shape.K};
  p.w = b.read(w).data;
  p.y = b.write(rows);
  p.M = M;
  p.K = shape.K;
  p.N = shape.N;
  b.emit(b.kernels().matrix_product, p,
         {2.0 * double(M * shape.K * shape.N), double(M * shape.K + shape.K * shape.N) * size_of(b.dtype())});
  Rearrange close{};  // without the pads of the rows
  std::fill(std::begin(close.axes), std::end(close.axes), 1);
  close.axes[kRearrangeAxes - 2] = M;
  close.axes[kRearrangeAxes - 1] = shape.N;
  close.strides[kRearrangeAxes - 2] = row_stride(shape.N, size_of(b.dtype()));
  close.strides[kRearrangeAxes - 1] = 1;
  close.features = M * shape.N;
  close.rows = 1;
  close.x = b.read(rows);
  close.y = b.write(y);
  b.emit(b.kernels().rearrange, close, {0, 2.0 * double(M * shape.N) * size_of(b.dtype())});
}

void infer_transpose(Infer& node) {
  node.allow({});
  expect_inputs(node, 1, "w");
  const Spec& w = matrix_of_weights(node, 0);
  node.output({{w.shape[1], w.shape[0]}, w.dtype});
}

void forward_transpose(Build& b) {
  transposed(b, packed_input(b, 0), b.output(), panel_shape(b.spec(0).shape));
}

void backward_transpose(Build& b) {
  if (!b.wants_grad(0)) return;
  const PanelShape across = panel_shape(b.output_spec().shape);
  const Buf dy = packed(b, b.grad_output(), across);
  if (b.is_variable(0))
    transpose_panels(b, dy, b.grad_input(0), across);
  else
    transposed(b, dy, b.grad_input(0), across);
}

void infer_product(Infer& node) {
  node.allow({});
  expect_inputs(node, 2, "a and b");
  const Spec &a = matrix_of_weights(node, 0), &w = matrix_of_weights(node, 1);
  if (a.shape[1] != w.shape[0])
    node.fail("as many columns in a as rows in b", to_string(a.shape) + " and " + to_string(w.shape));
  node.output({{a.shape[0], w.shape[1]}, a.dtype});
}

void forward_product(Build& b) {
  const Buf x = flat_variable(b, 0), w = packed_input(b, 1);
  multiply(b, x, w, b.output(), b.spec(0).shape[0], panel_shape(b.spec(1).shape));
}

// da (M,K) = dy b^T, db (K,N) = a^T dy.
void backward_product(Build& b) {
  const PanelShape a = panel_shape(b.spec(0).shape), w = panel_shape(b.spec(1).shape), y{a.K, w.N};
  if (b.wants_grad(0)) {
    const Buf wt = panels_like(b, {w.N, w.K});
    transpose_panels(b, packed_input(b, 1), wt, w);
    const FlatGradient da = flat_gradient(b, 0);
    multiply(b, b.grad_output(), wt, da.buf, a.K, {w.N, w.K});
    finish_flat_gradient(b, 0, da);
  }
  if (b.wants_grad(1)) {
    const Buf at = b.scratch({1, a.K * a.N, b.dtype()});
    transposed(b, packed_input(b, 0), at, a);
    const Buf dy = packed(b, b.grad_output(), y);
    const FlatGradient db = flat_gradient(b, 1);
    multiply(b, at, dy, db.buf, a.N, y);
    finish_flat_gradient(b, 1, db);
  }
}

}  // namespace

const Op matmul_op{"matmul", infer, forward, backward};
const Op weight_transpose_op{"weight_transpose", infer_transpose, forward_transpose, backward_transpose};
const Op weight_product_op{"weight_product", infer_product, forward_product, backward_product};

}  // namespace hl
