#include "bindings/bind.h"

PYBIND11_MODULE(_core, m) {
  m.doc() = "The compiled engine of hotloop: graph, plan, kernels, trainer.";
  hl::bind_errors(m);
  hl::bind_gil(m);
  hl::bind_graph(m);
  hl::bind_data(m);
  hl::bind_trainer(m);
  hl::bind_predictor(m);
  hl::bind_info(m);
}
