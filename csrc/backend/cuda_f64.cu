#define HL_ROW cuda_f64
#include "backend/cuda_row.inc"

namespace hl {

const Kernels& cuda_kernels_f64() {
  static const Kernels kTable = cuda_f64::table<double>(DType::f64);
  return kTable;
}

}  // namespace hl
