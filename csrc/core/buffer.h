// Buffer: owned, zeroed, cache-line aligned memory, of the processor or of a device.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "core/device.h"

namespace hl {

using Account = std::atomic<int64_t>;  // bytes

class Buffer {
 public:
  Buffer() = default;
  // Throws MemoryError naming the size. `account` counts the bytes of the buffers that share it.
  explicit Buffer(int64_t bytes, const Device* device = nullptr, std::shared_ptr<Account> account = nullptr);
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
  const Device* device_ = nullptr;
  std::shared_ptr<Account> account_;
};

// A vector whose elements a device reaches.
template <class T>
struct Reachable {
  using value_type = T;
  const Device* device = nullptr;

  T* allocate(std::size_t n) {
    void* memory = device ? device->allocate(int64_t(n * sizeof(T))) : ::operator new(n * sizeof(T));
    if (!memory) throw std::bad_alloc();
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t) { device ? device->release(memory) : ::operator delete(memory); }
  friend bool operator==(const Reachable& a, const Reachable& b) { return a.device == b.device; }
  friend bool operator!=(const Reachable& a, const Reachable& b) { return a.device != b.device; }
};
template <class T>
using ReachableVector = std::vector<T, Reachable<T>>;

}  // namespace hl
