#include "graph/plan.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/ftz.h"
#include "graph/planner.h"

namespace hl {
namespace {

template <class T>
bool finite(const Tensor& value, int64_t rows, int64_t features) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t i = 0; i < features; ++i)
      if (!std::isfinite(value.as<T>()[r * value.ld + i])) return false;
  return true;
}

}  // namespace

Plan::Plan(const Graph& graph, const Kernels& kernels, const std::vector<Variable>& variables,
           const PlanOptions& options)
    : graph_(fuse(graph)),
      options_(options),
      dtype_(kernels.dtype),
      device_(kernels.device),
      sources_(Reachable<Source>{device_}),
      sinks_(Reachable<Sink>{device_}),
      accumulators_(Reachable<double>{device_}),
      ranges_(Reachable<OptimizerRange>{device_}),
      queue_(device_ ? 1 : 0, Reachable<StateQueue>{device_}) {
  if (options.max_rows < 1)
    throw ValueError("[plan] expected a batch of at least 1 row, received " + std::to_string(options.max_rows) + ".");
  if (kernels.dtype != graph.dtype()) throw ValueError("[plan] expected kernels of the graph's dtype.");
  for (const Value& v : graph_.values()) {
    if (v.variable < 0) continue;
    if (size_t(v.variable) >= variables.size())
      throw ValueError("[plan] expected a variable of this trainer, received number " + std::to_string(v.variable) +
                       ".");
    const PanelShape shape = panel_shape(v.spec.shape), held = variables[size_t(v.variable)].shape;
    if (shape.K != held.K || shape.N != held.N || v.spec.dtype != variables[size_t(v.variable)].dtype)
      throw ValueError("[plan] expected variable '" + v.name + "' to have the trainer's shape, received " +
                       to_string(v.spec.shape) + ".");
  }
  Planner(*this, kernels, variables).build();
  reset_accumulators();
}

void Plan::reset_accumulators() {
  for (size_t i = 0; i < accumulators_.size(); ++i) accumulators_[i] = i % 4 == 3 ? -1 : 0;
}

// Whether a batch needs a step: the update waits until gradients of enough batches are there.
bool Plan::runs(const Step& step, const RunState& state) const noexcept {
  if (state.part != Part::whole && step.fixed != (state.part == Part::fixed)) return false;
  return !step.updates || (state.step + 1) % options_.optimizer->accumulation == 0;
}

void Plan::run(const RunState& state, Worker worker, Barrier& barrier) const noexcept {
  for (const Step& step : steps_) {
    if (step.barrier) barrier.wait(worker);
    if (runs(step, state)) step.fn(step.args, state, worker);
  }
}

void Plan::queue(const RunState& state) const noexcept {
  for (const Step& step : steps_)
    if (runs(step, state)) step.fn(step.args, state, {0, step.threads});
}

void Plan::queue(const RunState* states, int64_t count) noexcept {
  StateQueue& queue_of_states = queue_[0];
  const bool whole = count > 0 && states[0].part == Part::whole;
  const bool same_steps = whole && (!options_.optimizer || options_.optimizer->accumulation == 1);
  if (same_steps && !recording_) {
    const auto body = [](void* plan) {
      Plan& self = *static_cast<Plan*>(plan);
      self.device_->advance(&self.queue_[0]);
      self.queue(self.queue_[0].current);
    };
    if (void* recording = device_->record(body, this)) recording_ = {recording, device_->forget};
  }
  queue_of_states.states = states;
  queue_of_states.next = 0;
  for (int64_t b = 0; b < count; ++b) same_steps && recording_ ? device_->replay(recording_.get()) : queue(states[b]);
}

// A step, done when this returns.
void Plan::run_alone(const Step& step, const RunState& state) const {
  step.fn(step.args, state, {0, device_ ? step.threads : 1});
  if (device_) device_->wait();
}

std::string Plan::run_checked(const RunState& state) const {
  for (const Step& step : steps_) {
    if (!runs(step, state)) continue;
    run_alone(step, state);
    if (!step.output) continue;
    const bool ok = dtype_ == DType::f32 ? finite<float>(step.output, state.rows, step.features)
                                         : finite<double>(step.output, state.rows, step.features);
    if (!ok) return graph_.nodes()[size_t(step.node)].name;
  }
  return "";
}

std::vector<double> Plan::time_steps(const RunState& state, int repeats) const {
  using Clock = std::chrono::steady_clock;
  std::vector<double> least(steps_.size(), std::numeric_limits<double>::infinity());
  FlushToZero scope;
  for (int r = 0; r < repeats; ++r)
    for (size_t i = 0; i < steps_.size(); ++i) {
      const Clock::time_point start = Clock::now();
      run_alone(steps_[i], state);
      least[i] = std::min(least[i], std::chrono::duration<double>(Clock::now() - start).count());
    }
  return least;
}

}  // namespace hl
