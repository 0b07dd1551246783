#include "train/trainer.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <shared_mutex>

#include "backend/registry.h"
#include "core/clock.h"
#include "core/config.h"
#include "core/error.h"
#include "core/ftz.h"
#include "train/device_run.h"

namespace hl {
namespace {

constexpr int64_t kQueuedBatches = 64;  // on a device, between two looks at the clock

// What the workers of one slice share.
struct Slice {
  const Plan* plan;
  const Job* job;
  Barrier* barrier;
  double deadline;
  std::atomic<int64_t> stop_after{std::numeric_limits<int64_t>::max()};  // batch after which all stop
  int64_t done = 0;
};

// Steps are those of the optimizer: the batches of a plan without one share a step, and so the random numbers of a
// call do not depend on how it is cut into batches.
RunState state_of(const Plan& plan, const Job& job, int64_t batch) {
  RunState state;
  state.first_row = batch * job.batch_size;
  state.rows = std::min(job.batch_size, job.n_rows - state.first_row);
  state.index = job.index ? job.index->rows + state.first_row : nullptr;
  const int64_t next = state.first_row + state.rows;
  if (job.index && next < job.n_rows) {
    state.next_index = job.index->rows + next;
    state.next_rows = std::min(job.batch_size, job.n_rows - next);
  }
  state.step = job.step + (plan.has_optimizer() ? batch - job.first_batch : 0);
  state.seed = job.seed;
  state.part = job.part;
  state.learning_rate = job.rates ? job.rates[batch - job.first_batch] : 0;
  if (job.momenta) state.momentum = job.momenta[batch - job.first_batch];
  return state;
}

void run_slice(void* context, Worker worker) noexcept {
  Slice& slice = *static_cast<Slice*>(context);
  const Job& job = *slice.job;
  const int64_t last = job.first_batch + job.n_batches - 1;
  for (int64_t batch = job.first_batch; batch <= last; ++batch) {
    slice.plan->run(state_of(*slice.plan, job, batch), worker, *slice.barrier);
    if (worker.id == 0) {
      slice.done = batch - job.first_batch + 1;
      if (now() > slice.deadline) slice.stop_after.store(batch, std::memory_order_relaxed);
    }
    slice.barrier->wait(worker);
    if (slice.stop_after.load(std::memory_order_relaxed) <= batch) return;
  }
}

// What the workers of one slice of lanes share.
struct LanesSlice {
  Lanes* lanes;
  const Job* job;
  double deadline;
  std::atomic<int64_t> runs{0};
};

RunState state_of(const Lane& lane, const Job& job) {
  RunState state = state_of(*lane.plan, job, lane.batch);
  state.step = job.step + lane.sample;
  state.part = lane.sample > 0 ? Part::rest : Part::whole;
  return state;
}

// The next run of a lane: whether there is one.
bool begin_run(Lanes& lanes, Lane& lane, const Job& job) {
  if (lane.batch >= 0) return true;
  const int64_t batch = lanes.next.fetch_add(1, std::memory_order_relaxed);
  if (batch >= job.n_batches) return false;
  lane.batch = batch;
  lane.sample = 0;
  return true;
}

void end_run(const Lanes& lanes, Lane& lane, const Job& job, const RunState& state) {
  ++lane.sample;
  for (size_t i = 0; i < lanes.moments.size(); ++i)
    add_sample(lanes.moments[i], job.outputs[i], lane.plan->graph().dtype(), state.first_row,
               state.first_row + state.rows, lane.sample);
  if (lane.sample == lanes.samples) lane.batch = -1;
}

void run_lanes(void* context, Worker worker) noexcept {
  LanesSlice& slice = *static_cast<LanesSlice*>(context);
  const Job& job = *slice.job;
  Barrier alone(1);
  for (size_t i = size_t(worker.id); i < slice.lanes->lanes.size(); i += size_t(worker.count)) {
    Lane& lane = slice.lanes->lanes[i];
    while (begin_run(*slice.lanes, lane, job)) {
      const RunState state = state_of(lane, job);
      lane.plan->run(state, {0, 1}, alone);
      end_run(*slice.lanes, lane, job, state);
      slice.runs.fetch_add(1, std::memory_order_relaxed);
      if (now() > slice.deadline) return;
    }
  }
}

// body(state) over a plan that is bound, wherever it runs.
template <class Body>
void run_one(const Kernels& kernels, Plan& plan, const Job& job, const RunState& state, const Body& body) {
  if (!kernels.device) return body(state);
  DeviceRun(*kernels.device, plan, *job.data, job.index, job.outputs, 1).run(&state, 1, [&](const RunState* reached) { body(*reached); });
}

void run_checked(const Kernels& kernels, Plan& plan, const Job& job, const RunState& state) {
  std::string layer;
  run_one(kernels, plan, job, state, [&](const RunState& reached) { layer = plan.run_checked(reached); });
  if (!layer.empty())
    throw ValueError("[check] layer '" + layer + "' made a NaN or an infinity at step " + std::to_string(state.step) +
                     ".");
}

void bind(Plan& plan, const Job& job) {
  for (size_t i = 0; i < plan.sources().size(); ++i) plan.sources()[i] = job.data->columns[i].source;
  for (size_t i = 0; i < plan.sinks().size(); ++i) plan.sinks()[i] = job.outputs[i];
}

}  // namespace

Trainer::Trainer(DType dtype, std::vector<VariableSpec> variables, int max_workers)
    : kernels_(hl::kernels(dtype)), max_workers_(max_workers), slab_(kernels_, std::move(variables)) {
  if (max_workers < 0)
    throw ValueError("[trainer] expected n_threads of at least 1, received " + std::to_string(max_workers) + ".");
}

void Trainer::set_optimizer(const Optimizer& optimizer, bool keep_slots, const std::vector<int>& undecayed,
                            const std::vector<double>& rate_factors, const std::vector<int>& by_adam,
                            const std::vector<int>& keep_zeros) {
  std::unique_lock<Gate> lock(state_);
  slab_.set_undecayed(undecayed);
  slab_.set_rate_factors(rate_factors);
  slab_.set_by_adam(by_adam);
  slab_.set_keep_zeros(keep_zeros);
  slab_.set_slots(optimizer_slots(optimizer));
  for (int slot = 0; !keep_slots && slot < slab_.n_slots(); ++slot)
    slab_.fill_slot(slot, optimizer_slot_start(optimizer, slot));
  if (!keep_slots && optimizer.averages) slab_.copy_weights(average_slot(optimizer));
  optimizer_ = optimizer;
}

std::unique_ptr<Plan> Trainer::plan(const Graph& graph, int64_t max_rows, bool training, bool update,
                                    bool input_gradients, bool samples, bool resumable) {
  if (update && !optimizer_) throw ValueError("[trainer] expected an optimizer before a plan that updates.");
  PlanOptions options;
  options.max_rows = max_rows;
  options.training = training || update;
  if (update) options.optimizer = optimizer_;
  options.input_gradients = input_gradients;
  options.account = plan_memory_;
  options.samples = samples;
  options.resumable = resumable;
  return std::make_unique<Plan>(graph, kernels_, slab_.variables(), options);
}

void Trainer::check(Plan& plan, const Job& job) const {
  const auto refuse = [](const std::string& text) { throw ValueError("[run] expected " + text); };
  const auto& columns = job.data->columns;
  if (columns.size() != plan.sources().size())
    refuse(std::to_string(plan.sources().size()) + " arrays, received " + std::to_string(columns.size()) + ".");
  if (job.outputs.size() != plan.sinks().size())
    refuse(std::to_string(plan.sinks().size()) + " output arrays, received " + std::to_string(job.outputs.size()) +
           ".");
  if (job.batch_size < 1 || job.batch_size > plan.max_rows())
    refuse("a batch_size from 1 to the plan's " + std::to_string(plan.max_rows()) + ", received " +
           std::to_string(job.batch_size) + ".");
  if (job.n_rows < 0) refuse("n_rows of at least 0, received " + std::to_string(job.n_rows) + ".");
  const int64_t batches = job.n_rows == 0 ? 0 : (job.n_rows - 1) / job.batch_size + 1;
  if (job.n_batches < 0 || job.n_batches > batches || job.first_batch < 0 || job.first_batch > batches - job.n_batches)
    refuse("batches within " + std::to_string(job.n_rows) + " rows, received " + std::to_string(job.n_batches) +
           " from batch " + std::to_string(job.first_batch) + " on.");
  if (job.index && job.index->count < job.n_rows)
    refuse("a row number for each of " + std::to_string(job.n_rows) + " rows, received " +
           std::to_string(job.index->count) + ".");
  if (job.index && job.index->count > 0 && uint64_t(job.index->worst) >= uint64_t(job.data->rows()))
    refuse("row numbers below " + std::to_string(job.data->rows()) + ", received " + std::to_string(job.index->worst) +
           ".");
  size_t k = 0;
  for (const Node& node : plan.graph().nodes()) {
    if (!node.is_input()) continue;
    const int64_t features = plan.graph().value(node.output).spec.features();
    if (columns[k].features != features)
      refuse("[input '" + node.name + "'] " + std::to_string(features) + " features a row, received " +
             std::to_string(columns[k].features) + ".");
    if (!job.index && columns[k].rows < job.n_rows)
      refuse(std::to_string(job.n_rows) + " rows, received " + std::to_string(columns[k].rows) + ".");
    ++k;
  }
}

// A number of threads that somebody asked for is taken at its word, where there is work for more than one.
// `work`: seconds, on one worker, of what a team would share or a lane would run.
TeamSize::Choice Trainer::workers_for(Plan& plan, double work, double time) const {
  if (in_forked_child()) return {1, false};
  const int asked = max_workers_ > 0 ? max_workers_ : asked_workers();
  if (asked > 0) return {work < 2 * kWorkerSeconds ? 1 : asked, false};
  return plan.team_size().choose(work, available_workers(), time);
}

std::vector<double> Trainer::time_steps(Plan& plan, const Job& job, int repeats) {
  check(plan, job);
  if (repeats < 1)
    throw ValueError("[time_steps] expected repeats of at least 1, received " + std::to_string(repeats) + ".");
  std::lock_guard<Gate> alone(state_);
  std::lock_guard<Gate> one_thread_a_plan(plan.gate());
  bind(plan, job);
  std::vector<double> seconds;
  run_one(kernels_, plan, job, state_of(plan, job, job.first_batch),
          [&](const RunState& state) { seconds = plan.time_steps(state, repeats); });
  return seconds;
}

// The same on the device of these kernels.
int64_t Trainer::run_on_device(Plan& plan, const Job& job) const {
  const int64_t most = std::min(job.n_batches, kQueuedBatches);
  DeviceRun device(*kernels_.device, plan, *job.data, job.index, job.outputs, most);
  std::vector<RunState> states;
  const double start = now(), deadline = start + job.slice_seconds;
  int64_t done = 0, count = 1;
  do {
    states.clear();
    while (int64_t(states.size()) < std::min(count, job.n_batches - done))
      states.push_back(state_of(plan, job, job.first_batch + done + int64_t(states.size())));
    device.run(states.data(), int64_t(states.size()), [&](const RunState* reached) { plan.queue(reached, int64_t(states.size())); });
    done += int64_t(states.size());
    const double seconds_each = (now() - start) / double(done), left = deadline - now();
    count = std::clamp(int64_t(left / std::max(seconds_each, 1e-6)), int64_t(1), std::min(most, 4 * count));
  } while (done < job.n_batches && now() < deadline);
  return done;
}

int64_t Trainer::run(Plan& plan, const Job& job) {
  check(plan, job);
  if (job.n_batches == 0) return 0;
  std::unique_lock<Gate> alone(state_, std::defer_lock);
  std::shared_lock<Gate> beside(state_, std::defer_lock);
  if (plan.updates_variables()) {
    alone.lock();
  } else {
    beside.lock();
  }
  std::lock_guard<Gate> one_thread_a_plan(plan.gate());
  if (kernels_.device && !config().check) return run_on_device(plan, job);
  bind(plan, job);
  if (config().check) {
    FlushToZero scope;
    const double deadline = now() + job.slice_seconds;
    int64_t done = 0;
    do {
      run_checked(kernels_, plan, job, state_of(plan, job, job.first_batch + done));
    } while (++done < job.n_batches && now() < deadline);
    return done;
  }
  // Plans that only read may run side by side; just one of them gets the team, the others one worker each.
  std::unique_lock<std::mutex> team(team_, std::try_to_lock);
  const double start = now();
  const TeamSize::Choice choice = team.owns_lock() ? workers_for(plan, plan.seconds(), start) : TeamSize::Choice{1, false};
  const double seconds = choice.trial ? std::min(job.slice_seconds, kTrialSeconds) : job.slice_seconds;
  Barrier barrier(choice.workers);
  Slice slice{&plan, &job, &barrier, start + seconds, {std::numeric_limits<int64_t>::max()}, 0};
  run_team(choice.workers, run_slice, &slice);
  const double end = now();
  if (team.owns_lock()) plan.team_size().record(choice, end - start, double(slice.done), end);
  return slice.done;
}

bool Trainer::run(Lanes& lanes, const Job& job) {
  std::shared_lock<Gate> beside(state_);
  std::vector<std::unique_lock<Gate>> one_thread_a_plan;
  for (const Lane& lane : lanes.lanes) {
    if (lane.plan->updates_variables() || !lane.plan->accumulators().empty())
      throw ValueError("[run] expected plans that only make outputs.");
    check(*lane.plan, job);
    one_thread_a_plan.emplace_back(lane.plan->gate());
    bind(*lane.plan, job);
  }
  const double start = now(), deadline = start + job.slice_seconds;
  Lane& first = lanes.lanes.at(0);
  if (config().check || kernels_.device) {
    FlushToZero scope;
    while (begin_run(lanes, first, job)) {
      const RunState state = state_of(first, job);
      if (config().check)
        run_checked(kernels_, *first.plan, job, state);
      else
        run_one(kernels_, *first.plan, job, state, [&](const RunState& reached) { first.plan->queue(reached); });
      end_run(lanes, first, job, state);
      if (now() > deadline) break;
    }
    return lanes.finished(job.n_batches);
  }
  std::unique_lock<std::mutex> team(team_, std::try_to_lock);
  const double work = first.plan->seconds() * double(lanes.samples);
  const TeamSize::Choice choice =
      team.owns_lock() ? workers_for(*first.plan, work, start) : TeamSize::Choice{1, false};
  LanesSlice slice{&lanes, &job, choice.trial ? start + std::min(job.slice_seconds, kTrialSeconds) : deadline};
  run_team(std::min(choice.workers, int(lanes.lanes.size())), run_lanes, &slice);
  const double end = now();
  if (team.owns_lock() && choice.workers <= int(lanes.lanes.size()))
    first.plan->team_size().record(choice, end - start, double(slice.runs.load()) / double(lanes.samples), end);
  return lanes.finished(job.n_batches);
}

bool Trainer::gradient(const Plan& plan, int i, void* matrix) {
  const auto found = plan.variable_gradients().find(i);
  if (found == plan.variable_gradients().end()) return false;
  std::shared_lock<Gate> lock(state_);
  slab_.unpack(i, found->second, matrix);
  return true;
}

void Trainer::get(Slab::Part part, int slot, int i, void* matrix) {
  std::shared_lock<Gate> lock(state_);
  slab_.get(part, slot, i, matrix);
}

void Trainer::set(Slab::Part part, int slot, int i, const void* matrix) {
  std::unique_lock<Gate> lock(state_);
  slab_.set(part, slot, i, matrix);
}

}  // namespace hl
