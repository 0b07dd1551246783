#include <algorithm>
#include <set>
#include <string>

#include "graph/graph.h"
#include "ops/expression.h"
#include "ops/rules.h"

namespace hl {
namespace {

// The nodes that become one, by node: the last of them, which makes their value; itself for a node that stays alone.
using Groups = std::vector<size_t>;

bool is(const Node& node, const char* op) { return std::string(node.op->name) == op; }

std::vector<int> uses_of(const Graph& graph) {
  std::vector<int> uses(graph.values().size(), 0);
  for (const Node& node : graph.nodes())
    for (int value : node.inputs) ++uses[size_t(value)];
  return uses;
}

// A copy of a graph, node by node, in which some nodes become others.
class Rewriting {
 public:
  explicit Rewriting(const Graph& graph) : graph_(graph), now_(graph.values().size(), -1), result_(graph.dtype()) {}

  void add(const std::string& op, const std::vector<int>& inputs, const Attrs& attrs, const Node& node) {
    const int made = result_.add(op, renamed(inputs), attrs, node.name);
    if (node.output >= 0) now_[size_t(node.output)] = made;
  }
  Graph result() { return std::move(result_); }

 private:
  std::vector<int> renamed(const std::vector<int>& values) {
    std::vector<int> result;
    for (int v : values) {
      if (now_[size_t(v)] < 0) {  // a variable, met for the first time
        const Value& old = graph_.value(v);
        now_[size_t(v)] = result_.variable(old.variable, old.spec.shape, old.trainable, old.name, old.spec.dtype);
      }
      result.push_back(now_[size_t(v)]);
    }
    return result;
  }

  const Graph& graph_;
  std::vector<int> now_;  // old value -> new value
  Graph result_;
};

// Without nodes that nobody reads and that do nothing else, as a model's own output in a loss that is made of other values.
Graph without_unread(const Graph& graph) {
  const std::vector<Node>& nodes = graph.nodes();
  std::vector<bool> read(graph.values().size(), false);
  std::vector<size_t> left;
  for (size_t i = nodes.size(); i-- > 0;) {
    const Node& node = nodes[i];
    if (node.output >= 0 && !read[size_t(node.output)] && !node.is_input() && !node.op->stays) continue;
    left.push_back(i);
    for (int v : node.inputs) read[size_t(v)] = true;
  }
  Rewriting rest(graph);
  for (size_t k = left.size(); k-- > 0;) {
    const Node& node = nodes[left[k]];
    rest.add(node.op->name, node.inputs, node.attrs, node);
  }
  return rest.result();
}

// Every element-wise activation becomes part of the node that feeds it and nothing else, where that node `activates`.
Graph fuse_activations(const Graph& graph) {
  const std::vector<int> uses = uses_of(graph);
  std::vector<const Node*> activation_of(graph.nodes().size(), nullptr);
  std::vector<bool> absorbed(graph.nodes().size(), false);
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    if (!is(node, "activation") || !derives_from_output(activation_from(node.attrs.text("kind")))) continue;
    const int producer = graph.value(node.inputs[0]).node;
    if (producer < 0 || uses[size_t(node.inputs[0])] != 1) continue;
    const Node& host = graph.nodes()[size_t(producer)];
    if (!host.op->activates || host.attrs.has("activation")) continue;
    activation_of[size_t(producer)] = &node;
    absorbed[i] = true;
  }
  Rewriting fused(graph);
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    if (absorbed[i]) continue;
    Attrs attrs = node.attrs;
    const Node* activation = activation_of[i];
    if (!activation) {
      fused.add(node.op->name, node.inputs, attrs, node);
      continue;
    }
    attrs.set("activation", activation->attrs.text("kind"));
    if (activation->attrs.has("alpha")) attrs.set("alpha", activation->attrs.number("alpha"));
    Node both = node;
    both.output = activation->output;
    fused.add(node.op->name, node.inputs, attrs, both);
  }
  return fused.result();
}

// Steps that a node is in an expression (ops/expression.h); 0 if it cannot be part of one.
int steps_of(const Graph& graph, const Node& node) {
  if (node.output < 0) return 0;
  const Spec& y = graph.value(node.output).spec;
  if (!y.batched() || y.dtype != graph.dtype()) return 0;
  for (int v : node.inputs) {
    const Spec& x = graph.value(v).spec;
    if (x.shape != y.shape || x.dtype != y.dtype) return 0;
  }
  if (is(node, "add")) return int(node.inputs.size()) - 1;
  if (is(node, "activation")) return node.attrs.text("kind") != "identity";
  return is(node, "elementwise") || is(node, "affine");
}

