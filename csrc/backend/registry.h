// Registry: the rows of the kernel table in this build, which of them this machine can run, and the one in use.
#pragma once
#include <string>
#include <vector>

#include "ops/kernels.h"

namespace hl {

// One instruction set: a table for each precision.
struct KernelRow {
  const char* name;
  Kernels f32, f64;
};

// The row in use: HOTLOOP_BACKEND's, else the best this machine has. Chosen at the first call and kept.
// Throws DeviceError if the row asked for is absent, ValueError if `dtype` is no arithmetic type.
const Kernels& kernels(DType dtype);

// Rows this machine can run, best last.
std::vector<std::string> available_rows();

// One constant per instruction set: the only symbol its object exports. It is initialised at compile time, so that
// loading the library runs no code of an instruction set the machine may lack.
extern const KernelRow cpu_generic, cpu_avx2, cpu_avx512, cpu_neon;

}  // namespace hl
