// One function per topic; module.cpp calls them all.
#pragma once
#include <pybind11/pybind11.h>

namespace hl {

void bind_errors(pybind11::module_& m);
void bind_gil(pybind11::module_& m);
void bind_graph(pybind11::module_& m);
void bind_trainer(pybind11::module_& m);
void bind_predictor(pybind11::module_& m);
void bind_data(pybind11::module_& m);
void bind_info(pybind11::module_& m);

}  // namespace hl
