#include "core/config.h"

#include <cstdlib>

#include "core/error.h"

namespace hl {
namespace {

std::string read(const char* name) {
  const char* text = std::getenv(name);
  return text ? text : "";
}

int read_count(const char* name) {
  const std::string text = read(name);
  if (text.empty()) return 0;
  char* end = nullptr;
  const long value = std::strtol(text.c_str(), &end, 10);
  if (*end != '\0' || value < 1 || value > kMostThreads)
    throw ValueError(std::string("[") + name + "] expected a number of threads from 1 to " +
                     std::to_string(kMostThreads) + ", received '" + text + "'.");
  return static_cast<int>(value);
}

Config read_all() {
  Config c;
  c.backend = read("HOTLOOP_BACKEND");
  c.num_threads = read_count("HOTLOOP_NUM_THREADS");
  const std::string check = read("HOTLOOP_CHECK");
  c.check = !check.empty() && check != "0";
  return c;
}

}  // namespace

const Config& config() {
  static const Config kConfig = read_all();
  return kConfig;
}

}  // namespace hl
