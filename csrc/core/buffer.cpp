#include "core/buffer.h"

#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include "core/error.h"
#include "core/types.h"

namespace hl {
namespace {

constexpr int64_t kHugePage = int64_t(2) << 20;

}  // namespace

Buffer::Buffer(int64_t bytes, std::shared_ptr<Account> account) : bytes_(bytes) {
  if (bytes == 0) return;
  const bool huge = bytes >= 2 * kHugePage;
  void* data = nullptr;
  if (bytes < 0 || posix_memalign(&data, size_t(huge ? kHugePage : kAlignment), size_t(bytes)) != 0)
    throw MemoryError("[memory] could not allocate " + std::to_string(bytes) +
                      " bytes. Use a smaller batch_size or a smaller model.");
#ifdef __linux__
  if (huge) madvise(data, size_t(bytes), MADV_HUGEPAGE);  // fewer TLB misses; a refusal costs only speed
#endif
  std::memset(data, 0, size_t(bytes));
  data_ = static_cast<char*>(data);
  account_ = std::move(account);
  if (account_) *account_ += bytes_;
}

Buffer::~Buffer() {
  if (account_) *account_ -= bytes_;
  std::free(data_);
}

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      account_(std::move(other.account_)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(account_, other.account_);
  return *this;
}

}  // namespace hl
