#include "graph/planner.h"

#include <algorithm>
#include <utility>

namespace hl {
namespace {

bool is_float(const Spec& spec) { return spec.dtype == DType::f32 || spec.dtype == DType::f64; }

bool sends_gradient(const Node& node) {
  const std::string op = node.op->name;
  return op != "metric" && op != "output" && op != "constraint" && op != "spectral_norm";
}

}  // namespace

Planner::Planner(Plan& plan, const Kernels& kernels, const std::vector<Variable>& variables)
    : plan_(plan), kernels_(kernels), variables_(variables) {
  const std::vector<Node>& nodes = plan_.graph_.nodes();
  for (size_t i = 0; i < nodes.size(); ++i)
    if (nodes[i].is_output()) last_output_ = int(i);
}

void Planner::build() {
  find_gradients();
  find_variation();
  walk();
  place_buffers();
  plan_.accumulators_.assign(4 * size_t(accumulator_rows_), 0);
  plan_.sources_.resize(source_of_.size());
  plan_.sinks_.resize(sink_of_.size());
  placing_ = true;
  walk();
  finish();
}

void Planner::find_gradients() {
  const auto& graph = plan_.graph_;
  needs_grad_.assign(graph.values().size(), false);
  gradient_users_.assign(graph.values().size(), 0);
  if (!plan_.options_.training) return;
  for (size_t v = 0; v < graph.values().size(); ++v)
    if (graph.values()[v].variable >= 0) needs_grad_[v] = graph.values()[v].trainable;
  for (const Node& n : graph.nodes()) {
    for (int in : n.inputs)
      if (sends_gradient(n)) ++gradient_users_[size_t(in)];
    if (n.output < 0 || !is_float(graph.value(n.output).spec)) continue;
    bool needed = n.is_input() && plan_.options_.input_gradients;
    for (int in : n.inputs) needed = needed || needs_grad_[size_t(in)];
    needs_grad_[size_t(n.output)] = needed && (n.op->backward || n.is_input());
  }
}

void Planner::find_variation() {
  for (const Node& n : plan_.graph_.nodes()) {
    bool varies = n.attrs.has("stream");
    for (int in : n.inputs) varies = varies || (value(in).node >= 0 && varies_[size_t(value(in).node)]);
    varies_.push_back(varies);
  }
}

void Planner::walk() {
  const size_t n_values = plan_.graph_.values().size();
  cursor_ = 0;
  values_.assign(n_values, {});
  gradients_.assign(n_values, {});
  preactivation_.assign(n_values, false);
  saved_.clear();
  kept_.clear();
  accumulator_of_.clear();
  accumulator_rows_ = 0;
  source_of_.clear();
  sink_of_.clear();
  fetched_ = 0;
  records_.clear();
  forward();
  if (plan_.options_.training) backward();
  if (!plan_.options_.optimizer) return;
  optimize();
  visit(&Op::after_update);
}

void Planner::forward() {
  in_forward_ = true;
  for (node_ = 0; node_ < int(plan_.graph_.nodes().size()); ++node_) {
    node().op->forward(*this);
    collect_gradients();  // a loss makes its gradient along with its value
  }
}

void Planner::backward() {
  in_forward_ = false;
  for (node_ = int(plan_.graph_.nodes().size()) - 1; node_ >= 0; --node_) {
    if (!node().op->backward) continue;
    if (node().output >= 0 && !gradients_[size_t(node().output)]) continue;
    node().op->backward(*this);
    collect_gradients();
  }
  visit(&Op::before_update);
  keep_gradients();
}

void Planner::visit(void (*Op::* rule)(Build&)) {
  for (node_ = 0; node_ < int(plan_.graph_.nodes().size()); ++node_) {
    if (!(node().op->*rule)) continue;
    (node().op->*rule)(*this);
    collect_gradients();
  }
}

// Several users of a value (skip connections, shared layers) each make a whole gradient; here they are added.
void Planner::collect_gradients() {
  for (const auto& [i, contribution] : contributions_) {
    const int v = input_value(i);
    Buf& total = gradients_[size_t(v)];
    if (!total) {
      total = contribution;
    } else if (value(v).variable >= 0) {
      AddRows add{};
      const int64_t elements = variable_of(value(v)).shape.elements(kernels_.panel_width);
      add.rows = 1;
      add.features = elements;
      add.b = read(contribution);
      add.a = add.y = update(total);
      emit(kernels_.add, add, {double(elements), 3.0 * elements * size_of(dtype())}, Order::kDeferred);
    } else {
      total = sum(total, contribution, value(v).spec);
    }
  }
  contributions_.clear();
}

Buf Planner::sum(Buf a, Buf b, const Spec& spec) {
  AddRows add{};
  add.rows = spec.batched() ? 0 : 1;
  add.features = spec.features();
  add.a = read(a);
  add.b = read(b);
  const Buf result = matrix({rows_of(spec), add.features, dtype()});
  add.y = write(result);
  const double elements = double(rows_of(spec)) * add.features;
  emit(kernels_.add, add, {elements, 3 * elements * size_of(dtype())});
  return result;
}

void Planner::keep_gradients() {
  const auto kept = [&](Buf grad) {
    kept_.push_back(grad.id);
    const Storage& storage = storage_[size_t(grad.id)];
    return Tensor{address(storage), storage.ld};
  };
  for (size_t v = 0; v < gradients_.size() && !plan_.options_.optimizer; ++v)
    if (value(int(v)).variable >= 0 && gradients_[v])
      plan_.variable_gradients_[value(int(v)).variable] = kept(gradients_[v]).data;
  plan_.input_gradients_.clear();
  if (!plan_.options_.input_gradients) return;
  for (const Node& n : plan_.graph_.nodes()) {
    if (!n.is_input()) continue;
    const Buf grad = gradients_[size_t(n.output)];
    plan_.input_gradients_.push_back(grad ? kept(grad) : Tensor{});
  }
}

}  // namespace hl
