#include "train/dataset.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <numeric>

#include "core/philox.h"

namespace hl {
namespace {

// The sum of x - x is zero unless an element is NaN or infinite. Four vectors a turn: the speed of the memory.
template <class T>
bool row_is_finite(const char* row, int64_t n) {
  using Vector __attribute__((vector_size(16))) = T;
  using Unaligned __attribute__((vector_size(16), aligned(1), may_alias)) = T;
  constexpr int64_t kLanes = 16 / sizeof(T), kTurn = 4 * kLanes;
  Vector sums[4] = {};
  int64_t i = 0;
  for (; i + kTurn <= n; i += kTurn) {
    const auto* at = reinterpret_cast<const Unaligned*>(row + i * int64_t(sizeof(T)));
    for (int j = 0; j < 4; ++j) {
      const Vector x = at[j];
      sums[j] += x - x;
    }
  }
  const Vector sum = sums[0] + sums[1] + sums[2] + sums[3];
  T total = 0, value;
  for (int j = 0; j < kLanes; ++j) total += sum[j];
  for (; i < n; ++i) {
    std::memcpy(&value, row + i * int64_t(sizeof(T)), sizeof value);
    total += value - value;
  }
  return total == 0;
}

bool half_row_is_finite(const char* row, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    uint16_t half;
    std::memcpy(&half, row + 2 * i, sizeof half);
    if ((half & 0x7c00) == 0x7c00) return false;
  }
  return true;
}

template <class T>
bool row_of_labels(const char* row, int64_t n, int64_t n_classes) {
  for (int64_t i = 0; i < n; ++i) {
    T value;
    std::memcpy(&value, row + i * int64_t(sizeof(T)), sizeof value);
    if constexpr (std::is_floating_point<T>::value) {
      if (!(value >= 0 && value < T(n_classes)) || value != std::floor(value)) return false;
    } else if constexpr (std::is_signed<T>::value) {
      if (value < 0 || int64_t(value) >= n_classes) return false;
    } else if (uint64_t(value) >= uint64_t(n_classes)) {
      return false;
    }
  }
  return true;
}

template <class Good>
int64_t first_bad(const Column& c, Good good) {
  for (int64_t r = 0; r < c.rows; ++r)
    if (!good(c.source.data + r * c.source.row_bytes, c.features)) return r;
  return -1;
}

}  // namespace

int64_t first_not_finite(const Column& c) {
  switch (c.source.dtype) {
    case DType::f32: return first_bad(c, row_is_finite<float>);
    case DType::f64: return first_bad(c, row_is_finite<double>);
    case DType::f16: return first_bad(c, half_row_is_finite);
    default: return -1;
  }
}

int64_t first_bad_label(const Column& c, int64_t n_classes) {
  const auto check = [&](auto zero) {
    return first_bad(c, [&](const char* row, int64_t n) { return row_of_labels<decltype(zero)>(row, n, n_classes); });
  };
  switch (c.source.dtype) {
    case DType::f32: return check(float(0));
    case DType::f64: return check(double(0));
    case DType::u8: return check(uint8_t(0));
    case DType::i8: return check(int8_t(0));
    case DType::u16: return check(uint16_t(0));
    case DType::i16: return check(int16_t(0));
    case DType::i32: return check(int32_t(0));
    case DType::u32: return check(uint32_t(0));
    case DType::i64: return check(int64_t(0));
    case DType::u64: return check(uint64_t(0));
    case DType::b8: return check(uint8_t(0));
    case DType::f16: case DType::bf16: return c.rows ? 0 : -1;  // half-precision labels are refused before this
  }
  return -1;
}

void permutation(int64_t* rows, int64_t n, uint64_t seed, int64_t epoch) {
  std::iota(rows, rows + n, int64_t(0));
  const RandomKey key = random_key(seed, epoch, 0, Purpose::shuffle);
  Words4 words{};
  for (int64_t i = n - 1, draw = 0; i > 0; --i, ++draw) {
    if (draw % 2 == 0)
      words = philox({{uint32_t(draw / 2), uint32_t(uint64_t(draw / 2) >> 32), key.step, key.stream}}, key.key0, key.key1);
    const uint64_t word = uint64_t(words.w[draw % 2 * 2 + 1]) << 32 | words.w[draw % 2 * 2];
    __extension__ using Wide = unsigned __int128;
    const int64_t j = int64_t((Wide(word) * uint64_t(i + 1)) >> 64);  // in [0, i]
    std::swap(rows[i], rows[j]);
  }
}

RowIndex::RowIndex(const int64_t* row_numbers, int64_t length) : rows(row_numbers), count(length) {
  uint64_t largest = 0;  // negative numbers are the largest of all
  for (int64_t i = 0; i < count; ++i) largest = std::max(largest, uint64_t(rows[i]));
  worst = int64_t(largest);
}

// Rows side by side in memory of the device.
static const char* copy_of(std::shared_ptr<Buffer>& copy, const Device& device, const char* data, int64_t rows,
                           int64_t row_bytes, int64_t distance) {
  static std::mutex one_at_a_time;
  std::lock_guard<std::mutex> lock(one_at_a_time);
  if (!copy) {
    auto made = std::make_shared<Buffer>(rows * row_bytes, &device);
    if (distance == row_bytes)
      std::copy_n(data, rows * row_bytes, made->data());
    else
      for (int64_t r = 0; r < rows; ++r) std::copy_n(data + r * distance, row_bytes, made->data() + r * row_bytes);
    copy = std::move(made);
  }
  return copy->data();
}

Source Column::reach(const Device& device) const {
  const int64_t row_bytes = features * size_of(source.dtype);
  return {copy_of(copy, device, source.data, rows, row_bytes, source.row_bytes), row_bytes, source.dtype};
}

const int64_t* RowIndex::reach(const Device& device) const {
  constexpr int64_t kBytes = sizeof(int64_t);
  return reinterpret_cast<const int64_t*>(
      copy_of(copy, device, reinterpret_cast<const char*>(rows), count, kBytes, kBytes));
}

}  // namespace hl
