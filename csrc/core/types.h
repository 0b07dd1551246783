// The vocabulary of sizes and element types.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/macros.h"

namespace hl {

// Arithmetic runs in f32 or f64; i32 carries class labels and category codes; i8, f16 and bf16 may be how weights are
// stored (ops/compact.h); the others only appear as the element types of a user's arrays, converted while a batch is
// gathered.
enum class DType : uint8_t { f32, f64, i32, u8, i8, u16, i16, u32, i64, u64, f16, b8, bf16 };

constexpr HL_INLINE int64_t size_of(DType t) {
  switch (t) {
    case DType::u8: case DType::i8: case DType::b8: return 1;
    case DType::u16: case DType::i16: case DType::f16: case DType::bf16: return 2;
    case DType::f32: case DType::i32: case DType::u32: return 4;
    default: return 8;
  }
}

const char* name_of(DType t);          // NumPy's name: "float32"
DType dtype_from(const std::string&);  // throws ValueError

// Axis 0 of a batched value is kBatch; the row count of a batch is known only when it runs.
using Shape = std::vector<int64_t>;
constexpr int64_t kBatch = -1;

std::string to_string(const Shape& shape);    // "(None, 784)"
int64_t element_count(const Shape& shape);    // product of all axes but the batch axis; throws on overflow

constexpr int64_t kAlignment = 64;  // bytes: a cache line, and the widest vector

// Elements between two rows of a batch in the arena: rows start on a cache line, and never a multiple of a
// page apart (such rows would all fall into the same few cache sets).
constexpr HL_INLINE int64_t row_stride(int64_t columns, int64_t element_size) {
  int64_t bytes = (columns * element_size + kAlignment - 1) / kAlignment * kAlignment;
  if (bytes % 4096 == 0 && bytes > 0) bytes += kAlignment;
  return bytes / element_size;
}

}  // namespace hl
