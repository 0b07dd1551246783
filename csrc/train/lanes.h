// Lanes: batches run side by side, each by one worker in a plan of its own, without barriers. For plans whose rows do
// not depend on each other: predictions, and samples of them.
#pragma once
#include <atomic>
#include <vector>

#include "graph/plan.h"

namespace hl {

struct Lane {
  Plan* plan;
  int64_t batch = -1;  // that is being run, or -1
  int64_t sample = 0;  // of that batch, the next one
};

// Of the samples of an output: the mean, and the sum of squared deviations from it.
struct Moments {
  Sink mean, squares;
  int64_t features;
};

struct Lanes {
  std::vector<Lane> lanes;       // a worker takes every `count`-th
  int64_t samples = 1;           // runs of each batch; each has random numbers of a step of its own
  std::vector<Moments> moments;  // one per output, or none
  std::atomic<int64_t> next{0};  // the first batch that no lane has begun

  bool finished(int64_t n_batches) const {
    for (const Lane& lane : lanes)
      if (lane.batch >= 0) return false;
    return next.load() >= n_batches;
  }
};

// Takes sample number `count`, from 1 on, into the moments of rows [begin, end) (Welford, "Note on a method for
// calculating corrected sums of squares and products", Technometrics 4, 1962).
void add_sample(const Moments& moments, const Sink& sample, DType dtype, int64_t begin, int64_t end, int64_t count);

}  // namespace hl
