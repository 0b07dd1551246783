// Plan: graph x largest batch x mode x row. An ordered list of steps with final addresses; running a batch
// allocates nothing, looks up nothing, calls no Python.
#pragma once
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/gate.h"
#include "core/team.h"
#include "core/team_size.h"
#include "graph/graph.h"

namespace hl {

// Where a variable lives. Panels of `shape` (ops/gemm.h); addresses never change while the owner lives.
struct Variable {
  void* weight = nullptr;
  void* gradient = nullptr;
  std::vector<void*> slots;
  PanelShape shape{0, 0};
  DType dtype = DType::f32;  // in which it is stored
  int64_t bytes = 0;         // of its panels
  bool decays = true;  // by the optimizer's weight decay
  bool keeps_zeros = false;  // through updates
  double rate_factor = 1;
  bool by_adam = false;  // where the optimizer is muon
};

struct PlanOptions {
  int64_t max_rows = 0;
  bool training = false;             // run backward
  std::optional<Optimizer> optimizer;  // and update by this rule
  bool input_gradients = false;      // keep the gradients of the graph's inputs
  std::shared_ptr<Account> account;  // of the arenas of these plans, or null
  bool samples = false;              // steps that no random number enters are fixed
  bool resumable = false;            // steps that lead to the outputs are fixed: backward may follow later, and again
};

struct Step {
  StepFn fn;
  const void* args;
  const char* kernel;
  int node;      // of the plan's graph, or -1 for the optimizer
  bool barrier;  // others' results are needed first
  bool fixed;    // made once for several runs of the rest (core/run_state.h)
  bool updates;  // of the update or after it
  Cost cost;
  int threads;   // that run it on a device
  Tensor output;         // the node's value, where this step finishes it; else empty
  int64_t features = 0;  // of that value
};

class Plan {
 public:
  Plan(const Graph& graph, const Kernels& kernels, const std::vector<Variable>& variables,
       const PlanOptions& options);

  // One batch, on every worker of the team at once. `barrier` is the team's.
  void run(const RunState& state, Worker worker, Barrier& barrier) const noexcept;
  // One batch on the device of these kernels, queued behind what it does; it reaches `state`.
  void queue(const RunState& state) const noexcept;
  // The same for `count` batches with the states at `states`, which the device reaches.
  void queue(const RunState* states, int64_t count) noexcept;
  // One batch on one worker, looking at every value for NaN or Inf; the name of the first node that made one, or "".
  std::string run_checked(const RunState& state) const;
  // Seconds of each step on one worker, the least of `repeats` batches: what benchmarks/ops prints.
  std::vector<double> time_steps(const RunState& state, int repeats) const;

  const Graph& graph() const { return graph_; }
  const std::vector<Step>& steps() const { return steps_; }
  int64_t max_rows() const { return options_.max_rows; }
  // Writes weights or gradients: no other run of the trainer may go on beside it.
  bool updates_variables() const { return updates_variables_; }
  bool has_optimizer() const { return options_.optimizer.has_value(); }
  double seconds() const { return seconds_; }  // rough, of one batch on one worker
  int64_t memory() const { return arena_.bytes(); }

  ReachableVector<Source>& sources() { return sources_; }  // one per input node, in order
  ReachableVector<Sink>& sinks() { return sinks_; }        // one per output node, in order
  // total, count, last value, first step that was not finite: four per loss or metric node, in order.
  ReachableVector<double>& accumulators() { return accumulators_; }
  void reset_accumulators();
  Gate& gate() { return gate_; }  // held while a batch runs: one arena, one thread
  TeamSize& team_size() { return team_size_; }  // under the gate too
  // After a batch of a plan without an optimizer, the gradients of variables by number, as panels; those that get none
  // are not there.
  const std::map<int, void*>& variable_gradients() const { return variable_gradients_; }
  // Gradient of graph input k, after a batch; empty if nothing flows to it.
  Tensor input_gradient(int k) const { return input_gradients_.at(size_t(k)); }

 private:
  friend class Planner;
  bool runs(const Step& step, const RunState& state) const noexcept;
  void run_alone(const Step& step, const RunState& state) const;

  Graph graph_;
  PlanOptions options_;
  DType dtype_;
  const Device* device_;
  std::vector<Step> steps_;
  std::deque<std::vector<std::max_align_t>> args_;
  Buffer arena_;
  ReachableVector<Source> sources_;
  ReachableVector<Sink> sinks_;
  ReachableVector<double> accumulators_;
  std::deque<ReachableVector<double>> numbers_;  // attributes that kernels read
  std::deque<ReachableVector<int64_t>> integers_;
  std::vector<Tensor> input_gradients_;
  std::map<int, void*> variable_gradients_;
  ReachableVector<OptimizerRange> ranges_;
  ReachableVector<StateQueue> queue_;  // of a device: one, else none
  std::shared_ptr<void> recording_;    // of the steps of a batch
  bool updates_variables_ = false;
  double seconds_ = 0;
  Gate gate_;
  TeamSize team_size_;
};

}  // namespace hl
