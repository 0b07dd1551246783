#define HL_ROW cuda_tf32
#define HL_TENSOR Tf32
#include "backend/cuda_row.inc"

namespace hl {

const Kernels& cuda_kernels_tf32() {
  static const Kernels kTable = cuda_tf32::with_tensor_products();
  return kTable;
}

}  // namespace hl
