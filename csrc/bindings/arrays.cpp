#include "bindings/arrays.h"

#include <pybind11/stl.h>

#include "core/error.h"

namespace hl {
namespace {

Attrs::Value attr_of(const py::handle& value) {
  if (py::isinstance<py::bool_>(value)) return py::cast<bool>(value);
  if (py::isinstance<py::int_>(value)) return py::cast<int64_t>(value);
  if (py::isinstance<py::float_>(value)) return py::cast<double>(value);
  if (py::isinstance<py::str>(value)) return py::cast<std::string>(value);
  try {
    return py::cast<std::vector<int64_t>>(value);
  } catch (const py::cast_error&) {
    return py::cast<std::vector<double>>(value);
  }
}

}  // namespace

py::dtype numpy_dtype(DType dtype) { return py::dtype(name_of(dtype)); }

DType dtype_of(const py::array& array) {
  const py::dtype dtype = array.dtype();
  if (dtype.byteorder() == '=' || dtype.byteorder() == '|') {  // native
    const py::ssize_t bytes = dtype.itemsize();
    switch (dtype.kind()) {
      case 'f':
        if (bytes == 2) return DType::f16;
        if (bytes == 4) return DType::f32;
        if (bytes == 8) return DType::f64;
        break;
      case 'i':
        if (bytes == 1) return DType::i8;
        if (bytes == 2) return DType::i16;
        if (bytes == 4) return DType::i32;
        if (bytes == 8) return DType::i64;
        break;
      case 'u':
        if (bytes == 1) return DType::u8;
        if (bytes == 2) return DType::u16;
        if (bytes == 4) return DType::u32;
        if (bytes == 8) return DType::u64;
        break;
      case 'b': return DType::b8;
    }
  }
  throw TypeError("[data] expected an array of numbers in native byte order, received dtype " +
                  py::cast<std::string>(py::str(py::object(dtype))) + ".");
}

Column column_of(const py::array& array) {
  if (array.ndim() < 1) throw ValueError("[data] expected an array with a batch axis, received a scalar.");
  Column c;
  c.rows = array.shape(0);
  c.features = 1;
  for (py::ssize_t axis = array.ndim() - 1; axis >= 1; --axis) {
    if (array.shape(axis) != 1 && array.strides(axis) != c.features * array.itemsize() && array.size() > 0)
      throw ValueError("[data] expected rows that are contiguous in C order.");
    c.features *= array.shape(axis);
  }
  c.source.data = static_cast<const char*>(array.data());
  c.source.row_bytes = array.strides(0);
  c.source.dtype = dtype_of(array);
  return c;
}

Sink sink_of(const py::array& array, DType dtype, int64_t rows, int64_t features) {
  const Column c = column_of(array);
  if (c.source.dtype != dtype || c.rows < rows || c.features != features || !array.writeable())
    throw ValueError("[data] expected a writable " + std::string(name_of(dtype)) + " output array of " +
                     std::to_string(rows) + " rows of " + std::to_string(features) + " elements.");
  return {const_cast<char*>(c.source.data), c.source.row_bytes};
}

py::tuple tuple_of(const Shape& shape) {
  py::tuple result(shape.size());
  for (size_t i = 0; i < shape.size(); ++i)
    result[i] = shape[i] == kBatch ? py::object(py::none()) : py::object(py::int_(shape[i]));
  return result;
}

Attrs attrs_of(const py::dict& dict) {
  Attrs attrs;
  for (const auto& [key, value] : dict) {
    const std::string name = py::cast<std::string>(key);
    try {
      attrs.set(name, attr_of(value));
    } catch (const py::cast_error&) {
      throw ValueError("[attribute '" + name + "'] expected a bool, a string, a number or a list of numbers that fit "
                       "64 bits, received " + py::cast<std::string>(py::repr(value)) + ".");
    }
  }
  return attrs;
}

}  // namespace hl
