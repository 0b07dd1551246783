#define HL_ROW cuda_f32
#include "backend/cuda_row.inc"

namespace hl {

const Kernels& cuda_kernels_f32() {
  static const Kernels kTable = cuda_f32::table<float>(DType::f32);
  return kTable;
}

}  // namespace hl
