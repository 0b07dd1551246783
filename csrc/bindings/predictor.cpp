// Predictor: the short way from one plain array to another, for models with one input and one output.
#include <pybind11/stl.h>

#include <atomic>
#include <memory>
#include <optional>

#include "bindings/arrays.h"
#include "bindings/bind.h"
#include "bindings/gil.h"
#include "train/trainer.h"

namespace hl {
namespace {

constexpr int kSizes = 9;
constexpr int64_t kMostRows = int64_t(1) << (kSizes - 1);

class Predictor {
 public:
  Predictor(Trainer& trainer, const Graph& graph)
      : trainer_(trainer), graph_(graph), dtype_(numpy_dtype(trainer.dtype())) {
    for (const Node& node : graph.nodes()) {
      if (node.is_input()) input_ = graph.value(node.output).spec.shape;
      if (node.is_output()) output_ = graph.value(node.inputs[0]).spec.shape;
    }
  }
  ~Predictor() {
    for (std::atomic<Plan*>& plan : idle_) delete plan.load();
  }

  // The outputs, or None for an array that is not just as the input wants it, or not finite.
  std::optional<py::array> predict(const py::array& x) {
    if (!x.dtype().is(dtype_) || !(x.flags() & py::array::c_style) || size_t(x.ndim()) != input_.size())
      return std::nullopt;
    const int64_t rows = x.shape(0);
    for (size_t axis = 1; axis < input_.size(); ++axis)
      if (x.shape(py::ssize_t(axis)) != input_[axis]) return std::nullopt;
    if (rows < 1 || rows > kMostRows) return std::nullopt;
    Shape shape = output_;
    shape[0] = rows;
    py::array y(dtype_, shape);
    Dataset data;
    data.columns.push_back(column_of(x));
    Job job;
    job.data = &data;
    job.n_batches = 1;
    job.batch_size = job.n_rows = rows;
    job.outputs.push_back({static_cast<char*>(y.mutable_data()), y.strides(0)});
    if (!run(job)) return std::nullopt;
    return y;
  }

 private:
  bool run(const Job& job) {
    Unlocked unlocked;
    if (first_not_finite(job.data->columns[0]) >= 0) return false;
    int size = 0;
    while ((int64_t(1) << size) < job.n_rows) ++size;
    std::unique_ptr<Plan> plan(idle_[size].exchange(nullptr));
    if (!plan) plan = trainer_.plan(graph_, int64_t(1) << size, false, false, false);
    trainer_.run(*plan, job);
    Plan* none = nullptr;  // another thread may have left its plan meanwhile
    if (idle_[size].compare_exchange_strong(none, plan.get())) plan.release();
    return true;
  }

  Trainer& trainer_;
  const Graph graph_;
  const py::dtype dtype_;
  Shape input_, output_;
  std::atomic<Plan*> idle_[kSizes] = {};  // a plan for up to 2^i rows
};

}  // namespace

void bind_predictor(py::module_& m) {
  py::class_<Predictor>(m, "Predictor", "Predictions of a graph with one input and one output, array in, array out.")
      .def(py::init<Trainer&, const Graph&>(), py::arg("trainer"), py::arg("graph"), py::keep_alive<1, 2>())
      .def("predict", &Predictor::predict, py::arg("x"),
           "The outputs, or None where x is no C-contiguous, finite array of the input's shape and dtype, or too long.");
}

}  // namespace hl
