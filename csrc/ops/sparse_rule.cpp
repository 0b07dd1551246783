#include "ops/sparse.h"

#include <algorithm>

#include "ops/op.h"
#include "ops/rules.h"

namespace hl {
namespace {

int64_t units(const Attrs& attrs) { return attrs.integer("units"); }

void check_blocks(const Infer& node, int64_t K, int64_t blocks) {
  const std::vector<int64_t> indices = node.attrs().integers("indices"), offsets = node.attrs().integers("offsets");
  const int64_t panels = (units(node.attrs()) + kBlockColumns - 1) / kBlockColumns;
  if (int64_t(indices.size()) != blocks)
    node.fail("an index for each of " + std::to_string(blocks) + " blocks", std::to_string(indices.size()));
  if (int64_t(offsets.size()) != panels + 1 || offsets.front() != 0 || offsets.back() != blocks)
    node.fail(std::to_string(panels + 1) + " offsets from 0 to " + std::to_string(blocks), to_string(offsets));
  if (!std::is_sorted(offsets.begin(), offsets.end())) node.fail("ascending offsets", to_string(offsets));
  for (int64_t p = 0; p < panels; ++p)
    for (int64_t i = offsets[size_t(p)]; i < offsets[size_t(p) + 1]; ++i) {
      const int64_t k = indices[size_t(i)], before = i > offsets[size_t(p)] ? indices[size_t(i) - 1] : -1;
      if (k <= before || k >= K)
        node.fail("ascending indices below " + std::to_string(K) + " in each panel",
                  std::to_string(k) + " after " + std::to_string(before));
    }
}

void infer(Infer& node) {
  node.allow({"units", "indices", "offsets", "activation", "alpha"});
  if (node.inputs() < 2 || node.inputs() > 3)
    node.fail("x, values and perhaps b", std::to_string(node.inputs()) + " inputs");
  const Spec &x = node.input(0), &values = node.input(1);
  const int64_t N = units(node.attrs());
  if (N < 1) node.fail("units of at least 1", std::to_string(N));
  if (!x.batched() || x.shape.size() < 2)
    node.fail("x with a batch axis and at least one more", "shape " + to_string(x.shape));
  if (x.dtype != node.dtype()) node.fail("x of " + std::string(name_of(node.dtype())), name_of(x.dtype));
  if (values.batched() || values.shape.size() != 1 || values.shape[0] % kBlockColumns != 0)
    node.fail("values of shape (" + std::to_string(kBlockColumns) + " * blocks,)", to_string(values.shape));
  check_blocks(node, x.shape.back(), values.shape[0] / kBlockColumns);
  if (node.inputs() == 3 && node.input(2).shape != Shape{N})
    node.fail("a bias of shape " + to_string(Shape{N}), to_string(node.input(2).shape));
  activation_of(node.attrs());
  Shape shape = x.shape;
  shape.back() = N;
  node.output({shape, x.dtype});
}

SparseWeights weights(Build& b) {
  SparseWeights w{};
  w.values = b.read(b.input(1)).data;
  w.indices = b.integers("indices");
  w.offsets = b.integers("offsets");
  w.K = b.spec(0).shape.back();
  w.N = units(b.attrs());
  return w;
}

Cost cost(const Build& b, int64_t rows) {
  const double values = double(b.spec(1).features()), e = size_of(b.dtype());
  const double ends = double(b.spec(0).shape.back() + units(b.attrs()));
  return {2 * double(rows) * values, e * (values + double(rows) * ends) + values / kBlockColumns * 8};
}

void forward(Build& b) {
  SparseForward a{};
  a.activation = activation_of(b.attrs());
  const Rows x = split_rows(b, b.input(0), b.spec(0));
  const Rows y = rows_for_output(b, b.output(), b.output_spec());
  a.w = weights(b);
  a.rows_per_sample = x.per_sample;
  a.x = b.read(x.buf);
  a.x.ld = x.ld;
  a.b = b.inputs() == 3 ? b.read(b.input(2)).data : nullptr;
  a.y = b.write(y.buf);
  a.y.ld = y.ld;
  b.emit(b.kernels().sparse_forward, a, cost(b, b.max_rows() * x.per_sample));
  join_rows(b, y, b.output(), b.output_spec());
}

void backward(Build& b) {
  const Rows dz = split_rows(b, preactivation_gradient(b), b.output_spec());
  const int64_t rows = b.max_rows() * dz.per_sample;
  if (b.wants_grad(0)) {
    SparseBackwardInput a{};
    const Rows dx = rows_for_output(b, b.grad_input(0), b.spec(0));
    a.w = weights(b);
    a.rows_per_sample = dz.per_sample;
    a.dz = b.read(dz.buf);
    a.dz.ld = dz.ld;
    a.dx = b.write(dx.buf);
    a.dx.ld = dx.ld;
    b.emit(b.kernels().sparse_backward_input, a, cost(b, rows));
    join_rows(b, dx, b.grad_input(0), b.spec(0));
  }
  const bool of_bias = b.inputs() == 3 && b.wants_grad(2);
  if (!b.wants_grad(1) && !of_bias) return;
  SparseBackwardParams a{};
  const Rows x = split_rows(b, b.input(0), b.spec(0));
  a.w = weights(b);
  a.rows_per_sample = x.per_sample;
  a.x = b.read(x.buf);
  a.x.ld = x.ld;
  a.dz = b.read(dz.buf);
  a.dz.ld = dz.ld;
  a.dvalues = b.wants_grad(1) ? b.write(b.grad_input(1)).data : nullptr;
  a.db = of_bias ? b.write(b.grad_input(2)).data : nullptr;
  b.emit(b.kernels().sparse_backward_params, a, cost(b, rows), Order::kDeferred);
}

}  // namespace

const Op sparse_dense_op{"sparse_dense", infer, forward, backward, true};

}  // namespace hl
