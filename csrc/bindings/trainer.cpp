#include "train/trainer.h"

#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "bindings/bind.h"
#include "bindings/data.h"
#include "bindings/gil.h"
#include "core/error.h"

namespace hl {
namespace {

using Rates = py::array_t<double, py::array::c_style>;

// `stored`: how each variable is, where any is stored in another type than the arithmetic's.
std::unique_ptr<Trainer> make_trainer(const std::vector<std::pair<std::string, Shape>>& variables,
                                      const std::string& dtype, int n_threads,
                                      const std::vector<std::string>& stored) {
  std::vector<VariableSpec> specs;
  if (!stored.empty() && stored.size() != variables.size())
    throw ValueError("[trainer] expected a type for each of " + std::to_string(variables.size()) + " variables.");
  for (const auto& [name, shape] : variables)
    specs.push_back({name, shape, dtype_from(stored.empty() ? dtype : stored[specs.size()])});
  return std::make_unique<Trainer>(dtype_from(dtype), std::move(specs), n_threads);
}

// One array for each output of the graph, in order.
std::vector<Sink> sinks_of(const Plan& plan, const std::vector<py::array>& arrays, DType dtype, int64_t rows) {
  std::vector<int64_t> features;
  for (const Node& node : plan.graph().nodes())
    if (node.is_output()) features.push_back(plan.graph().value(node.inputs[0]).spec.features());
  if (arrays.size() != features.size())
    throw ValueError("[run] expected " + std::to_string(features.size()) + " output arrays, received " +
                     std::to_string(arrays.size()) + ".");
  std::vector<Sink> sinks;
  for (size_t i = 0; i < arrays.size(); ++i) sinks.push_back(sink_of(arrays[i], dtype, rows, features[i]));
  return sinks;
}

Part part_from(const std::string& name) {
  if (name == "whole") return Part::whole;
  if (name == "fixed") return Part::fixed;
  if (name == "rest") return Part::rest;
  throw ValueError("[run] expected part 'whole', 'fixed' or 'rest', received '" + name + "'.");
}

int64_t run(Trainer& trainer, Plan& plan, const PyDataset& data, int64_t first_batch, int64_t n_batches,
            int64_t batch_size, int64_t n_rows, const PyRowIndex* index, const std::optional<Rates>& rates,
            int64_t step, uint64_t seed, const std::vector<py::array>& outputs, double slice_seconds,
            const std::optional<Rates>& momenta, const std::string& part) {
  Job job;
  job.data = &data.data;
  job.first_batch = first_batch;
  job.n_batches = n_batches;
  job.batch_size = batch_size;
  job.n_rows = n_rows;
  if (index) job.index = &index->index;
  if (rates) {
    if (rates->size() < n_batches) throw ValueError("[run] expected a learning rate for each batch.");
    job.rates = rates->data();
  }
  if (momenta) {
    if (momenta->size() < n_batches) throw ValueError("[run] expected a momentum for each batch.");
    job.momenta = momenta->data();
  }
  job.step = step;
  job.seed = seed;
  job.slice_seconds = slice_seconds;
  job.part = part_from(part);
  job.outputs = sinks_of(plan, outputs, trainer.dtype(), n_rows);
  Unlocked unlocked;
  return trainer.run(plan, job);
}

// Outputs of all rows of a data set, by plans that each worker has for itself.
class Prediction {
 public:
  using Arrays = std::vector<py::array>;

