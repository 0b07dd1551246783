// NVIDIA GPUs: the stream that all work is queued on, and the device of core/device.h on it.
#pragma once
#include <cuda_runtime.h>

#include "core/device.h"

namespace hl {

// One stream for all plans: what is queued is done in order, and two runs never share the device.
cudaStream_t cuda_stream() noexcept;

extern const Device cuda_device;

}  // namespace hl
