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

[[noreturn]] void refuse(int64_t bytes, const std::string& where) {
  throw MemoryError("[memory] could not allocate " + std::to_string(bytes) + " bytes" + where +
                    ". Use a smaller batch_size or a smaller model.");
}

char* on_device(int64_t bytes, const Device& device) {
  void* data = bytes > 0 ? device.allocate(bytes) : nullptr;
  if (!data) refuse(bytes, " on device '" + std::string(device.name) + "'");
  return static_cast<char*>(data);
}

char* on_processor(int64_t bytes) {
  const bool huge = bytes >= 2 * kHugePage;
  void* data = nullptr;
  if (bytes < 0 || posix_memalign(&data, size_t(huge ? kHugePage : kAlignment), size_t(bytes)) != 0)
    refuse(bytes, "");
#ifdef __linux__
  if (huge) madvise(data, size_t(bytes), MADV_HUGEPAGE);  // fewer TLB misses; a refusal costs only speed
#endif
  std::memset(data, 0, size_t(bytes));
  return static_cast<char*>(data);
}

}  // namespace

Buffer::Buffer(int64_t bytes, const Device* device, std::shared_ptr<Account> account)
    : data_(bytes == 0 ? nullptr : device ? on_device(bytes, *device) : on_processor(bytes)),
      bytes_(bytes),
      device_(device),
      account_(std::move(account)) {
  if (account_) *account_ += bytes_;
}

Buffer::~Buffer() {
  if (account_) *account_ -= bytes_;
  if (device_ && data_)
    device_->release(data_);
  else
    std::free(data_);
}

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      device_(other.device_),
      account_(std::move(other.account_)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(device_, other.device_);
  std::swap(account_, other.account_);
  return *this;
}

}  // namespace hl
