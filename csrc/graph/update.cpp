// The part of the planner that comes after the backward pass: what is done to gradients, the update, and averages.
#include <algorithm>

#include "graph/planner.h"

namespace hl {

OptimizerRange Planner::range_of(const Variable& variable, Buf weight) {
  OptimizerRange range{};
  range.shape = variable.shape;
  range.decays = variable.decays;
  range.keeps_zeros = variable.keeps_zeros;
  range.w = update(weight).data;
  std::copy_n(variable.slots.begin(), rule_slots(plan_.options_.optimizer->kind), range.slots);
  return range;
}

std::optional<Optimizer> Planner::updater(int i) const {
  const size_t id = size_t(input_value(i));
  std::optional<Optimizer> optimizer = plan_.options_.optimizer;
  if (!optimizer || optimizer->changes_gradients() || optimizer->directs() || !needs_grad_[id] || gradient_users_[id] != 1) return {};
  optimizer->rate_factor = variable_of(value(int(id))).rate_factor;
  return optimizer;
}

OptimizerRange Planner::take_variable(int i) { return range_of(variable_of(value(input_value(i))), input(i)); }

void Planner::optimize() {
  node_ = -1;
  std::vector<int> values;
  for (int v = 0; v < int(gradients_.size()); ++v)
    if (value(v).variable >= 0 && gradients_[size_t(v)]) values.push_back(v);
  const auto group = [&](int v) { return std::pair(by_adam(v), variable_of(value(v)).rate_factor); };
  std::stable_sort(values.begin(), values.end(), [&](int a, int b) { return group(a) < group(b); });
  if (plan_.options_.optimizer->accumulation > 1)
    for (int v : values) sum_gradient(v);
  if (!values.empty()) update_variables(values, clip_factors(values));
  if (plan_.options_.optimizer->averages) average_weights();
}

Buf Planner::slot_of(const Variable& variable, int slot) {
  return new_buffer(variable.shape.elements(kernels_.panel_width) * size_of(dtype()), 0, variable.slots[size_t(slot)]);
}

// From here on the sum over batches is the gradient.
void Planner::sum_gradient(int v) {
  const Variable& variable = variable_of(value(v));
  GradientSum sum{};
  sum.shape = variable.shape;
  sum.batches = plan_.options_.optimizer->accumulation;
  sum.g = read(gradients_[size_t(v)]).data;
  gradients_[size_t(v)] = slot_of(variable, gradient_slot(*plan_.options_.optimizer));
  sum.sum = update(gradients_[size_t(v)]).data;
  const double elements = double(sum.shape.elements(kernels_.panel_width));
  emit(kernels_.gradient_sum, sum, {elements, 3 * elements * size_of(dtype())}, Order::kDeferred);
}

// One for each of these values' variables, in plan_.ranges_; empty if no norm is limited.
Buf Planner::clip_factors(const std::vector<int>& values) {
  const Optimizer& optimizer = *plan_.options_.optimizer;
  ClipFactors clip{};
  clip.count = int64_t(values.size());
  clip.global = optimizer.global_clip_norm > 0;
  clip.limit = clip.global ? optimizer.global_clip_norm : optimizer.clip_norm;
  clip.scale = 1.0 / double(optimizer.accumulation);
  if (clip.limit == 0) return {};
  int64_t n_blocks = 0;
  double elements = 0;
  GradientSquares squares{};
  squares.count = clip.count;
  for (int v : values) {
    const PanelShape& shape = variable_of(value(v)).shape;
    n_blocks += norm_blocks(shape, kernels_.panel_width);
    elements += double(shape.elements(kernels_.panel_width));
    read(gradients_[size_t(v)]);
    if (variable_of(value(v)).keeps_zeros) read(values_[size_t(v)]);
  }
  plan_.ranges_.resize(values.size());  // filled by update_variables; a plan has one list, which stays where it is
  const Buf blocks = matrix({1, n_blocks, DType::f64}), factors = matrix({1, clip.count, DType::f64});
  clip.ranges = squares.ranges = plan_.ranges_.data();
  squares.blocks = write(blocks).as<double>();
  emit(kernels_.gradient_squares, squares, {2 * elements, elements * size_of(dtype())}, Order::kUpdate);
  clip.blocks = read(blocks).as<double>();
  clip.factors = write(factors).as<double>();
  emit(kernels_.clip_factors, clip, {double(n_blocks), 8.0 * double(n_blocks)}, Order::kUpdate);
  return factors;
}

// Whether muon leaves the variable to adam.
bool Planner::by_adam(int v) const {
  return plan_.options_.optimizer->orthogonalizes() && variable_of(value(v)).by_adam;
}

// One step for all variables of the same rule and rate.
void Planner::update_variables(const std::vector<int>& values, Buf factors) {
  ReachableVector<OptimizerRange>& ranges = plan_.ranges_;
  ranges.resize(values.size());
  std::vector<Buf> directions;
  for (size_t first = 0, last; first < values.size(); first = last) {
    OptimizerUpdate step{};
    const bool others = by_adam(values[first]);
    const double factor = variable_of(value(values[first])).rate_factor;
    step.optimizer = others ? plan_.options_.optimizer->for_others() : *plan_.options_.optimizer;
    step.optimizer.rate_factor *= factor;
    step.scale = 1.0 / double(step.optimizer.accumulation);
    double elements = 0;
    for (last = first; last < values.size(); ++last) {
      const size_t v = size_t(values[last]);
      const Variable& variable = variable_of(value(int(v)));
      if (variable.rate_factor != factor || by_adam(int(v)) != others) break;
      ranges[last] = range_of(variable, values_[v]);
      ranges[last].g = read(gradients_[v]).data;
      if (step.optimizer.directs()) {
        directions.push_back(matrix({1, variable.shape.elements(kernels_.panel_width), dtype()}));
        ranges[last].u = write(directions.back()).data;
      }
      elements += double(variable.shape.elements(kernels_.panel_width));
    }
    step.ranges = ranges.data() + first;
    step.count = int64_t(last - first);
    step.factors = factors && placing_ ? read(factors).as<double>() + first : nullptr;
    if (factors && !placing_) read(factors);
    emit(kernels_.optimizer_update, step, {10 * elements, 28 * elements * size_of(dtype()) / 4}, Order::kUpdate);
  }
  if (!directions.empty()) follow_directions(values, directions);
}

void Planner::average_weights() {
  const Optimizer& optimizer = *plan_.options_.optimizer;
  for (size_t v = 0; v < values_.size(); ++v) {
    if (value(int(v)).variable < 0 || !needs_grad_[v] || !values_[v]) continue;
    const Variable& variable = variable_of(value(int(v)));
    WeightAverage average{};
    average.shape = variable.shape;
    average.keeps_zeros = variable.keeps_zeros;
    average.momentum = optimizer.average_momentum;
    average.batches = optimizer.accumulation;
    average.overwrite_every = optimizer.overwrite_every;
    average.w = update(values_[v]).data;
    average.average = update(slot_of(variable, average_slot(optimizer))).data;
    const double elements = double(variable.shape.elements(kernels_.panel_width));
    emit(kernels_.weight_average, average, {3 * elements, 3 * elements * size_of(dtype())}, Order::kUpdate);
  }
}

}  // namespace hl
