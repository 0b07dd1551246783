// The row `cuda_emulated`, for tests alone: what a GPU's threads run, on the host, one after the other.
#define HL_ROW cuda_emulated
#include <cstdlib>

#include "backend/scalar_row.inc"

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
  return {"cuda_emulated", dtype, panel_columns<T>(), &kHost,
#define HL_KERNEL(name, Args) {&call<Args, &name<T>>, #name},
#include "ops/kernels.def"
#undef HL_KERNEL
  };
}

}  // namespace
}  // namespace cuda_emulated

constexpr KernelRow cuda_emulated_row{"cuda_emulated", cuda_emulated::table<float>(DType::f32),
                                      cuda_emulated::table<double>(DType::f64)};

}  // namespace hl
