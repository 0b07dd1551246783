// Buffer: owned, zeroed, cache-line aligned memory.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>

namespace hl {

using Account = std::atomic<int64_t>;  // bytes

class Buffer {
 public:
  Buffer() = default;
  // Throws MemoryError naming the size. `account` counts the bytes of the buffers that share it.
  explicit Buffer(int64_t bytes, std::shared_ptr<Account> account = nullptr);
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
  std::shared_ptr<Account> account_;
};

}  // namespace hl
