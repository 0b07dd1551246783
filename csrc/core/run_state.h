// RunState: everything that changes from batch to batch. Kernels read it through one reference, so the
// argument structs of a plan never change.
#pragma once
#include <cstdint>

#include "core/macros.h"

namespace hl {

// Of a plan with fixed steps: all, these alone, or the others, over what these left in the arena.
enum class Part { whole, fixed, rest };

struct RunState {
  int64_t rows = 0;                     // rows in this batch, at most the plan's largest
  int64_t first_row = 0;                // row of the data set this batch starts at, where `index` is null
  const int64_t* index = nullptr;       // rows of the data set in this batch, length `rows`
  const int64_t* next_index = nullptr;  // those of the batch after it, or null
  int64_t next_rows = 0;
  int64_t step = 0;                     // optimizer steps finished before this one
  uint64_t seed = 0;                    // of the run; masks are a function of (seed, stream, step, row, column)
  double learning_rate = 0;
  double momentum = -1;                 // of this step, in place of the optimizer's; below 0: its own
  Part part = Part::whole;
};

// A kernel's place in the team: it computes share `id` of `count`, by a rule that fixes each output's bits
// whatever `count` is.
struct Worker {
  int id = 0;
  int count = 1;
};

struct Span {
  int64_t begin, end;
};

// Contiguous share of n units: sizes differ by at most one.
HL_INLINE Span share(int64_t n, Worker w) {
  const int64_t each = n / w.count, extra = n % w.count;
  const int64_t begin = w.id * each + (w.id < extra ? w.id : extra);
  return {begin, begin + each + (w.id < extra ? 1 : 0)};
}

}  // namespace hl
