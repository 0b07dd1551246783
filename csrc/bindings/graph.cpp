#include <pybind11/stl.h>

#include "bindings/arrays.h"
#include "bindings/bind.h"
#include "graph/graph.h"

namespace hl {

void bind_graph(py::module_& m) {
  py::class_<Graph>(m, "Graph", "Nodes and values; every check of shapes and attributes happens when a node is added.")
      .def(py::init([](const std::string& dtype) { return Graph(dtype_from(dtype)); }), py::arg("dtype") = "float32")
      .def(
          "input",
          [](Graph& g, const Shape& shape, const std::string& dtype, const std::string& name) {
            return g.input(shape, dtype_from(dtype), name);
          },
          py::arg("shape"), py::arg("dtype"), py::arg("name") = "", "Adds an input; shape is that of one row.")
      .def(
          "variable",
          [](Graph& g, int index, const Shape& shape, bool trainable, const std::string& name, const std::string& dtype) {
            return g.variable(index, shape, trainable, name, dtype.empty() ? g.dtype() : dtype_from(dtype));
          },
          py::arg("index"), py::arg("shape"), py::arg("trainable"), py::arg("name") = "", py::arg("dtype") = "",
          "Refers to variable `index` of the trainer that will plan this graph, stored in this type.")
      .def(
          "add",
          [](Graph& g, const std::string& op, const std::vector<int>& inputs, const py::dict& attrs,
             const std::string& name) { return g.add(op, inputs, attrs_of(attrs), name); },
          py::arg("op"), py::arg("inputs"), py::arg("attrs") = py::dict(), py::arg("name") = "",
          "Adds a node and returns its value, or -1 if it has none (a loss, a metric).")
      .def("output", &Graph::output, py::arg("value"), "Asks for a value to be written out.")
      .def(
          "shape", [](const Graph& g, int value) { return tuple_of(g.value(value).spec.shape); }, py::arg("value"))
      .def(
          "dtype", [](const Graph& g, int value) { return name_of(g.value(value).spec.dtype); }, py::arg("value"));
  m.def("op_names", &op_names);
  m.def("activation_names", &activation_names);
}

}  // namespace hl
