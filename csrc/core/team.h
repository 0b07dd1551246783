// Team: a group of workers that run one function together, and the barrier between its phases. The only file
// pair that knows OpenMP. Built with OpenMP, on std::thread (for ThreadSanitizer), or for one worker only.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "core/run_state.h"

namespace hl {

// All workers of a team meet here. Each has a flag on its own cache line; waiting spins briefly, then blocks, so
// that a worker whose partner lost its core does not burn its own.
class Barrier {
 public:
  explicit Barrier(int capacity);  // for teams of up to this many workers; one team, from its first phase to its last

  void wait(Worker worker) noexcept;

 private:
  struct alignas(64) Flag {
    std::atomic<uint32_t> round{0};
  };
  bool all_arrived(int count, uint32_t round) const noexcept;
  void block(int count, uint32_t round) noexcept;

  std::unique_ptr<Flag[]> flags_;
  std::atomic<int> sleepers_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
};

// Runs body(context, worker) on `count` workers, subnormals flushed, and returns when all are done. The body must
// not throw. In a forked child it runs on one worker: the parent's threads do not exist there.
void run_team(int count, void (*body)(void* context, Worker worker) noexcept, void* context);

// Whatever the calling thread runs from now on runs on one worker, itself: other threads have the other cores.
void set_lone_worker(bool on);

// The number of workers that somebody asked for: set_workers, else HOTLOOP_NUM_THREADS, else 0.
int asked_workers();
// From the next batches on; without a count the wish is taken back.
void set_workers(std::optional<int64_t> count);

// How many workers a team may have here: as many as asked for, else the least of CPU affinity, cgroup quota and
// OpenMP's own limit (OMP_NUM_THREADS, threadpoolctl).
int available_workers();

// True in a process forked after this library was loaded.
bool in_forked_child();

const char* team_kind();  // "openmp", "threads" or "serial"

}  // namespace hl
