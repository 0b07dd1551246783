// gemm: the layout of weights, and what packs, unpacks and transposes it. The products themselves are the
// kernels of ops/dense.h; the op `matmul` is a dense product without bias. `weight_transpose` and `weight_product` are of
// weights, and of what is made of weights alone: their sums do not see the batch.
//
// A variable with axes (.., K, N) is stored as column panels of NR = Kernels::panel_width columns:
//     element (k, n)  at  panel[n / NR][k][n % NR],   ceil(N / NR) panels of K * NR elements each.
// The columns N .. ceil(N / NR) * NR of the last panel are pads: zero after every step. A variable of rank 1
// or 0, or of rank above 2, is the case K = 1, N = element count. So one formula places every variable.
//
//     y (M,N) = x (M,K) w (K,N)      dx (M,K) = dy (M,N) w^T      dw (K,N) = x^T dy
//     y (N,K) = w^T                  dw (K,N) = dy^T
#pragma once
#include "core/tensor.h"

namespace hl {

// Up to so many rows go through a product together, without tiles; in dx = dz w^T they have w transposed in registers on
// the way, and not by panel_transpose. The sums are the same.
constexpr int64_t kFewRows = 3;

struct PanelShape {
  int64_t K, N;

  HL_INLINE int64_t panels(int64_t NR) const { return (N + NR - 1) / NR; }
  HL_INLINE int64_t elements(int64_t NR) const { return panels(NR) * K * NR; }
};

inline PanelShape panel_shape(const Shape& variable) {
  if (variable.size() == 2) return {variable[0], variable[1]};
  return {1, element_count(variable)};
}

// row-major (K,N) with ld = N  <->  panels; packing writes the pads as zeros.
struct PanelCopy {
  void* panels;
  void* matrix;
  PanelShape shape;
};

// dst, panels of w^T (N,K)  <-  src, panels of w (K,N). Pads of dst are zeroed.
struct PanelTranspose {
  const void* src;
  void* dst;
  PanelShape shape;  // of src
};

}  // namespace hl
