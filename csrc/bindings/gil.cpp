#include "bindings/gil.h"

#include <atomic>
#include <chrono>
#include <thread>

#include "bindings/bind.h"

namespace hl {
namespace {

namespace py = pybind11;
using std::chrono::milliseconds;

std::atomic<bool> ending{false};
std::atomic<std::thread::id> ender{};
std::atomic<int> returning{0};  // threads that found `ending` false and wait for the GIL

// Those that are on their way to the GIL get it before the interpreter begins to end; later ones stay away from it.
// The wait is bounded: a forked child inherits the count but not the threads.
void prepare_end() {
  ender = std::this_thread::get_id();
  ending = true;
  py::gil_scoped_release release;
  for (int tries = 0; returning > 0 && tries < 1000; ++tries) std::this_thread::sleep_for(milliseconds(1));
}

}  // namespace

Unlocked::~Unlocked() {
  ++returning;
  if (ending && std::this_thread::get_id() != ender) {
    --returning;
    for (;;) std::this_thread::sleep_for(milliseconds(1000));
  }
  PyEval_RestoreThread(state_);
  --returning;
}

void bind_gil(py::module_&) { py::module_::import("atexit").attr("register")(py::cpp_function(&prepare_end)); }

}  // namespace hl
