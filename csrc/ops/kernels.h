// Kernels: one row of function pointers per backend and precision. The struct derives from kernels.def, and
// every row fills it from the same list, so a kernel that a row forgot does not compile.
#pragma once
#include "core/device.h"
#include "core/run_state.h"
#include "core/tensor.h"
#include "ops/stems.h"  // made by CMake from ops.def: every stem's x.h

namespace hl {

// Kernels are noexcept, never allocate and never validate: shapes were checked when the node was added.
using StepFn = void (*)(const void* args, const RunState& run, Worker worker) noexcept;

template <class Args>
struct Kernel {
  StepFn fn;
  const char* name;
};

struct Kernels {
  DType dtype;               // f32 or f64
  int64_t panel_width;       // NR: columns of one weight panel, see ops/gemm.h
  const Device* device;      // null: the processor. On a device `worker.count` threads run a whole step.
#define HL_KERNEL(name, Args) Kernel<Args> name;
#include "ops/kernels.def"
#undef HL_KERNEL
};

}  // namespace hl
