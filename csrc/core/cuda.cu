#include "core/cuda.cuh"

#include <string>

#include "core/error.h"

namespace hl {
namespace {

__global__ void copy_next_state(StateQueue* queue) { queue->current = queue->states[queue->next++]; }

void advance(StateQueue* queue) noexcept { copy_next_state<<<1, 1, 0, cuda_stream()>>>(queue); }

void* allocate(int64_t bytes) noexcept {
  void* memory = nullptr;
  size_t left = 0, total = 0;  // managed memory may grow beyond the device's, and then crawls
  if (cudaMemGetInfo(&left, &total) != cudaSuccess || size_t(bytes) > left) {
    cudaGetLastError();
    return nullptr;
  }
  if (cudaMallocManaged(&memory, size_t(bytes)) != cudaSuccess) {
    cudaGetLastError();  // an allocation that failed leaves the device as it was
    return nullptr;
  }
  if (cudaMemsetAsync(memory, 0, size_t(bytes), cuda_stream()) == cudaSuccess &&
      cudaStreamSynchronize(cuda_stream()) == cudaSuccess)
    return memory;
  cudaFree(memory);
  return nullptr;
}

void release(void* memory) noexcept { cudaFree(memory); }

void wait() {
  const cudaError_t launched = cudaGetLastError(), done = cudaStreamSynchronize(cuda_stream());
  const cudaError_t error = launched != cudaSuccess ? launched : done;
  if (error != cudaSuccess)
    throw DeviceError(std::string("[cuda] the device stopped: ") + cudaGetErrorString(error) +
                      ". HOTLOOP_CHECK=1 waits after every step and names the layer. Start a new process to use the "
                      "device again.");
}

void* record(void (*body)(void* context), void* context) noexcept {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t ready = nullptr;
  if (cudaStreamBeginCapture(cuda_stream(), cudaStreamCaptureModeThreadLocal) != cudaSuccess) return nullptr;
  body(context);
  if (cudaStreamEndCapture(cuda_stream(), &graph) != cudaSuccess) return nullptr;
  if (cudaGraphInstantiate(&ready, graph, 0) != cudaSuccess) ready = nullptr;
  cudaGraphDestroy(graph);
  return ready;
}

void replay(void* recording) noexcept { cudaGraphLaunch(static_cast<cudaGraphExec_t>(recording), cuda_stream()); }

void forget(void* recording) noexcept { cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(recording)); }

}  // namespace

cudaStream_t cuda_stream() noexcept {
  static const cudaStream_t kStream = [] {
    cudaStream_t made = nullptr;
    cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking);
    return made;
  }();
  return kStream;
}

const Device cuda_device{"cuda", allocate, release, wait, advance, record, replay, forget};

std::string cuda_refusal() {  // declared by the registry
  int count = 0, managed = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) return cudaGetErrorString(error);
  if (count == 0) return "there is no CUDA device";
  cudaDeviceGetAttribute(&managed, cudaDevAttrConcurrentManagedAccess, 0);
  return managed ? "" : "the device, or its driver, does not share memory with the processor while it works";
}

}  // namespace hl
