// A data set that keeps its arrays alive.
#pragma once
#include <vector>

#include "bindings/arrays.h"

namespace hl {

struct PyDataset {
  Dataset data;
  std::vector<py::array> arrays;
};

}  // namespace hl
