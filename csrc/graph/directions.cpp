// The part of the planner for rules that are not element-wise, lamb and muon (ops/optimizer.h): what becomes of the
// directions that the element-wise part of the rule has made.
#include <algorithm>
#include <cmath>

#include "graph/planner.h"

namespace hl {

// The first ranges of plan_.ranges_ are those of the directions.
void Planner::follow_directions(const std::vector<int>& values, const std::vector<Buf>& directions) {
  const Optimizer& optimizer = *plan_.options_.optimizer;
  std::vector<Buf> weights;
  double elements = 0;
  for (size_t r = 0; r < directions.size(); ++r) {
    const Variable& variable = variable_of(value(values[r]));
    weights.push_back(values_[size_t(values[r])]);
    elements += double(variable.shape.elements(kernels_.panel_width));
    plan_.ranges_[r].length = variable.rate_factor;
    if (optimizer.orthogonalizes() && optimizer.rms_rate > 0)
      plan_.ranges_[r].length *= optimizer.rms_rate * std::sqrt(double(std::max(variable.shape.K, variable.shape.N)));
  }
  DirectionFactors f{};
  f.ranges = plan_.ranges_.data();
  f.count = int64_t(directions.size());
  const Buf of_u = squares_of(&OptimizerRange::u, directions);
  const Buf of_w = optimizer.orthogonalizes() ? Buf{} : squares_of(&OptimizerRange::w, weights);
  const Buf factors = matrix({1, f.count, DType::f64});
  f.directions = read(of_u).as<double>();
  if (of_w) f.weights = read(of_w).as<double>();
  f.factors = write(factors).as<double>();
  emit(kernels_.direction_factors, f, {elements / kNormRows, 8 * elements / kNormRows}, Order::kUpdate);
  for (size_t r = 0; optimizer.orthogonalizes() && r < directions.size(); ++r)
    orthogonalize(variable_of(value(values[r])).shape, directions[r], factors, r);
  DirectionUpdate step{};
  step.ranges = f.ranges;
  step.count = f.count;
  for (Buf u : directions) read(u);
  for (Buf w : weights) update(w);
  if (!optimizer.orthogonalizes()) step.factors = read(factors).as<double>();
  emit(kernels_.direction_update, step, {2 * elements, 3 * elements * size_of(dtype())}, Order::kUpdate);
}

// Sums of squares of one part of each range, in blocks.
Buf Planner::squares_of(void* OptimizerRange::*part, const std::vector<Buf>& parts) {
  GradientSquares squares{};
  squares.ranges = plan_.ranges_.data();
  squares.count = int64_t(parts.size());
  squares.of = part;
  int64_t n_blocks = 0;
  double elements = 0;
  for (size_t r = 0; r < parts.size(); ++r) {
    read(parts[r]);
    n_blocks += norm_blocks(plan_.ranges_[r].shape, kernels_.panel_width);
    elements += double(plan_.ranges_[r].shape.elements(kernels_.panel_width));
  }
  const Buf blocks = matrix({1, n_blocks, DType::f64});
  squares.blocks = write(blocks).as<double>();
  emit(kernels_.gradient_squares, squares, {2 * elements, elements * size_of(dtype())}, Order::kUpdate);
  return blocks;
}

// u, panels of a matrix, becomes the X of muon. X has at most as many rows as columns.
void Planner::orthogonalize(const PanelShape& shape, Buf u, Buf factors, size_t range) {
  const Optimizer& optimizer = *plan_.options_.optimizer;
  const bool across = shape.K > shape.N;
  const PanelShape wide{std::min(shape.K, shape.N), std::max(shape.K, shape.N)}, square{wide.K, wide.K};
  const int64_t R = wide.K, C = wide.N, NR = kernels_.panel_width;
  const auto panels = [&](PanelShape s) { return matrix({1, s.elements(NR), dtype()}); };
  const Buf x = matrix({R, C, dtype()}), x_panels = panels(wide), x_across = panels({C, R});
  const Buf a = matrix({R, R, dtype()}), a_panels = panels(square), aa = matrix({R, R, dtype()});
  const Buf b = matrix({R, R, dtype()}), bx = matrix({R, C, dtype()});
  if (across) transpose(u, x_panels, shape);
  MatrixRows rows{};
  rows.panels = read(across ? x_panels : u).data;
  rows.factor = placing_ ? read(factors).as<double>() + range : nullptr;
  if (!placing_) read(factors);
  rows.rows = write(x);
  rows.shape = wide;
  emit(kernels_.matrix_rows, rows, {double(R * C), 2.0 * double(R * C) * size_of(dtype())}, Order::kUpdate);
  mix(1, x, 0, {}, {}, x_panels, wide);
  for (int64_t i = 0; i < optimizer.ns_steps; ++i) {
    transpose(x_panels, x_across, wide);
    multiply(x, x_across, a, R, C, R);
    mix(1, a, 0, {}, {}, a_panels, square);
    multiply(a, a_panels, aa, R, R, R);
    mix(optimizer.muon_b, a, optimizer.muon_c, aa, b, {}, square);
    multiply(b, x_panels, bx, R, R, C);
    mix(optimizer.muon_a, x, 1, bx, x, x_panels, wide);
  }
  across ? transpose(x_panels, u, wide) : mix(1, x, 0, {}, {}, u, wide);
}

void Planner::multiply(Buf x, Buf w, Buf y, int64_t M, int64_t K, int64_t N) {
  MatrixProduct p{};
  p.x = read(x);
  p.w = read(w).data;
  p.y = write(y);
  p.M = M;
  p.K = K;
  p.N = N;
  const double products = double(M) * double(K) * double(N);
  emit(kernels_.matrix_product, p, {2 * products, double(M * K + K * N + M * N) * size_of(dtype())}, Order::kUpdate);
}

void Planner::transpose(Buf from, Buf to, PanelShape shape) {
  PanelTranspose t{};
  t.src = read(from).data;
  t.dst = write(to).data;
  t.shape = shape;
  emit(kernels_.panel_transpose, t, {0, 2.0 * double(shape.K * shape.N) * size_of(dtype())}, Order::kUpdate);
}

// alpha x + beta z into rows, panels or both, of those that are given.
void Planner::mix(double alpha, Buf x, double beta, Buf z, Buf rows, Buf panels, PanelShape shape) {
  MatrixMix m{};
  m.x = read(x);
  if (z) m.z = read(z);
  if (rows) m.rows = write(rows);
  if (panels) m.panels = write(panels).data;
  m.shape = shape;
  m.alpha = alpha;
  m.beta = beta;
  const double elements = double(shape.K * shape.N);
  emit(kernels_.matrix_mix, m, {2 * elements, 3 * elements * size_of(dtype())}, Order::kUpdate);
}

}  // namespace hl
