// Buffer: owned, zeroed, cache-line aligned memory.
#pragma once
#include <cstdint>

namespace hl {

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(int64_t bytes);  // throws MemoryError naming the size
  ~Buffer();
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  char* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 private:
  char* data_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace hl
