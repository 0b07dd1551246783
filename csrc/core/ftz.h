// FlushToZero: subnormal numbers count as zero inside this scope, and the caller's floating-point state comes back
// after it. (A converged net's Adam moments decay into subnormals, where division is several times slower.)
#pragma once
#include <cstdint>

namespace hl {

class FlushToZero {
 public:
  FlushToZero() : saved_(get()) { set(saved_ | kFlags); }
  ~FlushToZero() { set(saved_); }
  FlushToZero(const FlushToZero&) = delete;
  FlushToZero& operator=(const FlushToZero&) = delete;

 private:
#if defined(__x86_64__) || defined(__i386__)
  using State = unsigned;
  static constexpr State kFlags = 0x8040;  // MXCSR: flush results (bit 15), treat operands as zero (bit 6)
  static State get() { return __builtin_ia32_stmxcsr(); }
  static void set(State s) { __builtin_ia32_ldmxcsr(s); }
#elif defined(__aarch64__)
  using State = uint64_t;
  static constexpr State kFlags = uint64_t(1) << 24;  // FPCR.FZ
  static State get() {
    State s;
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(s));
    return s;
  }
  static void set(State s) { __asm__ __volatile__("msr fpcr, %0" : : "r"(s)); }
#else
  using State = int;
  static constexpr State kFlags = 0;
  static State get() { return 0; }
  static void set(State) {}
#endif
  State saved_;
};

}  // namespace hl