  Prediction(Trainer& trainer, const std::vector<Plan*>& plans, const py::object& data, int64_t batch_size,
             int64_t n_rows, int64_t step, uint64_t seed, Arrays outputs, int64_t samples, Arrays means, Arrays squares)
      : trainer_(trainer), kept_{data}, arrays_{std::move(outputs), std::move(means), std::move(squares)} {
    if (plans.empty() || batch_size < 1 || samples < 1)
      throw ValueError("[prediction] expected a plan, a batch_size and samples of at least 1.");
    for (Plan* plan : plans) lanes_.lanes.push_back({plan});
    lanes_.samples = samples;
    job_.data = &data.cast<const PyDataset&>().data;
    job_.n_batches = (n_rows + batch_size - 1) / batch_size;
    job_.batch_size = batch_size;
    job_.n_rows = n_rows;
    job_.step = step;
    job_.seed = seed;
    job_.outputs = sinks_of(*plans[0], arrays_[0], trainer.dtype(), n_rows);
    if (arrays_[1].empty() && arrays_[2].empty()) return;
    const std::vector<Sink> means_of = sinks_of(*plans[0], arrays_[1], trainer.dtype(), n_rows);
    const std::vector<Sink> squares_of = sinks_of(*plans[0], arrays_[2], trainer.dtype(), n_rows);
    for (size_t i = 0; i < means_of.size(); ++i)
      lanes_.moments.push_back({means_of[i], squares_of[i], arrays_[1][i].size() / std::max<int64_t>(n_rows, 1)});
  }

  bool run(double slice_seconds) {
    job_.slice_seconds = slice_seconds;
    Unlocked unlocked;
    return trainer_.run(lanes_, job_);
  }

