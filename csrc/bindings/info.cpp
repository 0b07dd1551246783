#include <pybind11/stl.h>

#include "backend/registry.h"
#include "bindings/arrays.h"
#include "bindings/bind.h"
#include "core/error.h"
#include "core/team.h"

#ifndef HL_VERSION
#error "the build defines HL_VERSION"
#endif

namespace hl {
namespace {

py::dict build_info() {
  py::dict info;
  info["version"] = HL_VERSION;
#if defined(__clang__)
  info["compiler"] = "clang " __clang_version__;
#else
  info["compiler"] = "gcc " __VERSION__;
#endif
  info["team"] = team_kind();
  return info;
}

}  // namespace

void bind_info(py::module_& m) {
  m.def("rows", &available_rows, "Rows of the kernel table that this machine can run, best last.");
  m.def(
      "row", [](const std::string& dtype) { return kernels(dtype_from(dtype)).row; }, py::arg("dtype") = "float32",
      "The row in use.");
  m.def("threads", &available_workers, "Workers a team may have on this machine, by its present limits.");
  m.def("build_info", &build_info, "Version, compiler and kind of team this extension was built with.");
}

}  // namespace hl
