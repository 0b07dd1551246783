#include "core/team.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#if defined(HL_TEAM_OPENMP)
#include <omp.h>
#endif
#include <pthread.h>

#include "core/clock.h"
#include "core/config.h"
#include "core/error.h"
#include "core/ftz.h"

namespace hl {
namespace {

#if defined(HL_TEAM_OPENMP) || defined(HL_TEAM_THREADS)
constexpr bool kSerial = false;
#else
constexpr bool kSerial = true;
#endif

constexpr int kSpins = 4000;  // about 50 us: longer than any phase of a balanced step is late

void relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

// The parent's OpenMP threads do not survive a fork, and its runtime would wait for them for ever.
std::atomic<bool> forked{false};
const int kForkGuard = pthread_atfork(nullptr, nullptr, [] { forked.store(true, std::memory_order_relaxed); });

std::atomic<int> wanted{0};
thread_local bool lone = false;

// CPU time the cgroup may use, in cores; 0 where there is no limit.
int cgroup_limit() {
  std::ifstream v2("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (v2 >> quota >> period && quota != "max" && period > 0)
    return std::max(1, int(std::ceil(std::stod(quota) / period)));
  std::ifstream q("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), p("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  double us = 0;
  if (q >> us && p >> period && us > 0 && period > 0) return std::max(1, int(std::ceil(us / period)));
  return 0;
}

int affinity_limit() {
#ifdef __linux__
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace

Barrier::Barrier(int capacity) : flags_(new Flag[size_t(capacity)]) {}

bool Barrier::all_arrived(int count, uint32_t round) const noexcept {
  for (int i = 0; i < count; ++i)
    if (int32_t(flags_[size_t(i)].round.load(std::memory_order_acquire) - round) < 0) return false;
  return true;
}

void Barrier::wait(Worker worker) noexcept {
  if (worker.count == 1) return;
  std::atomic<uint32_t>& mine = flags_[size_t(worker.id)].round;
  const uint32_t round = mine.load(std::memory_order_relaxed) + 1;
  // Sequentially consistent against `sleepers_`: either the sleeper sees this flag, or we see the sleeper.
  mine.store(round, std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) > 0) {
    std::lock_guard<std::mutex> lock(mutex_);
    wake_.notify_all();
  }
  for (int spin = 0; spin < kSpins; ++spin) {
    if (all_arrived(worker.count, round)) return;
    relax();
  }
  block(worker.count, round);
}

void Barrier::block(int count, uint32_t round) noexcept {
  std::unique_lock<std::mutex> lock(mutex_);
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // before the flags are read again
  wake_.wait(lock, [&] { return all_arrived(count, round); });
  sleepers_.fetch_sub(1, std::memory_order_relaxed);
}

void run_team(int count, void (*body)(void*, Worker) noexcept, void* context) {
  if (kSerial || count <= 1 || in_forked_child()) {
    FlushToZero scope;
    body(context, {0, 1});
    return;
  }
#if defined(HL_TEAM_OPENMP)
  // OpenMP may grant fewer threads than asked for; the team's size is what it granted.
#pragma omp parallel num_threads(count)
  {
    FlushToZero scope;
    body(context, {omp_get_thread_num(), omp_get_num_threads()});
  }
#elif defined(HL_TEAM_THREADS)
  std::vector<std::thread> threads;
  for (int id = 1; id < count; ++id)
    threads.emplace_back([=] {
      FlushToZero scope;
      body(context, {id, count});
    });
  {
    FlushToZero scope;
    body(context, {0, count});
  }
  for (std::thread& t : threads) t.join();
#endif
}

void set_lone_worker(bool on) { lone = on; }

int asked_workers() {
  if (lone) return 1;
  const int wish = wanted.load(std::memory_order_relaxed);
  return wish > 0 ? wish : config().num_threads;
}

void set_workers(std::optional<int64_t> count) {
  if (count && (*count < 1 || *count > kMostThreads))
    throw ValueError("[set_num_threads] expected a number of threads from 1 to " + std::to_string(kMostThreads) +
                     ", received " + std::to_string(*count) + ". None stands for as many as the machine allows.");
  wanted.store(int(count.value_or(0)), std::memory_order_relaxed);
}

int available_workers() {
  if (kSerial || in_forked_child()) return 1;
  if (asked_workers() > 0) return asked_workers();
  int workers = affinity_limit();
#if defined(HL_TEAM_OPENMP)
  workers = std::min(workers, omp_get_max_threads());
#endif
  static const int quota = cgroup_limit();
  return quota > 0 ? std::min(workers, quota) : workers;
}

bool in_forked_child() { return forked.load(std::memory_order_relaxed); }

const char* team_kind() {
#if defined(HL_TEAM_OPENMP)
  return "openmp";
#elif defined(HL_TEAM_THREADS)
  return "threads";
#else
  return "serial";
#endif
}

}  // namespace hl
