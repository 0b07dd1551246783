#include "bindings/bind.h"
#include "core/error.h"

namespace hl {

namespace py = pybind11;

void bind_errors(py::module_& m) {
  // ValueError is a std::invalid_argument, which pybind11 maps by itself.
  py::register_exception<DeviceError>(m, "DeviceError", PyExc_RuntimeError);
  py::register_exception_translator([](std::exception_ptr error) {
    try {
      if (error) std::rethrow_exception(error);
    } catch (const TypeError& e) {
      PyErr_SetString(PyExc_TypeError, e.what());
    } catch (const MemoryError& e) {
      PyErr_SetString(PyExc_MemoryError, e.what());
    }
  });
}

}  // namespace hl