// From the last node to the first: a node whose value is used inside a group alone joins it, if it fits.
Groups expressions_of(const Graph& graph) {
  const std::vector<Node>& nodes = graph.nodes();
  const std::vector<int> uses = uses_of(graph);
  Groups group(nodes.size());
  std::vector<int> steps;
  for (size_t i = 0; i < nodes.size(); ++i) {
    group[i] = i;
    steps.push_back(steps_of(graph, nodes[i]));
  }
  std::vector<bool> taken(nodes.size(), false);
  for (size_t last = nodes.size(); last-- > 0;) {
    if (taken[last] || steps[last] == 0 || steps[last] > kSteps) continue;
    std::vector<int> inputs;       // what the group reads, each as often as it does
    std::set<size_t> candidates;   // nodes that make some of it
    int sum = 0;
    const auto join = [&](size_t i) {
      group[i] = last;
      taken[i] = true;
      sum += steps[i];
      inputs.erase(std::remove(inputs.begin(), inputs.end(), nodes[i].output), inputs.end());
      for (int v : nodes[i].inputs) {
        inputs.push_back(v);
        if (graph.value(v).node >= 0) candidates.insert(size_t(graph.value(v).node));
      }
    };
    const auto fits = [&](size_t i) {
      if (taken[i] || steps[i] == 0 || sum + steps[i] > kSteps) return false;
      const int made = nodes[i].output;
      if (graph.value(made).spec.shape != graph.value(nodes[last].output).spec.shape) return false;
      if (std::count(inputs.begin(), inputs.end(), made) != uses[size_t(made)]) return false;
      std::set<int> read(inputs.begin(), inputs.end());
      read.erase(made);
      read.insert(nodes[i].inputs.begin(), nodes[i].inputs.end());
      return read.size() <= kInputs;
    };
    join(last);
    while (!candidates.empty()) {  // those of higher numbers first: they may use what the others make
      const size_t i = *candidates.rbegin();
      candidates.erase(i);
      if (fits(i)) join(i);
    }
  }
  return group;
}

// The attributes of an expression, and its inputs.
struct Program {
  std::string steps;
  std::vector<int64_t> operands;
  std::vector<double> numbers;
  std::vector<int> inputs;
  std::vector<std::pair<int, int64_t>> made;  // value, slot

  int64_t slot_of(int value) {
    for (const auto& [known, slot] : made)
      if (known == value) return slot;
    inputs.push_back(value);
    made.emplace_back(value, int64_t(inputs.size()) - 1);
    return made.back().second;
  }
  int64_t step(const std::string& name, std::vector<int64_t> slots, std::vector<double> values) {
    slots.resize(kOperands, kNumber);
    values.resize(kOperands, 0);
    steps += (steps.empty() ? "" : " ") + name;
    operands.insert(operands.end(), slots.begin(), slots.end());
    numbers.insert(numbers.end(), values.begin(), values.end());
    return kInputs + int64_t(operands.size()) / kOperands - 1;
  }
  void append(const Node& node) {
    const Attrs& attrs = node.attrs;
    int64_t slot = slot_of(node.inputs[0]);
    if (is(node, "add")) {
      for (size_t i = 1; i < node.inputs.size(); ++i) slot = step("add", {slot, slot_of(node.inputs[i])}, {});
    } else if (is(node, "affine")) {
      slot = step("affine", {slot}, {attrs.number("scale", 1), attrs.number("offset", 0)});
    } else if (is(node, "activation")) {
      const Activation f = any_activation_of(attrs);
      slot = step("@" + attrs.text("kind"), {slot}, {f.alpha, f.beta, f.gamma});
    } else {
      std::vector<int64_t> slots;
      std::vector<double> values(kOperands, 0);
      size_t next = 0;
      const int operands_here = operands_of(elementwise_from(attrs.text("kind")));
      for (int k = 0; k < operands_here; ++k) {
        const std::string letter(1, char('a' + k));
        const bool number = attrs.has(letter);
        if (number) values[size_t(k)] = attrs.number(letter);
        slots.push_back(number ? kNumber : slot_of(node.inputs[next++]));
      }
      slot = step(attrs.text("kind"), slots, values);
    }
    made.emplace_back(node.output, slot);
  }
};

Graph fuse_expressions(const Graph& graph) {
  const Groups group = expressions_of(graph);
  std::vector<Program> programs(graph.nodes().size());
  std::vector<int> members(graph.nodes().size(), 0);
  for (size_t last : group) ++members[last];
  Rewriting fused(graph);
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    const size_t last = group[i];
    if (members[last] == 1) {
      fused.add(node.op->name, node.inputs, node.attrs, node);
      continue;
    }
    Program& program = programs[last];
    program.append(node);
    if (i != last) continue;
    Attrs attrs;
    attrs.set("steps", program.steps);
    attrs.set("operands", program.operands);
    attrs.set("numbers", program.numbers);
    fused.add("expression", program.inputs, attrs, node);
  }
  return fused.result();
}

}  // namespace

Graph fuse(Graph graph) { return fuse_expressions(fuse_activations(without_unread(graph))); }

}  // namespace hl
