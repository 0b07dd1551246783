#include "backend/registry.h"

#include <atomic>

#include "core/config.h"
#include "core/error.h"

namespace hl {
namespace {

struct Candidate {
  const char* name;
  bool device;
  const Kernels& (*f32)();
  const Kernels& (*f64)();
  std::string (*refusal)();  // why this machine cannot run it, or ""
};

template <const KernelRow& row>
constexpr Candidate host(bool device, std::string (*refusal)()) {
  return {row.name, device, []() -> const Kernels& { return row.f32; }, []() -> const Kernels& { return row.f64; }, refusal};
}

[[maybe_unused]] std::string refuse_unless(bool supported) { return supported ? "" : "this processor does not have it"; }

// Devices first, then the processor's rows, best last. __builtin_cpu_supports asks the processor, and the operating system
// whether it saves the wide registers. The build defines HL_ROW_* for every row it compiled.
const Candidate kCandidates[] = {
#if defined(HL_ROW_CUDA)
    {"cuda", true, cuda_kernels_f32, cuda_kernels_f64, cuda_refusal},
    {"cuda_tf32", true, cuda_kernels_tf32, cuda_kernels_f64, cuda_refusal},
    {"cuda_bf16", true, cuda_kernels_bf16, cuda_kernels_f64, cuda_refusal},
#endif
#if defined(HL_ROW_CUDA_EMULATED)
    host<cuda_emulated_row>(true, [] { return std::string(); }),
    host<cuda_emulated_tf32_row>(true, [] { return std::string(); }),
    host<cuda_emulated_bf16_row>(true, [] { return std::string(); }),
#endif
#if defined(HL_ROW_GENERIC)
    host<cpu_generic>(false, [] { return std::string(); }),
#endif
#if defined(HL_ROW_NEON)
    host<cpu_neon>(false, [] { return std::string(); }),
#endif
#if defined(HL_ROW_AVX2)
    host<cpu_avx2>(
        false, [] { return refuse_unless(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")); }),
#endif
#if defined(HL_ROW_AVX512)
    host<cpu_avx512>(false, [] {
      return refuse_unless(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                           __builtin_cpu_supports("fma"));
    }),
#endif
};

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// The row that HOTLOOP_BACKEND names, or null.
const Candidate* forced() {
  const std::string& wanted = config().backend;
  if (wanted.empty()) return nullptr;
  std::string why;
  for (const Candidate& c : kCandidates) {
    if (wanted != c.name) continue;
    why = c.refusal();
    if (why.empty()) return &c;
    why = ": " + why;
  }
  throw DeviceError("[HOTLOOP_BACKEND] expected a row this machine can run (" + joined(available_rows()) +
                    "), received '" + wanted + "'" + why + "." + suggestion(wanted, available_rows()) +
                    " Unset it to use the best one.");
}

const Candidate& best_of_processor() {
  const Candidate* best = forced();
  if (best && !best->device) return *best;
  for (const Candidate& c : kCandidates)
    if (!c.device && c.refusal().empty()) best = &c;
  return *best;
}

const Candidate& of_processor() {
  static const Candidate& kChosen = best_of_processor();
  return kChosen;
}

const Candidate& at_first() {
  static const Candidate& kChosen = forced() ? *forced() : of_processor();
  return kChosen;
}

std::atomic<const Candidate*> chosen{nullptr};  // by set_device

const Candidate& in_use() {
  const Candidate* set = chosen.load();
  return set ? *set : at_first();
}

const Kernels& table_of(const Candidate& row, DType dtype) {
  if (dtype == DType::f32) return row.f32();
  if (dtype == DType::f64) return row.f64();
  throw ValueError(std::string("[backend] expected dtype float32 or float64, received ") + name_of(dtype) + ".");
}

}  // namespace

const Kernels& kernels(DType dtype) { return table_of(in_use(), dtype); }

const Kernels& processor_kernels(DType dtype) { return table_of(of_processor(), dtype); }

std::string row() { return in_use().name; }

std::vector<std::string> available_rows() {
  std::vector<std::string> names;
  for (const Candidate& c : kCandidates)
    if (c.refusal().empty()) names.push_back(c.name);
  return names;
}

std::vector<std::string> devices() {
  std::vector<std::string> names{"cpu"};
  for (const Candidate& c : kCandidates)
    if (c.device && c.refusal().empty()) names.push_back(c.name);
  return names;
}

std::string device() { return in_use().device ? in_use().name : "cpu"; }

void set_device(const std::string& name) {
  if (name == "cpu") {
    chosen = &of_processor();
    return;
  }
  std::string why;
  for (const Candidate& c : kCandidates) {
    if (!c.device || name != c.name) continue;
    why = c.refusal();
    if (why.empty()) {
      chosen = &c;
      return;
    }
    why = ": " + why;
  }
#if !defined(HL_ROW_CUDA)
  if (name == "cuda") why = ": this build has no CUDA rows. Install it with -C cmake.define.HOTLOOP_CUDA=ON";
#endif
  throw DeviceError("[set_device] expected one of " + joined(devices()) + ", received '" + name + "'" + why + ".");
}

}  // namespace hl
