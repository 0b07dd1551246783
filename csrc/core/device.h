// Device: where a row's kernels run, and the memory they reach. Rows of the processor have none: they run in the team
// and reach all memory.
//
// What a device is told to do is queued, and done in that order. The steps of a batch may be recorded once and replayed
// for every batch, which costs a launch and not one per step; what changes from batch to batch is read from a StateQueue.
#pragma once
#include "core/run_state.h"

namespace hl {

// The states of coming batches, in memory of the device; `current` is the one that steps read.
struct StateQueue {
  RunState current;
  const RunState* states;
  int64_t next;
};

struct Device {
  const char* name;                           // "cuda"
  void* (*allocate)(int64_t bytes) noexcept;  // zeroed, reached from here too; null if so much is not left
  void (*release)(void* memory) noexcept;
  void (*wait)();                             // until all that is queued is done; throws DeviceError if any of it failed
  void (*advance)(StateQueue* queue) noexcept;  // queues current = states[next++]
  // What body(context) queues, kept instead of done; null if that is impossible.
  void* (*record)(void (*body)(void* context), void* context) noexcept;
  void (*replay)(void* recording) noexcept;
  void (*forget)(void* recording) noexcept;
};

}  // namespace hl
