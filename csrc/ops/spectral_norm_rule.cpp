#include "ops/spectral_norm.h"

#include "ops/checks.h"

namespace hl {
namespace {

void infer(Infer& node) {
  node.allow({"iterations"});
  expect_inputs(node, 2, "w, u");
  const Spec &w = node.input(0), &u = node.input(1);
  if (w.batched() || w.shape.size() != 2 || w.features() == 0)
    node.fail("w to be a variable of shape (K, N)", to_string(w.shape));
  if (u.shape != Shape{1, w.shape[1]}) node.fail("u of shape " + to_string({1, w.shape[1]}), to_string(u.shape));
  const int64_t iterations = node.attrs().integer("iterations", 1);
  if (iterations < 1) node.fail("at least one iteration", std::to_string(iterations));
}

void forward(Build& b) {
  const PanelShape shape = panel_shape(b.spec(0).shape);
  const double elements = double(shape.K) * shape.N, e = size_of(b.dtype());
  const Buf v = b.scratch({1, shape.K, b.dtype()});
  const Buf t = b.scratch({1, shape.panels(b.kernels().panel_width) * b.kernels().panel_width, b.dtype()});
  for (int64_t i = 0; i < b.attrs().integer("iterations", 1); ++i) {
    SpectralRows rows{};
    rows.shape = shape;
    rows.w = b.read(b.input(0)).data;
    rows.u = b.read(i == 0 ? b.input(1) : t).data;
    rows.v = b.write(v).data;
    b.emit(b.kernels().spectral_rows, rows, {2 * elements, elements * e});
    SpectralColumns columns{};
    columns.shape = shape;
    columns.w = b.read(b.input(0)).data;
    columns.v = b.read(v).data;
    columns.t = b.write(t).data;
    b.emit(b.kernels().spectral_columns, columns, {2 * elements, elements * e});
  }
  SpectralDivide divide{};
  divide.shape = shape;
  divide.t = b.read(t).data;
  divide.w = b.update(b.input(0)).data;
  divide.u = b.update(b.input(1)).data;
  b.emit(b.kernels().spectral_divide, divide, {elements, 2 * elements * e});
}

}  // namespace

const Op spectral_norm_op{"spectral_norm", infer, forward, nullptr};

}  // namespace hl
