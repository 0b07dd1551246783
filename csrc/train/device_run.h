// Batches on a device: they are queued, some at a time, over copies of what it does not reach.
#pragma once
#include <functional>

#include "graph/plan.h"
#include "train/dataset.h"

namespace hl {

class DeviceRun {
 public:
  // Rows of the first `most_batches` batches' outputs find a place; sources are copied whole, once (train/dataset.h).
  DeviceRun(const Device& device, Plan& plan, const Dataset& data, const RowIndex* index,
            const std::vector<Sink>& outputs, int64_t most_batches);

  // body(states that the device reaches) for as many batches at most, of consecutive rows from states[0].first_row on;
  // what it queues is done when this returns.
  void run(const RunState* states, int64_t count, const std::function<void(const RunState*)>& body);

 private:
  const Device& device_;
  Plan& plan_;
  const std::vector<Sink>& outputs_;
  const int64_t* given_rows_ = nullptr;   // of the index, here
  const int64_t* copied_rows_ = nullptr;  // and there
  std::vector<int64_t> row_bytes_;        // of each output
  std::vector<Buffer> results_;
  ReachableVector<RunState> states_;
};

}  // namespace hl