 private:
  Trainer& trainer_;
  py::object kept_;
  std::array<Arrays, 3> arrays_;
  Lanes lanes_;
  Job job_;
};

std::vector<double> time_steps(Trainer& trainer, Plan& plan, const PyDataset& data, int64_t rows,
                               const std::vector<py::array>& outputs, int repeats) {
  Job job;
  job.data = &data.data;
  job.n_batches = 1;
  job.batch_size = job.n_rows = rows;
  job.outputs = sinks_of(plan, outputs, trainer.dtype(), rows);
  Unlocked unlocked;
  return trainer.time_steps(plan, job, repeats);
}

py::array get(Trainer& trainer, Slab::Part part, int slot, int i) {
  py::array array(numpy_dtype(trainer.slab().dtype_of(i)), trainer.slab().spec(i).shape);
  void* data = array.mutable_data();
  Unlocked unlocked;
  trainer.get(part, slot, i, data);
  return array;
}

py::array plan_gradient(Trainer& trainer, const Plan& plan, int i) {
  py::array array(numpy_dtype(trainer.dtype()), trainer.slab().spec(i).shape);
  void* data = array.mutable_data();
  const size_t bytes = size_t(array.nbytes());
  Unlocked unlocked;
  if (!trainer.gradient(plan, i, data)) std::memset(data, 0, bytes);
  return array;
}

void set(Trainer& trainer, Slab::Part part, int slot, int i, const py::array& array) {
  const VariableSpec& spec = trainer.slab().spec(i);
  const Shape shape(array.shape(), array.shape() + array.ndim());
  if (shape != spec.shape)
    throw ValueError("[variable '" + spec.name + "'] expected shape " + to_string(spec.shape) + ", received " +
                     to_string(shape) + ".");
  const DType dtype = trainer.slab().dtype_of(i);
  if (dtype_of(array) != dtype || !(array.flags() & py::array::c_style))
    throw ValueError("[variable '" + spec.name + "'] expected a C-contiguous " + name_of(dtype) + " array.");
  const void* data = array.data();
  Unlocked unlocked;
  trainer.set(part, slot, i, data);
}

py::array input_gradient(const Plan& plan, int k, int64_t n) {
  const int64_t rows = n < 0 ? plan.max_rows() : std::min(n, plan.max_rows());
  int input = -1;
  for (const Node& node : plan.graph().nodes()) {
    if (!node.is_input() || ++input != k) continue;
    const Spec& spec = plan.graph().value(node.output).spec;
    const Tensor grad = plan.input_gradient(k);
    Shape shape = spec.shape;
    shape[0] = rows;
    py::array array(numpy_dtype(plan.graph().dtype()), shape);
    const int64_t bytes = spec.features() * size_of(plan.graph().dtype());
    char* row = static_cast<char*>(array.mutable_data());
    for (int64_t r = 0; r < rows; ++r, row += bytes) {
      if (grad)
        std::memcpy(row, grad.as<char>() + r * grad.ld * size_of(plan.graph().dtype()), size_t(bytes));
      else
        std::memset(row, 0, size_t(bytes));
    }
    return array;
  }
  throw ValueError("[plan] expected an input of the graph, received number " + std::to_string(k) + ".");
}

py::list describe(const Plan& plan) {
  py::list rows;
  for (const Step& step : plan.steps()) {
    py::dict row;
    row["node"] = step.node < 0 ? "" : plan.graph().nodes()[size_t(step.node)].name;
    row["op"] = step.node < 0 ? "optimizer" : plan.graph().nodes()[size_t(step.node)].op->name;
    row["kernel"] = step.kernel;
    row["flops"] = step.cost.flops;
    row["bytes"] = step.cost.bytes;
    row["barrier"] = step.barrier;
    rows.append(row);
  }
  return rows;
}

py::dict memory(const Trainer& trainer) {
  py::dict bytes;
  bytes["weights"] = trainer.slab().bytes();
  bytes["gradients"] = trainer.slab().bytes();
  bytes["optimizer"] = trainer.slab().n_slots() * trainer.slab().bytes();
  bytes["batches"] = trainer.plan_memory();
  return bytes;
}

py::array_t<double> metrics(Plan& plan) {
  const py::ssize_t n = py::ssize_t(plan.accumulators().size() / 4);
  return py::array_t<double>({n, py::ssize_t(4)}, plan.accumulators().data());
}

void set_metrics(Plan& plan, const py::array_t<double, py::array::c_style | py::array::forcecast>& rows) {
  if (rows.ndim() != 2 || rows.shape(1) != 4 || size_t(rows.size()) != plan.accumulators().size()) {
    throw std::invalid_argument("[set_metrics] expected an array like that of metrics().");
  }
  std::copy_n(rows.data(), rows.size(), plan.accumulators().begin());
}

}  // namespace

void bind_trainer(py::module_& m) {
  py::class_<Plan>(m, "Plan", "An ordered list of kernel calls with final addresses, for batches of up to max_rows.")
      .def_property_readonly("max_rows", &Plan::max_rows)
      .def_property_readonly("memory", &Plan::memory, "Bytes of activations, gradients and scratch.")
      .def("metrics", &metrics, "Rows [total, count, last value, first step that was not finite].")
      .def("set_metrics", &set_metrics, py::arg("rows"), "Go on from what `metrics` gave.")
      .def("reset_metrics", &Plan::reset_accumulators)
      .def("input_gradient", &input_gradient, py::arg("k"), py::arg("rows") = -1,
           "Of graph input k, the first rows (all that the plan has room for unless told).")
      .def("describe", &describe, "One dict a step: node, op, kernel, flops, bytes, barrier.");

  py::class_<Trainer>(m, "Trainer", "Owns variables and optimizer slots, and runs batches.")
      .def(py::init(&make_trainer), py::arg("variables"), py::arg("dtype") = "float32", py::arg("n_threads") = 0,
           py::arg("stored") = std::vector<std::string>())
      .def(
          "plan",
          [](Trainer& t, const Graph& graph, int64_t max_rows, bool training, bool update, bool input_gradients,
             bool samples, bool resumable) {
            return t.plan(graph, max_rows, training, update, input_gradients, samples, resumable);
          },
          py::arg("graph"), py::arg("max_rows"), py::arg("training") = false, py::arg("update") = false,
          py::arg("input_gradients") = false, py::arg("samples") = false, py::arg("resumable") = false,
          py::keep_alive<0, 1>(),
          "Some steps may run once for several runs of the others: those that no random number enters (`samples`), or "
          "those that lead to the outputs (`resumable`).")
      .def(
          "set_optimizer",
          [](Trainer& t, const py::dict& spec, bool keep_slots, const std::vector<int>& undecayed,
             const std::vector<double>& rate_factors, const std::vector<int>& by_adam,
             const std::vector<int>& keep_zeros) {
            t.set_optimizer(optimizer_from(attrs_of(spec)), keep_slots, undecayed, rate_factors, by_adam, keep_zeros);
          },
          py::arg("spec"), py::arg("keep_slots") = false, py::arg("undecayed") = std::vector<int>(),
          py::arg("rate_factors") = std::vector<double>(), py::arg("by_adam") = std::vector<int>(),
          py::arg("keep_zeros") = std::vector<int>())
      .def_property_readonly("n_slots", [](const Trainer& t) { return t.slab().n_slots(); })
      .def("memory", &memory, "Bytes by what they hold: weights, gradients, optimizer, and batches: the plans' memory.")
      .def("get", [](Trainer& t, int i) { return get(t, Slab::Part::weight, 0, i); }, py::arg("i"))
      .def(
          "set", [](Trainer& t, int i, const py::array& a) { set(t, Slab::Part::weight, 0, i, a); }, py::arg("i"),
          py::arg("array"))
      .def(
          "get_slot", [](Trainer& t, int slot, int i) { return get(t, Slab::Part::slot, slot, i); }, py::arg("slot"),
          py::arg("i"))
      .def(
          "set_slot",
          [](Trainer& t, int slot, int i, const py::array& a) { set(t, Slab::Part::slot, slot, i, a); },
          py::arg("slot"), py::arg("i"), py::arg("array"))
      .def("gradient", [](Trainer& t, int i) { return get(t, Slab::Part::gradient, 0, i); }, py::arg("i"))
      .def(
          "set_gradient", [](Trainer& t, int i, const py::array& a) { set(t, Slab::Part::gradient, 0, i, a); },
          py::arg("i"), py::arg("array"))
      .def("plan_gradient", &plan_gradient, py::arg("plan"), py::arg("i"),
           "What a run of this plan has just left as the gradient of variable i; zeros if it gets none.")
      .def("run", &run, py::arg("plan"), py::arg("dataset"), py::arg("first_batch"), py::arg("n_batches"),
           py::arg("batch_size"), py::arg("n_rows"), py::arg("index") = py::none(), py::arg("rates") = py::none(),
           py::arg("step") = 0, py::arg("seed") = 0, py::arg("outputs") = py::list(), py::arg("slice_seconds") = 0.05,
           py::arg("momenta") = py::none(),
           py::arg("part") = "whole",
           "Runs batches until done or slice_seconds have passed; returns how many. The GIL is released. `part`: the "
           "'whole', only the 'fixed' steps, or the 'rest', after a run of these with the same batch.")
      .def("time_steps", &time_steps, py::arg("plan"), py::arg("dataset"), py::arg("rows"),
           py::arg("outputs") = py::list(), py::arg("repeats") = 100,
           "Seconds of each step of a plan on one worker, the least of many batches of the first rows. An updating plan "
           "updates each time.");

  py::class_<Prediction>(m, "Prediction",
                         "Outputs of n_rows rows, batch by batch, each worker its own batches in its own plan. With more "
                         "samples each batch runs so often, with the random numbers of the next steps, and the moments go "
                         "to means and squares (of the deviations, summed), which start as zeros.")
      .def(py::init<Trainer&, const std::vector<Plan*>&, const py::object&, int64_t, int64_t, int64_t, uint64_t,
                    Prediction::Arrays, int64_t, Prediction::Arrays, Prediction::Arrays>(),
           py::arg("trainer"), py::arg("plans"), py::arg("dataset"), py::arg("batch_size"), py::arg("n_rows"),
           py::arg("step") = 0, py::arg("seed") = 0, py::arg("outputs") = py::list(), py::arg("samples") = 1,
           py::arg("means") = py::list(), py::arg("squares") = py::list(), py::keep_alive<1, 2>(),
           py::keep_alive<1, 3>())
      .def("run", &Prediction::run, py::arg("slice_seconds") = 0.05,
           "Goes on for at most about slice_seconds; true when all is done. The GIL is released.");
}

}  // namespace hl
