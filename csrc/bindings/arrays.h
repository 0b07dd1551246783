// NumPy arrays as the engine sees them: no copies.
#pragma once
#include <pybind11/numpy.h>

#include "ops/op.h"
#include "train/dataset.h"

namespace hl {

namespace py = pybind11;

py::dtype numpy_dtype(DType dtype);
DType dtype_of(const py::array& array);  // throws TypeError for what the engine does not read

// The array's rows (axis 0), each contiguous in C order; throws ValueError for another layout.
Column column_of(const py::array& array);
Sink sink_of(const py::array& array, DType dtype, int64_t rows, int64_t features);

// (None, 784): the batch axis becomes None.
py::tuple tuple_of(const Shape& shape);
Attrs attrs_of(const py::dict& dict);

}  // namespace hl
