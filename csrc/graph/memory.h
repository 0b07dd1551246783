// Static memory: buffers with lifetimes become offsets in one arena.
#pragma once
#include <cstdint>
#include <vector>

namespace hl {

struct Lifetime {
  int64_t bytes = 0;
  int first = 0, last = -1;  // steps that touch the buffer; last < first: never touched, takes no memory
  int64_t offset = 0;        // result
};

// Gives every buffer an offset so that buffers alive at the same step do not overlap; returns the arena's size.
// Largest first, lowest free offset (greedy by size, as in Pisarchyk and Lee, "Efficient Memory Management for
// Deep Neural Net Inference", 2020).
int64_t place(std::vector<Lifetime>& buffers);

}  // namespace hl
