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

// The row of trainers made from now on: that of the device that was set, else HOTLOOP_BACKEND's, else the processor's.
// Throws DeviceError if the row asked for is absent, ValueError if `dtype` is no arithmetic type.
const Kernels& kernels(DType dtype);
// The processor's: HOTLOOP_BACKEND's if it names one, else the best this machine has. Chosen at the first call and kept.
const Kernels& processor_kernels(DType dtype);

// A device's float table with other products: those of layers, forward and backward.
constexpr Kernels with_products(Kernels table, StepFn forward, StepFn input, StepFn params) {
  table.dense_forward.fn = forward;
  table.dense_backward_input.fn = input;
  table.dense_backward_params.fn = params;
  return table;
}

// The name of the row in use.
std::string row();

// Rows this machine can run, devices first, then the processor's, best last.
std::vector<std::string> available_rows();

// "cpu", then the devices of this machine.
std::vector<std::string> devices();
// Throws DeviceError if there is no such device, and says why.
void set_device(const std::string& name);
std::string device();

// One constant per instruction set: the only symbol its object exports. It is initialised at compile time, so that
// loading the library runs no code of an instruction set the machine may lack.
extern const KernelRow cpu_generic, cpu_avx2, cpu_avx512, cpu_neon, cuda_emulated_row, cuda_emulated_tf32_row,
    cuda_emulated_bf16_row;

// Of NVIDIA GPUs: the tables, and why there is no device to use, or "".
const Kernels& cuda_kernels_f32();
const Kernels& cuda_kernels_f64();
const Kernels& cuda_kernels_tf32();
const Kernels& cuda_kernels_bf16();
std::string cuda_refusal();

}  // namespace hl
