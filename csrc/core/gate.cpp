#include "core/gate.h"

#include <pthread.h>

#include <new>
#include <stdexcept>
#include <unordered_set>

namespace hl {

// All gates of the process. It is never freed: gates may outlive static objects.
struct Gates {
  std::mutex mutex;
  std::unordered_set<Gate*> all;

  void start_anew_in_child() {
    for (Gate* gate : all) gate->start_anew_in_child();
    mutex.unlock();
  }
};

namespace {

Gates& gates() {
  static Gates& instance = *new Gates;
  return instance;
}

// The list is whole at the moment of a fork, because the forking thread holds its mutex.
const int kForkGuard =
    pthread_atfork([] { gates().mutex.lock(); }, [] { gates().mutex.unlock(); }, [] { gates().start_anew_in_child(); });

}  // namespace

Gate::Gate() {
  std::lock_guard<std::mutex> lock(gates().mutex);
  gates().all.insert(this);
}

Gate::~Gate() {
  std::lock_guard<std::mutex> lock(gates().mutex);
  gates().all.erase(this);
}

// The mutex may be locked and the condition waited for by threads that do not exist here: neither can be destroyed.
void Gate::start_anew_in_child() {
  const bool broken = state_.broken || state_.writing;
  new (&state_) State;
  state_.broken = broken;
}

void Gate::wait_for_turn(std::unique_lock<std::mutex>& lock, bool alone) {
  if (state_.broken)
    throw std::runtime_error(
        "[fork] expected a process that was forked between batches, received one forked while another thread of its "
        "parent was in the middle of a batch of this model: its weights are half changed here. Build the model anew "
        "or load it from a file, or fork before or after fit.");
  const uint64_t ticket = state_.next_ticket++;
  state_.turn.wait(lock,
                   [&] { return ticket == state_.serving && !state_.writing && (!alone || state_.readers == 0); });
  ++state_.serving;
}

void Gate::lock() {
  std::unique_lock<std::mutex> lock(state_.mutex);
  wait_for_turn(lock, true);
  state_.writing = true;
}

void Gate::lock_shared() {
  std::unique_lock<std::mutex> lock(state_.mutex);
  wait_for_turn(lock, false);
  ++state_.readers;
  state_.turn.notify_all();  // the next may be a reader too
}

void Gate::unlock() {
  std::lock_guard<std::mutex> lock(state_.mutex);
  state_.writing = false;
  state_.turn.notify_all();
}

void Gate::unlock_shared() {
  std::lock_guard<std::mutex> lock(state_.mutex);
  if (--state_.readers == 0) state_.turn.notify_all();
}

}  // namespace hl
