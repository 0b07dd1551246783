// The text of one row's kernels for a small program: the row is chosen by HL_ISA_<ISA>, as in csrc/backend/cpu_row.inc.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#if defined(HL_ISA_AVX512) || defined(HL_ISA_AVX2)
#pragma GCC diagnostic ignored "-Wuninitialized"  // GCC 12's own _mm512_undefined_ps
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#elif defined(HL_ISA_NEON)
#include <arm_neon.h>
#endif

#include "core/philox.h"
#include "ops/dense.h"
#include "ops/loss.h"

#define HL_ROW here

namespace hl {
namespace HL_ROW {
namespace {

#include "core/simd.h"
#include "core/math.h"
#include "core/philox_simd.h"
#include "core/walk.h"
#include "core/tile.h"
#include "ops/gemm_cpu.h"
#include "ops/activation_cpu.h"
#include "ops/optimizer_cpu.h"
#include "ops/dense_cpu.h"
#include "ops/loss_cpu.h"

}  // namespace
}  // namespace HL_ROW
}  // namespace hl
