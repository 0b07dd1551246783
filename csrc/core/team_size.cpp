#include "core/team_size.h"

#include <algorithm>

namespace hl {
namespace {

constexpr double kFirstWait = 0.05;   // seconds between two trials at least
constexpr double kLastWait = 1;       // and at most, unless trials would
constexpr double kTrialShare = 0.01;  // cost more than this share of the time
constexpr double kTooLittle = 4e-6;   // work that no second worker can speed up
constexpr double kBetter = 0.92;      // share of the present time that is worth a change
constexpr double kWorse = 1.25;       // share of the expected time that is worth a trial
constexpr double kNewest = 0.3;       // weight of the newest time in the mean

}  // namespace

int TeamSize::level_of(int workers) const {
  int level = 0;
  while ((1 << level) < workers && level < kLevels - 1) ++level;
  return level;
}

TeamSize::Choice TeamSize::choose(double work, int most, double time) {
  if (most <= 1 || work < kTooLittle) return {1, false};
  const int top = level_of(most);
  if (level_ < 0) level_ = level_of(int(std::min(double(most), std::max(1.0, work / kWorkerSeconds))));
  level_ = std::min(level_, top);
  const auto workers = [&](int level) { return std::min(most, 1 << level); };
  if (levels_[level_].seconds > 0 && time >= paid_)
    for (int other : {level_ - 1, level_ + 1})
      if (other >= 0 && other <= top && time >= levels_[other].next) return {workers(other), true};
  return {workers(level_), false};
}

void TeamSize::record(Choice choice, double seconds, double batches, double time) {
  if (level_ < 0) return;
  const int tried = level_of(choice.workers);
  if (choice.trial && warm_ != tried && seconds < 2 * kTrialSeconds) {
    warm_ = tried;
    return;
  }
  warm_ = -1;
  Level& level = levels_[tried];
  const double latest = seconds / batches;
  level.seconds = choice.trial || level.seconds == 0 ? latest : level.seconds + kNewest * (latest - level.seconds);
  const double usual = levels_[level_].seconds;
  if (choice.trial) {
    const bool won = latest < kBetter * usual;
    wait_ = won ? kFirstWait : std::min(std::max(kFirstWait, 2 * wait_), kLastWait);
    levels_[won ? level_ : tried].next = time + wait_;
    paid_ = time + (latest - usual) * batches / kTrialShare;
    if (won) level_ = tried;
    expected_ = levels_[level_].seconds;
  } else if (usual > kWorse * expected_ && expected_ > 0) {
    expected_ = usual;
    wait_ = kFirstWait;
    for (Level& other : levels_) other.next = std::min(other.next, time);
  } else if (expected_ == 0 || usual < expected_) {
    expected_ = usual;
  }
}

}  // namespace hl
