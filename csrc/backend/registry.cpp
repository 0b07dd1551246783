#include "backend/registry.h"

#include "core/config.h"
#include "core/error.h"

namespace hl {
namespace {

struct Candidate {
  const KernelRow* row;
  bool (*runs_here)();
};

// __builtin_cpu_supports asks the processor, and the operating system whether it saves the wide registers.
// Best last. The build defines HL_ROW_* for every row it compiled.
const Candidate kCandidates[] = {
#if defined(HL_ROW_GENERIC)
    {&cpu_generic, [] { return true; }},
#endif
#if defined(HL_ROW_NEON)
    {&cpu_neon, [] { return true; }},
#endif
#if defined(HL_ROW_AVX2)
    {&cpu_avx2, [] { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }},
#endif
#if defined(HL_ROW_AVX512)
    {&cpu_avx512,
     [] {
       return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
     }},
#endif
};

std::vector<const KernelRow*> runnable() {
  std::vector<const KernelRow*> rows;
  for (const Candidate& c : kCandidates)
    if (c.runs_here()) rows.push_back(c.row);
  return rows;
}

const KernelRow& choose() {
  const std::vector<const KernelRow*> rows = runnable();
  const std::string& wanted = config().backend;
  if (wanted.empty()) return *rows.back();
  std::string names;
  for (const KernelRow* row : rows) {
    if (wanted == row->name) return *row;
    names += (names.empty() ? "" : ", ") + std::string(row->name);
  }
  throw DeviceError("[HOTLOOP_BACKEND] expected a row this machine can run (" + names + "), received '" + wanted +
                    "'." + suggestion(wanted, available_rows()) + " Unset it to use the best one.");
}

}  // namespace

const Kernels& kernels(DType dtype) {
  static const KernelRow& kChosen = choose();
  if (dtype == DType::f32) return kChosen.f32;
  if (dtype == DType::f64) return kChosen.f64;
  throw ValueError(std::string("[backend] expected dtype float32 or float64, received ") + name_of(dtype) + ".");
}

std::vector<std::string> available_rows() {
  std::vector<std::string> names;
  for (const KernelRow* row : runnable()) names.push_back(row->name);
  return names;
}

}  // namespace hl
