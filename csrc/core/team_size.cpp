#include "core/team_size.h"

#include <algorithm>

namespace hl {
namespace {

constexpr double kLastRetry = 1;     // seconds between two trials at most
constexpr double kTooLittle = 4e-6;  // work that no second worker can speed up
constexpr double kBetter = 0.92;     // share of the present time that is worth a change
constexpr double kNewest = 0.3;      // weight of the newest time in the mean

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
  if (levels_[level_].seconds > 0)
    for (int other : {level_ - 1, level_ + 1})
      if (other >= 0 && other <= top && (levels_[other].time < 0 || time - levels_[other].time > retry_))
        return {workers(other), true};
  return {workers(level_), false};
}

void TeamSize::record(Choice choice, double seconds_a_batch, double time) {
  if (level_ < 0) return;
  const int tried = level_of(choice.workers);
  if (choice.trial && warm_ != tried) {
    warm_ = tried;
    return;
  }
  warm_ = -1;
  Level& level = levels_[tried];
  level.seconds = choice.trial || level.seconds == 0 ? seconds_a_batch
                                                     : level.seconds + kNewest * (seconds_a_batch - level.seconds);
  level.time = time;
  if (!choice.trial) return;
  const bool won = level.seconds < kBetter * levels_[level_].seconds;
  retry_ = won ? kFirstRetry : std::min(2 * retry_, kLastRetry);
  if (won) level_ = tried;
}

}  // namespace hl
