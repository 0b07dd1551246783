// Gate: many may read what it guards, or one may change it, in the order in which they asked; no one waits for ever
// behind later comers. For std::unique_lock and std::shared_lock.
//
// In a forked child the parent's other threads are gone: readers have left, but what one of them was changing stays half
// changed, and the gate refuses everybody.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace hl {

class Gate {
 public:
  Gate();
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // Both throw std::runtime_error after a fork in the middle of a change.
  void lock();
  void lock_shared();
  void unlock();
  void unlock_shared();

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable turn;
    uint64_t next_ticket = 0, serving = 0;
    int readers = 0;
    bool writing = false;
    bool broken = false;
  };
  friend struct Gates;
  void start_anew_in_child();
  void wait_for_turn(std::unique_lock<std::mutex>& lock, bool alone);

  State state_;
};

}  // namespace hl
