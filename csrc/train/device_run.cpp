#include "train/device_run.h"

#include <cstring>

namespace hl {

DeviceRun::DeviceRun(const Device& device, Plan& plan, const Dataset& data, const RowIndex* index,
                     const std::vector<Sink>& outputs, int64_t most_batches)
    : device_(device), plan_(plan), outputs_(outputs), states_(size_t(most_batches), Reachable<RunState>{&device}) {
  for (size_t i = 0; i < data.columns.size(); ++i) plan.sources()[i] = data.columns[i].reach(device);
  if (index) {
    given_rows_ = index->rows;
    copied_rows_ = index->reach(device);
  }
  for (const Node& node : plan.graph().nodes()) {
    if (!node.is_output()) continue;
    const Spec& spec = plan.graph().value(node.inputs[0]).spec;
    row_bytes_.push_back(spec.features() * size_of(plan.graph().dtype()));
    const bool wanted = outputs[results_.size()].data != nullptr;
    results_.emplace_back(wanted ? most_batches * plan.max_rows() * row_bytes_.back() : 0, &device);
  }
}

void DeviceRun::run(const RunState* states, int64_t count, const std::function<void(const RunState*)>& body) {
  const int64_t begin = states[0].first_row, end = states[count - 1].first_row + states[count - 1].rows;
  for (size_t i = 0; i < results_.size(); ++i) {
    char* data = results_[i].data();
    plan_.sinks()[i] = {data ? data - begin * row_bytes_[i] : nullptr, row_bytes_[i]};
  }
  const auto for_each_row = [&](auto body) {  // body(bytes, there, here)
    for (size_t i = 0; i < results_.size(); ++i)
      for (int64_t row = begin; results_[i].data() && row < end; ++row)
        body(size_t(row_bytes_[i]), results_[i].data() + (row - begin) * row_bytes_[i],
             outputs_[i].data + row * outputs_[i].row_bytes);
  };
  // What fixed steps have written stays.
  if (states[0].part == Part::rest) for_each_row([](size_t n, char* there, char* here) { std::memcpy(there, here, n); });
  for (int64_t b = 0; b < count; ++b) {
    RunState& state = states_[size_t(b)];
    state = states[b];
    if (state.index) state.index = copied_rows_ + (state.index - given_rows_);
    state.next_index = nullptr;
  }
  body(states_.data());
  device_.wait();
  for_each_row([](size_t n, char* there, char* here) { std::memcpy(here, there, n); });
}

}  // namespace hl
