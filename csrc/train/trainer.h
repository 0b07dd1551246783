// Trainer: owns the slab and runs the batches of an epoch through plans.
#pragma once
#include <mutex>

#include "core/gate.h"
#include "train/dataset.h"
#include "train/lanes.h"
#include "train/slab.h"

namespace hl {

// Some consecutive batches of one pass over a data set.
struct Job {
  const Dataset* data = nullptr;
  int64_t first_batch = 0;  // batch j holds rows [j * batch_size, min((j + 1) * batch_size, n_rows))
  int64_t n_batches = 0;
  int64_t batch_size = 0;
  int64_t n_rows = 0;
  const RowIndex* index = nullptr;  // row i of the pass is this row of the data set; null: row i
  const double* rates = nullptr;    // learning rate of each batch, rates[0] that of first_batch
  const double* momenta = nullptr;  // the same for the optimizer's momentum or beta_1; null: as it is
  int64_t step = 0;                 // optimizer steps finished before first_batch
  uint64_t seed = 0;
  std::vector<Sink> outputs;  // arrays of n_rows rows, one per output of the graph
  Part part = Part::whole;    // the rest: these batches' fixed steps ran just before
  double slice_seconds = 0.05;
};

class Trainer {
 public:
  // `max_workers` 0: as many as the machine allows (core/team.h).
  Trainer(DType dtype, std::vector<VariableSpec> variables, int max_workers);

  DType dtype() const { return kernels_.dtype; }
  const Kernels& kernels() const { return kernels_; }
  const Slab& slab() const { return slab_; }

  // Slots start as the rule wants them, or go on with what they hold. Weight decay leaves the `undecayed` variables alone.
  // Averages start as the weights. Without `rate_factors` all variables have the same rate. Muon leaves `by_adam` to adam.
  // What is zero in the variables `keep_zeros` stays so.
  void set_optimizer(const Optimizer& optimizer, bool keep_slots, const std::vector<int>& undecayed,
                     const std::vector<double>& rate_factors, const std::vector<int>& by_adam = {},
                     const std::vector<int>& keep_zeros = {});
  std::unique_ptr<Plan> plan(const Graph& graph, int64_t max_rows, bool training, bool update, bool input_gradients,
                             bool samples = false, bool resumable = false);

  // Runs batches until the job is done or slice_seconds have passed; returns how many it ran. Plans that update
  // variables have the trainer for themselves; others run side by side, each plan in one thread at a time.
  int64_t run(Plan& plan, const Job& job);
  // Runs the job's batches, all of a data set, in lanes, as long; true when all are done. Until then the lanes and the
  // job stay as they are between two calls.
  bool run(Lanes& lanes, const Job& job);

  // Row-major copy of a variable's gradient that this plan left; false if it gets none.
  bool gradient(const Plan& plan, int i, void* matrix);

  // Bytes of the arenas of all plans there are.
  int64_t plan_memory() const { return *plan_memory_; }

  // Plan::time_steps over the first batch of the job, again and again.
  std::vector<double> time_steps(Plan& plan, const Job& job, int repeats);

  // Canonical copies; they wait for a running batch.
  void get(Slab::Part part, int slot, int i, void* matrix);
  void set(Slab::Part part, int slot, int i, const void* matrix);

 private:
  void check(Plan& plan, const Job& job) const;
  int64_t run_on_device(Plan& plan, const Job& job) const;
  TeamSize::Choice workers_for(Plan& plan, double work, double time) const;

  const Kernels& kernels_;
  const int max_workers_;
  Slab slab_;
  std::optional<Optimizer> optimizer_;
  std::shared_ptr<Account> plan_memory_ = std::make_shared<Account>(0);
  Gate state_;              // the slab's contents: shared to read, exclusive to change
  std::mutex team_;         // the one run that may use more than one worker
};

}  // namespace hl
