#define HL_ROW cuda_bf16
#define HL_TENSOR Bf16
#include "backend/cuda_row.inc"

namespace hl {

const Kernels& cuda_kernels_bf16() {
  static const Kernels kTable = cuda_bf16::with_tensor_products();
  return kTable;
}

}  // namespace hl
