#include "graph/memory.h"

#include <algorithm>
#include <numeric>

#include "core/types.h"

namespace hl {

int64_t place(std::vector<Lifetime>& buffers) {
  std::vector<size_t> by_size(buffers.size());
  std::iota(by_size.begin(), by_size.end(), size_t(0));
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](size_t a, size_t b) { return buffers[a].bytes > buffers[b].bytes; });
  std::vector<size_t> by_offset;  // placed so far
  int64_t arena = 0;
  for (size_t i : by_size) {
    Lifetime& buffer = buffers[i];
    buffer.offset = 0;
    if (buffer.bytes == 0 || buffer.last < buffer.first) continue;
    const int64_t bytes = (buffer.bytes + kAlignment - 1) / kAlignment * kAlignment;
    for (size_t j : by_offset) {
      const Lifetime& other = buffers[j];
      if (other.last < buffer.first || buffer.last < other.first) continue;
      if (buffer.offset + bytes <= other.offset) break;
      buffer.offset = std::max(buffer.offset, (other.offset + other.bytes + kAlignment - 1) / kAlignment * kAlignment);
    }
    by_offset.insert(std::upper_bound(by_offset.begin(), by_offset.end(), i,
                                      [&](size_t a, size_t b) { return buffers[a].offset < buffers[b].offset; }),
                     i);
    arena = std::max(arena, buffer.offset + bytes);
  }
  return arena;
}

}  // namespace hl
