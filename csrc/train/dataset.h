// Dataset: views of a user's arrays, one per input of a graph, and what is checked and drawn over their rows.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/tensor.h"

namespace hl {

struct Column {
  Source source;
  int64_t rows = 0;
  int64_t features = 0;  // elements of one row
  mutable std::shared_ptr<Buffer> copy = nullptr;

  Source reach(const Device& device) const;  // a copy for the device, made at the first call
};

struct Dataset {
  std::vector<Column> columns;
  int64_t rows() const { return columns.empty() ? 0 : columns.front().rows; }
};

// First row that holds a NaN or an infinity, or -1. Integers are always finite.
int64_t first_not_finite(const Column& column);

// First row with a value that is not a whole number in [0, n_classes), or -1.
int64_t first_bad_label(const Column& column, int64_t n_classes);

// Fills rows[0 .. n-1] with a permutation of 0 .. n-1 that is a function of (seed, epoch) alone: Fisher-Yates driven by
// Philox.
void permutation(int64_t* rows, int64_t n, uint64_t seed, int64_t epoch);

// Row numbers of a data set in the order of a pass, looked at once for all the runs that use them.
struct RowIndex {
  RowIndex(const int64_t* row_numbers, int64_t length);

  const int64_t* reach(const Device& device) const;  // as of a Column

  const int64_t* rows;
  int64_t count;
  int64_t worst = 0;  // a negative one if there is any, else the largest
  mutable std::shared_ptr<Buffer> copy;
};

}  // namespace hl
