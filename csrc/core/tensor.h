// Tensor: a non-owning view. In the arena every value is a matrix, one row a sample.
#pragma once
#include "core/types.h"

namespace hl {

// Row i starts at data + i * ld elements. The columns between the logical width and ld are padding: never
// trusted, never reduced over.
struct Tensor {
  void* data = nullptr;
  int64_t ld = 0;

  template <class T>
  HL_INLINE T* as() const { return static_cast<T*>(data); }
  HL_INLINE explicit operator bool() const { return data != nullptr; }
};

// A user's array that batches are gathered from, or predictions are written to. `row_bytes` may be negative.
struct Source {
  const char* data = nullptr;
  int64_t row_bytes = 0;
  DType dtype = DType::f32;
};
struct Sink {
  char* data = nullptr;
  int64_t row_bytes = 0;
};

// An array whose rows of the next batch a kernel may bring nearer while it computes.
struct Upcoming {
  const Source* source = nullptr;  // or null
  int64_t features = 0;
};

}  // namespace hl
