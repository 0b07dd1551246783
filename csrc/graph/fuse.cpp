#include "graph/graph.h"

namespace hl {

Graph fuse(Graph graph) {
  std::vector<int> uses(graph.values().size(), 0);
  for (const Node& node : graph.nodes())
    for (int value : node.inputs) ++uses[size_t(value)];

  Graph fused(graph.dtype());
  std::vector<int> now(graph.values().size(), -1);  // old value -> new value
  std::vector<int> absorbed_by(graph.nodes().size(), -1);
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    if (std::string(node.op->name) != "activation") continue;
    if (!derives_from_output(activation_from(node.attrs.text("kind")))) continue;
    const int producer = graph.value(node.inputs[0]).node;
    if (producer < 0 || uses[size_t(node.inputs[0])] != 1) continue;
    const Node& host = graph.nodes()[size_t(producer)];
    if (host.op->activates && !host.attrs.has("activation")) absorbed_by[size_t(producer)] = int(i);
  }
  const auto renamed = [&](const std::vector<int>& values) {
    std::vector<int> result;
    for (int v : values) {
      if (now[size_t(v)] < 0) {  // a variable, met for the first time
        const Value& old = graph.value(v);
        now[size_t(v)] = fused.variable(old.variable, old.spec.shape, old.trainable, old.name);
      }
      result.push_back(now[size_t(v)]);
    }
    return result;
  };
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    if (node.output >= 0 && now[size_t(node.output)] >= 0) continue;  // absorbed by the node below it
    Attrs attrs = node.attrs;
    if (absorbed_by[i] >= 0) {
      const Node& activation = graph.nodes()[size_t(absorbed_by[i])];
      attrs.set("activation", activation.attrs.text("kind"));
      if (activation.attrs.has("alpha")) attrs.set("alpha", activation.attrs.number("alpha"));
      now[size_t(activation.output)] = fused.add(node.op->name, renamed(node.inputs), attrs, node.name);
      continue;
    }
    const int value = fused.add(node.op->name, renamed(node.inputs), attrs, node.name);
    if (node.output >= 0) now[size_t(node.output)] = value;
  }
  return fused;
}

}  // namespace hl
