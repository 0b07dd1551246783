// What this machine can do at best: fused multiply-adds out of registers, and bytes streamed from every level of the
// memory. Compiled by benchmarks/roofline.py with -O3 -march=native.
//
//     roofline SECONDS THREADS flops
//     roofline SECONDS THREADS read|update BYTES       BYTES: what each thread walks over, again and again
//
// Prints the best rate of many short windows: GFLOP/s (float32), or GB/s summed over the threads.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace {

#if defined(__AVX512F__)
constexpr int kBytes = 64;
#elif defined(__AVX__)
constexpr int kBytes = 32;
#else
constexpr int kBytes = 16;
#endif
constexpr int kLanes = kBytes / int(sizeof(float));
constexpr int kChains = 12;  // independent accumulators: more than latency times ports, fewer than registers
typedef float Vec __attribute__((vector_size(kBytes), may_alias));

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Each returns the work it did: flops, or bytes.
double multiply_add(float*, size_t) {
  constexpr int kRounds = 20000;
  Vec sum[kChains], x, y;
  for (int lane = 0; lane < kLanes; ++lane) x[lane] = 0.999f, y[lane] = 1e-3f;
  for (Vec& s : sum) s = y;
  for (int i = 0; i < kRounds; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) sum[c] = sum[c] * x + y;
#if defined(__x86_64__)
    __asm__ volatile("" : "+x"(x), "+x"(y));  // the loop may not be solved in closed form
#else
    __asm__ volatile("" : "+w"(x), "+w"(y));
#endif
  }
  for (Vec& s : sum) __asm__ volatile("" : : "m"(s));
  return 2.0 * kLanes * kChains * kRounds;
}

double read(float* data, size_t bytes) {
  const Vec* v = reinterpret_cast<const Vec*>(data);
  const size_t n = bytes / sizeof(Vec) / 8 * 8;
  Vec sum[8] = {};
  for (size_t i = 0; i < n; i += 8)
#pragma GCC unroll 8
    for (size_t j = 0; j < 8; ++j) sum[j] += v[i + j];
#pragma GCC unroll 8
  for (size_t j = 0; j < 8; ++j) __asm__ volatile("" : : "m"(sum[j]));
  return double(n * sizeof(Vec));
}

double update(float* data, size_t bytes) {
  Vec* v = reinterpret_cast<Vec*>(data);
  const size_t n = bytes / sizeof(Vec) / 8 * 8;
  for (size_t i = 0; i < n; i += 8)
#pragma GCC unroll 8
    for (size_t j = 0; j < 8; ++j) v[i + j] = v[i + j] * 0.5f;
  __asm__ volatile("" : : : "memory");
  return 2.0 * double(n * sizeof(Vec));
}

using Body = double (*)(float*, size_t);

// Best rate of windows of about 2 ms. Every thread sums its own bytes; a window counts from the first start.
double best_rate(Body body, size_t bytes, int threads, double seconds) {
  std::vector<float*> data(static_cast<size_t>(threads));
  for (float*& d : data) {
    const size_t padded = (bytes + 4095) / 4096 * 4096 + 4096;
    d = static_cast<float*>(std::aligned_alloc(4096, padded));
    std::memset(d, 0, padded);
  }
  const double once_start = now();
  body(data[0], bytes);
  const double once = std::max(now() - once_start, 1e-7);
  const int repeats = std::max(1, int(2e-3 / once));
  std::atomic<int> arrived{0};
  std::vector<double> work(data.size());
  double best = 0;
  const double end = now() + seconds;
  std::atomic<bool> stop{false};
  int window = 0;
  auto meet = [&](int n) {
    arrived.fetch_add(1);
    while (arrived.load() < n * threads) {
    }
  };
  auto run = [&](int id) {
    for (int round = 1;; round += 2) {
      meet(round);
      if (stop.load()) return;
      const double start = now();
      double done = 0;
      for (int r = 0; r < repeats; ++r) done += body(data[size_t(id)], bytes);
      work[size_t(id)] = done;
      meet(round + 1);
      if (id != 0) continue;
      const double elapsed = now() - start;
      double total = 0;
      for (double w : work) total += w;
      if (++window > 1) best = std::max(best, total / elapsed);
      if (now() > end) stop.store(true);
    }
  };
  std::vector<std::thread> team;
  for (int id = 1; id < threads; ++id) team.emplace_back(run, id);
  run(0);
  for (std::thread& t : team) t.join();
  for (float* d : data) std::free(d);
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const double seconds = std::atof(argv[1]);
  const int threads = std::atoi(argv[2]);
  const size_t bytes = argc > 4 ? std::strtoull(argv[4], nullptr, 10) : 0;
  const Body body = std::strcmp(argv[3], "flops") == 0 ? multiply_add : std::strcmp(argv[3], "read") == 0 ? read : update;
  std::printf("%.3f\n", best_rate(body, bytes, threads, seconds) / 1e9);
  return 0;
}
