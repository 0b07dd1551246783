// TeamSize: how many workers run a plan. A cost model makes the first choice; then the times of the batches decide,
// because only they know about other processes, shared cores and caches. Bits do not depend on it.
#pragma once

namespace hl {

class TeamSize {
 public:
  struct Choice {
    int workers;
    bool trial;  // for a short time only: another size may have become the better one
  };
  // `work`: seconds of a batch on one worker by the cost model; `most`: workers there are; `time`: now.
  Choice choose(double work, int most, double time);
  // `batches` took `seconds` and ended at `time`.
  void record(Choice choice, double seconds, double batches, double time);

 private:
  static constexpr int kLevels = 12;  // 1, 2, 4, .. workers, and `most`
  struct Level {
    double seconds = 0;  // of a batch, lately; 0: never tried
    double next = 0;     // time of the next trial
  };
  int level_of(int workers) const;

  Level levels_[kLevels];
  int level_ = -1;
  int warm_ = -1;        // the level that the last trial woke up: the next one counts
  double wait_ = 0;      // seconds between two trials; longer each time one is lost
  double paid_ = 0;      // no trial before this time
  double expected_ = 0;  // seconds of a batch at the present level; much more is a reason to look about
};

constexpr double kWorkerSeconds = 15e-6;  // work that pays for one more worker
constexpr double kTrialSeconds = 1e-3;    // how long a trial lasts

}  // namespace hl
