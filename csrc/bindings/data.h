// A data set, and an order of its rows, that keep their arrays alive.
#pragma once
#include <vector>

#include "bindings/arrays.h"

namespace hl {

struct PyDataset {
  Dataset data;
  std::vector<py::array> arrays;
};

struct PyRowIndex {
  RowIndex index;
  py::array array;
};

}  // namespace hl
