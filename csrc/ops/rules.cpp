#include "ops/rules.h"

#include "core/error.h"

namespace hl {
namespace {

int64_t rows_per_sample(const Spec& spec) {
  const int64_t columns = spec.shape.back();
  return columns == 0 ? 0 : spec.features() / columns;
}

Rows scratch_rows(Build& b, const Spec& spec, int64_t per_sample) {
  const int64_t columns = spec.shape.back();
  const Buf buf = b.scratch({b.max_rows() * per_sample, columns, b.dtype()});
  return {buf, row_stride(columns, size_of(b.dtype())), per_sample};
}

// Between a value, whose samples are contiguous, and a matrix of its rows along the last axis.
CopyBlocks rows_copy(const Spec& spec, int64_t per_sample) {
  CopyBlocks c{};
  c.blocks = per_sample;
  c.width = c.src_block = c.dst_block = spec.shape.back();
  return c;
}

Cost copy_cost(const Build& b, const CopyBlocks& c) {
  return {0, 2.0 * b.max_rows() * c.blocks * c.width * size_of(b.dtype())};
}

}  // namespace

Rows split_rows(Build& b, Buf value, const Spec& spec) {
  const int64_t per_sample = rows_per_sample(spec);
  if (per_sample == 1) return {value, row_stride(spec.features(), size_of(b.dtype())), 1};
  const Rows rows = scratch_rows(b, spec, per_sample);
  CopyBlocks c = rows_copy(spec, per_sample);
  c.dst_flat_rows = true;
  c.src = b.read(value);
  c.dst = b.write(rows.buf);
  b.emit(b.kernels().copy_blocks, c, copy_cost(b, c));
  return rows;
}

Rows rows_for_output(Build& b, Buf value, const Spec& spec) {
  const int64_t per_sample = rows_per_sample(spec);
  if (per_sample == 1) return {value, row_stride(spec.features(), size_of(b.dtype())), 1};
  return scratch_rows(b, spec, per_sample);
}

void join_rows(Build& b, const Rows& rows, Buf value, const Spec& spec) {
  if (rows.per_sample == 1) return;
  CopyBlocks c = rows_copy(spec, rows.per_sample);
  c.src_flat_rows = true;
  c.src = b.read(rows.buf);
  c.dst = b.write(value);
  b.emit(b.kernels().copy_blocks, c, copy_cost(b, c));
}

Activation activation_of(const Attrs& attrs) {
  const std::string name = attrs.text("activation", "identity");
  const ActivationKind kind = activation_from(name);
  if (!derives_from_output(kind))
    throw ValueError("[activation] expected one whose derivative its output tells, received '" + name +
                     "'. Add it as a node of its own.");
  return {kind, attrs.number("alpha", 0)};
}

Buf preactivation_gradient(Build& b) {
  ActivationBackward a{};
  a.activation = activation_of(b.attrs());
  const Buf dy = b.grad_output();
  if (a.activation.kind == ActivationKind::identity || b.grad_is_preactivation()) return dy;
  a.features = b.output_spec().features();
  a.saved = b.read(b.output());
  a.dy = b.read(dy);
  const Buf dz = b.scratch({b.max_rows(), a.features, b.dtype()});
  a.dx = b.write(dz);
  b.emit(b.kernels().activation_backward, a);
  return dz;
}

Buf flat_variable(Build& b, int i) {
  const Spec& spec = b.spec(i);
  if (!b.is_variable(i) || spec.shape.size() != 2) return b.input(i);
  PanelCopy copy{};
  copy.shape = panel_shape(spec.shape);
  copy.panels = b.read(b.input(i)).data;
  const Buf flat = b.scratch({1, spec.features(), b.dtype()});
  copy.matrix = b.write(flat).data;
  b.emit(b.kernels().panel_unpack, copy);
  return flat;
}

FlatGradient flat_gradient(Build& b, int i) {
  const Spec& spec = b.spec(i);
  if (!b.is_variable(i) || spec.shape.size() != 2) return {b.grad_input(i), false};
  return {b.scratch({1, spec.features(), b.dtype()}), true};
}

void finish_flat_gradient(Build& b, int i, const FlatGradient& flat) {
  if (!flat.packed) return;
  PanelCopy copy{};
  copy.shape = panel_shape(b.spec(i).shape);
  copy.matrix = b.read(flat.buf).data;
  copy.panels = b.write(b.grad_input(i)).data;
  b.emit(b.kernels().panel_pack, copy);
}

int64_t check_product(const Infer& node, const Spec& x, const Spec& w, bool transposed) {
  if (w.batched() || w.shape.size() != 2) node.fail("w to be a variable of shape (K, N)", to_string(w.shape));
  if (!x.batched() || x.shape.size() < 2)
    node.fail("x with a batch axis and at least one more", "shape " + to_string(x.shape));
  if (x.dtype != node.dtype()) node.fail("x of " + std::string(name_of(node.dtype())), name_of(x.dtype));
  const int64_t K = w.shape[transposed ? 1 : 0];
  if (x.shape.back() != K)
    node.fail("x with " + std::to_string(K) + " features (axis -1)", "shape " + to_string(x.shape),
              "Rebuild the model or reshape the input.");
  return w.shape[transposed ? 0 : 1];
}

}  // namespace hl
