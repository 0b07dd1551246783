#include <pybind11/stl.h>

#include "backend/registry.h"
#include "bindings/arrays.h"
#include "bindings/bind.h"
#include "core/config.h"
#include "core/error.h"
#include "core/team.h"
#include "core/team_size.h"

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
  py::class_<TeamSize>(m, "TeamSize", "How many workers run a plan, by the times of its batches.")
      .def(py::init<>())
      .def(
          "choose",
          [](TeamSize& team, double work, int most, double time) {
            const TeamSize::Choice choice = team.choose(work, most, time);
            return std::make_pair(choice.workers, choice.trial);
          },
          py::arg("work"), py::arg("most"), py::arg("time"), "(workers, is this a trial?)")
      .def(
          "record",
          [](TeamSize& team, int workers, bool trial, double seconds, double batches, double time) {
            team.record({workers, trial}, seconds, batches, time);
          },
          py::arg("workers"), py::arg("trial"), py::arg("seconds"), py::arg("batches"), py::arg("time"));
  m.def("rows", &available_rows, "Rows of the kernel table that this machine can run, best last.");
  m.def(
      "row", [](const std::string& dtype) { return kernels(dtype_from(dtype)), row(); }, py::arg("dtype") = "float32",
      "The row in use.");
  m.def("devices", &devices, "'cpu', and the devices that this machine has.");
  m.def("device", &device, "The device of models made from now on.");
  m.def("set_device", &set_device, py::arg("name"), "Choose it.");
  m.def("threads", &available_workers, "Workers a team may have on this machine, by its present limits.");
  m.def("set_threads", &set_workers, py::arg("count"), "Ask for a number of workers; None takes the wish back.");
  m.def("set_lone_worker", &set_lone_worker, py::arg("on"),
        "Let everything that this thread runs from now on run on it alone.");
  m.def("build_info", &build_info, "Version, compiler and kind of team this extension was built with.");
}

}  // namespace hl
