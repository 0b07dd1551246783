// Config: the environment variables the engine reads. Nothing else in csrc calls getenv.
#pragma once
#include <string>

namespace hl {

constexpr int kMostThreads = 4096;

struct Config {
  std::string backend;  // HOTLOOP_BACKEND: the row to use, or empty for the best one available
  int num_threads = 0;  // HOTLOOP_NUM_THREADS: workers in a team, or 0 for the machine's own limits
  bool check = false;   // HOTLOOP_CHECK: look for NaN after every step and name the layer that made it
};

// Read once, at the first call. A value that makes no sense throws ValueError.
const Config& config();

}  // namespace hl
