#include "ops/penalty.h"

#include <cmath>

#include "ops/checks.h"

namespace hl {
namespace {

bool is_orthogonal(const Attrs& attrs) { return attrs.text("kind", "l1_l2") == "orthogonal"; }
bool is_value(const Attrs& attrs) { return attrs.text("kind", "l1_l2") == "value"; }
bool has_columns(const Attrs& attrs) { return attrs.text("mode", "rows") == "columns"; }

void infer(Infer& node) {
  const std::string kind = node.attrs().text("kind", "l1_l2"), mode = node.attrs().text("mode", "rows");
  if (kind != "l1_l2" && kind != "orthogonal" && kind != "value")
    node.fail("kind 'l1_l2', 'orthogonal' or 'value'", "'" + kind + "'");
  if (kind == "value")
    node.allow({"kind"});
  else if (is_orthogonal(node.attrs()))
    node.allow({"kind", "factor", "mode"});
  else
    node.allow({"kind", "l1", "l2"});
  expect_inputs(node, 1, "a variable or a batch");
  const Spec& x = node.input(0);
  if (x.dtype != node.dtype()) node.fail("values of " + std::string(name_of(node.dtype())), name_of(x.dtype));
  if (kind == "value" && (x.batched() || x.features() != 1)) node.fail("a number", to_string(x.shape));
  if (kind == "orthogonal" && (x.batched() || x.shape.size() != 2))
    node.fail("a variable of rank 2", to_string(x.shape), "Rows or columns of a kernel can be orthogonal.");
  if (mode != "rows" && mode != "columns") node.fail("mode 'rows' or 'columns'", "'" + mode + "'");
  for (const char* name : {"l1", "l2", "factor"}) {
    const double value = node.attrs().number(name, 0);
    if (!(value >= 0) || std::isinf(value))
      node.fail(std::string("a finite ") + name + " of at least 0", std::to_string(value));
  }
}

void reduce(Build& b, Buf values, int64_t count) {
  PenaltyReduce r{};
  r.values = b.read(values).as<double>();
  r.accumulator = b.accumulator();
  r.count = count;
  const double n = double(count ? count : b.max_rows());
  b.emit(b.kernels().penalty_reduce, r, {n, 8 * n}, Order::kDeferred);
}

// Where the gradient of the variable goes, if it gets one: into what others sent, or into a buffer of its own.
Tensor gradient(Build& b, bool wanted, bool* add) {
  if (!wanted) return {};
  const Buf others = b.sent_gradient(0);
  *add = bool(others);
  return others ? b.update(others) : b.write(b.grad_input(0));
}

void l1_l2(Build& b, bool wants_gradient) {
  PenaltyValues a{};
  a.l1 = b.attrs().number("l1", 0);
  a.l2 = b.attrs().number("l2", 0);
  const bool batch = b.spec(0).batched();
  int64_t rows = b.max_rows();
  a.columns = b.spec(0).features();
  if (!batch) {
    a.elements = panel_shape(b.spec(0).shape).elements(b.kernels().panel_width);
    a.columns = kPenaltyColumns;
    rows = (a.elements + a.columns - 1) / a.columns;
    if (rows == 0) return;
  }
  a.x = b.read(b.input(0));
  if (batch)
    a.dx = wants_gradient ? b.write(b.grad_input(0)) : Tensor{};
  else
    a.x.ld = a.columns, a.dx = gradient(b, wants_gradient, &a.add), a.dx.ld = a.columns;
  const Buf values = b.scratch({1, rows, DType::f64});
  a.values = b.write(values).as<double>();
  const double elements = double(rows) * a.columns;
  b.emit(b.kernels().penalty_values, a, {5 * elements, (wants_gradient ? 3 : 1) * elements * size_of(b.dtype())},
         batch ? Order::kChain : Order::kDeferred);
  reduce(b, values, batch ? 0 : rows);
}

void orthogonal(Build& b, bool wants_gradient) {
  const PanelShape shape = panel_shape(b.spec(0).shape);
  const bool columns = has_columns(b.attrs());
  const int64_t n = columns ? shape.N : shape.K, d = columns ? shape.K : shape.N;
  if (n < 2) return;  // no pair
  OrthogonalUnits u{};
  u.shape = shape;
  u.columns = columns;
  const Buf unit = b.scratch({n, d, b.dtype()}), inverse = b.scratch({1, n, DType::f64});
  u.w = b.read(b.input(0)).data;
  u.unit = b.write(unit);
  u.inverse = b.write(inverse).as<double>();
  const double elements = double(n) * d;
  b.emit(b.kernels().orthogonal_units, u, {3 * elements, 2 * elements * size_of(b.dtype())}, Order::kDeferred);

  OrthogonalValues a{};
  a.shape = shape;
  a.columns = columns;
  a.scale = b.attrs().number("factor", 0) / (double(n) * double(n - 1));
  const Buf sum = b.scratch({n, d, b.dtype()}), values = b.scratch({1, n, DType::f64});
  a.unit = b.read(unit);
  a.inverse = b.read(inverse).as<double>();
  a.sum = b.write(sum);
  a.values = b.write(values).as<double>();
  a.dw = gradient(b, wants_gradient, &a.add).data;
  b.emit(b.kernels().orthogonal_values, a, {4.0 * n * elements, elements * size_of(b.dtype())}, Order::kDeferred);
  reduce(b, values, n);
}

// A number that the graph made.
void number(Build& b, bool wants_gradient) {
  PenaltyValues a{};
  a.slope = 1;
  a.elements = a.columns = 1;
  a.x = b.read(b.input(0));
  if (wants_gradient) a.dx = b.write(b.grad_input(0));
  const Buf values = b.scratch({1, 1, DType::f64});
  a.values = b.write(values).as<double>();
  b.emit(b.kernels().penalty_values, a, {5, 2.0 * size_of(b.dtype())});
  reduce(b, values, 1);
}

void emit(Build& b, bool wants_gradient) {
  is_orthogonal(b.attrs()) ? orthogonal(b, wants_gradient) : l1_l2(b, wants_gradient);
}

bool is_regularised_in_training(const Build& b) { return b.training() && b.wants_grad(0); }

void forward(Build& b) {
  b.accumulator();  // in the order of the nodes
  if (is_value(b.attrs())) return number(b, is_regularised_in_training(b));
  const bool later = !b.spec(0).batched() && is_regularised_in_training(b);
  if (!later) emit(b, is_regularised_in_training(b));
}

void before_update(Build& b) {
  if (!is_value(b.attrs()) && !b.spec(0).batched() && b.wants_grad(0)) emit(b, true);
}

}  // namespace

const Op penalty_op{"penalty", infer, forward, nullptr, false, before_update};

}  // namespace hl
