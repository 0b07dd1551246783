#include "bindings/data.h"

#include <pybind11/stl.h>

#include <array>

#include "backend/registry.h"
#include "bindings/bind.h"
#include "bindings/gil.h"
#include "core/error.h"
#include "core/philox.h"

namespace hl {
namespace {

PyDataset make_dataset(const std::vector<py::array>& arrays) {
  PyDataset set;
  for (const py::array& array : arrays) {
    set.data.columns.push_back(column_of(array));
    if (set.data.columns.back().rows != set.data.rows())
      throw ValueError("[data] expected arrays of equal length, received " + std::to_string(set.data.rows()) +
                       " and " + std::to_string(set.data.columns.back().rows) + " rows.");
  }
  set.arrays = arrays;
  return set;
}

PyRowIndex make_row_index(const py::array_t<int64_t, py::array::c_style>& rows) {
  const auto look = [data = rows.data(), count = rows.size()] {
    Unlocked unlocked;
    return RowIndex(data, count);
  };
  return {look(), rows};
}

py::array_t<int64_t> make_permutation(int64_t n, uint64_t seed, int64_t epoch) {
  if (n < 0) throw ValueError("[permutation] expected n of at least 0, received " + std::to_string(n) + ".");
  py::array_t<int64_t> rows(n);
  int64_t* data = rows.mutable_data();
  Unlocked unlocked;
  permutation(data, n, seed, epoch);
  return rows;
}

py::array random(const std::string& kind, const Shape& shape, double a, double b, uint64_t seed, int64_t stream,
                 const std::string& dtype) {
  const Kernels& row = processor_kernels(dtype_from(dtype));
  const Distribution distribution = distribution_from(kind, a, b);
  py::array array(numpy_dtype(row.dtype), shape);
  void* data = array.mutable_data();
  Unlocked unlocked;
  fill_random(row, data, element_count(shape), distribution, seed, stream);
  return array;
}

}  // namespace

void bind_data(py::module_& m) {
  py::class_<PyDataset>(m, "Dataset", "One array per input of a graph; the arrays are kept, not copied.")
      .def(py::init(&make_dataset), py::arg("arrays"))
      .def("__len__", [](const PyDataset& set) { return set.data.rows(); });
  py::class_<PyRowIndex>(m, "RowIndex", "Row numbers in the order of a pass, looked at once; the array is kept.")
      .def(py::init(&make_row_index), py::arg("rows"))
      .def("__len__", [](const PyRowIndex& rows) { return rows.index.count; });
  m.def(
      "check_finite",
      [](const py::array& array) {
        const Column c = column_of(array);
        Unlocked unlocked;
        return first_not_finite(c);
      },
      py::arg("array"), "First row with a NaN or an infinity, or -1.");
  m.def(
      "check_labels",
      [](const py::array& array, int64_t n_classes) {
        if (n_classes < 0)
          throw ValueError("[data] expected n_classes of at least 0, received " + std::to_string(n_classes) + ".");
        const Column c = column_of(array);
        Unlocked unlocked;
        return first_bad_label(c, n_classes);
      },
      py::arg("array"), py::arg("n_classes"), "First row that is not a whole number in [0, n_classes), or -1.");
  m.def("permutation", &make_permutation, py::arg("n"), py::arg("seed"), py::arg("epoch"),
        "The order of the rows in an epoch, a function of (seed, epoch) alone.");
  m.def("random", &random, py::arg("kind"), py::arg("shape"), py::arg("a"), py::arg("b"), py::arg("seed"),
        py::arg("stream") = 0, py::arg("dtype") = "float32",
        "Initial values: 'uniform' on [a, b), 'normal' or 'truncated_normal' with mean a and standard deviation b.");
  m.def(
      "philox",
      [](const std::array<uint32_t, 4>& c, const std::array<uint32_t, 2>& key) {
        const Words4 words = philox({{c[0], c[1], c[2], c[3]}}, key[0], key[1]);
        return std::array<uint32_t, 4>{words.w[0], words.w[1], words.w[2], words.w[3]};
      },
      py::arg("counter"), py::arg("key"), "Philox4x32-10: four random words.");
}

}  // namespace hl
