// The rows `cuda_emulated*`, for tests alone: what a GPU's threads run, on the host, one after the other.
#include <cstdlib>

#define HL_ROW cuda_emulated
#include "backend/scalar_row.inc"
#undef HL_ROW
#define HL_ROW cuda_emulated_tf32
#define HL_TENSOR Tf32
#include "backend/scalar_row.inc"
#undef HL_TENSOR
#undef HL_ROW
#define HL_ROW cuda_emulated_bf16
#define HL_TENSOR Bf16
#include "backend/scalar_row.inc"
#undef HL_TENSOR

namespace hl {
namespace cuda_emulated {
namespace {

template <class Args, void (*kernel)(const Args&, const RunState&, Worker) noexcept>
void call(const void* args, const RunState& run, Worker worker) noexcept {
  const int count = int(ceil_div(worker.count, kBlockThreads)) * kBlockThreads;
  for (int i = 0; i < count; ++i) kernel(*static_cast<const Args*>(args), run, {i, count});
}

void* allocate(int64_t bytes) noexcept {
  void* memory = nullptr;
  if (posix_memalign(&memory, size_t(kAlignment), size_t(bytes)) != 0) return nullptr;
  return std::memset(memory, 0, size_t(bytes));
}
void release(void* memory) noexcept { std::free(memory); }
void wait() {}
void advance(StateQueue* queue) noexcept { queue->current = queue->states[queue->next++]; }

// A recording that is made again every time.
struct Recording {
  void (*body)(void* context);
  void* context;
};
void* record(void (*body)(void* context), void* context) noexcept { return new Recording{body, context}; }
void replay(void* recording) noexcept {
  const Recording& r = *static_cast<Recording*>(recording);
  r.body(r.context);
}
void forget(void* recording) noexcept { delete static_cast<Recording*>(recording); }

constexpr Device kHost{"cuda_emulated", allocate, release, wait, advance, record, replay, forget};

template <class T>
constexpr Kernels table(DType dtype) {
  return {dtype, panel_columns<T>(), &kHost,
#define HL_KERNEL(name, Args) {&call<Args, &name<T>>, #name},
#include "ops/kernels.def"
#undef HL_KERNEL
  };
}

// The kernels of `cuda_emulated`, its products by others.
#define HL_KERNELS(row)                                                                                      \
  {#row,                                                                                                     \
   with_products(table<float>(DType::f32), call<DenseForward, row::dense_forward<float>>,                    \
                 call<DenseBackwardInput, row::dense_backward_input<float>>,                                 \
                 call<DenseBackwardParams, row::dense_backward_params<float>>),                              \
   table<double>(DType::f64)}
constexpr KernelRow kTf32 = HL_KERNELS(cuda_emulated_tf32), kBf16 = HL_KERNELS(cuda_emulated_bf16);

}  // namespace
}  // namespace cuda_emulated

constexpr KernelRow cuda_emulated_row{"cuda_emulated", cuda_emulated::table<float>(DType::f32),
                                      cuda_emulated::table<double>(DType::f64)};

constexpr KernelRow cuda_emulated_tf32_row = cuda_emulated::kTf32, cuda_emulated_bf16_row = cuda_emulated::kBf16;

}  // namespace hl
