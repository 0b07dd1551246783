// Unlocked: the engine runs without the GIL.
#pragma once
#include <pybind11/pybind11.h>

namespace hl {

// Gives the GIL back to other threads while it lives. A thread other than the one that ends the interpreter never
// takes it again once that has begun: before Python 3.14 the interpreter would unwind such a thread through this
// destructor, which ends the process by std::terminate.
class Unlocked {
 public:
  Unlocked() : state_(PyEval_SaveThread()) {}
  ~Unlocked();
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  PyThreadState* state_;
};

}  // namespace hl
