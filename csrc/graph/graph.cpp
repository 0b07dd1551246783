#include "graph/graph.h"

#include <algorithm>

#include "core/error.h"
#include "ops/compact.h"

namespace hl {
namespace {

class NodeInfer final : public Infer {
 public:
  NodeInfer(const Node& node, const Graph& graph) : node_(node), graph_(graph) {}

  const Attrs& attrs() const override { return node_.attrs; }
  int inputs() const override { return int(node_.inputs.size()); }
  const Spec& input(int i) const override { return graph_.value(node_.inputs.at(size_t(i))).spec; }
  DType dtype() const override { return graph_.dtype(); }
  void output(const Spec& spec) override {
    element_count(spec.shape);
    result = spec;
    has_result = true;
  }

  void allow(std::initializer_list<const char*> names) const override {
    const std::vector<std::string> known(names.begin(), names.end());
    for (const auto& [name, value] : node_.attrs.all())
      if (std::find(known.begin(), known.end(), name) == known.end())
        throw ValueError(label() + " received an unknown attribute '" + name + "'." + suggestion(name, known));
  }

  [[noreturn]] void fail(const std::string& expected, const std::string& received,
                         const std::string& hint) const override {
    throw ValueError(label() + " expected " + expected + ", received " + received + "." +
                     (hint.empty() || hint[0] == ' ' ? hint : " " + hint));  // suggestion() brings its own space
  }

  Spec result;
  bool has_result = false;

 private:
  std::string label() const {
    return std::string("[") + node_.op->name + (node_.name.empty() ? "]" : " '" + node_.name + "']");
  }
  const Node& node_;
  const Graph& graph_;
};

}  // namespace

void check_variable_shape(const std::string& name, const Shape& shape) {
  element_count(shape);
  for (int64_t axis : shape)
    if (axis < 0)
      throw ValueError("[variable '" + name + "'] expected a shape without negative axes, received " +
                       to_string(shape) + ".");
}

Graph::Graph(DType dtype) : dtype_(dtype) {
  if (dtype != DType::f32 && dtype != DType::f64)
    throw ValueError(std::string("[graph] expected dtype float32 or float64, received ") + name_of(dtype) + ".");
}

const Value& Graph::value(int id) const {
  if (id < 0 || size_t(id) >= values_.size())
    throw ValueError("[graph] expected a value of this graph, received number " + std::to_string(id) + ".");
  return values_[size_t(id)];
}

int Graph::input(const Shape& sample, DType dtype, const std::string& name) {
  Attrs attrs;
  attrs.set("shape", std::vector<int64_t>(sample));
  attrs.set("dtype", std::string(name_of(dtype)));
  return add("input", {}, attrs, name);
}

int Graph::variable(int index, const Shape& shape, bool trainable, const std::string& name, DType dtype) {
  check_variable_shape(name, shape);
  if (index < 0)
    throw ValueError("[variable '" + name + "'] expected a number of at least 0, received " + std::to_string(index) +
                     ".");
  if (dtype != dtype_ && (!is_compact(dtype) || trainable))
    throw ValueError("[variable '" + name + "'] expected dtype " + name_of(dtype_) +
                     ", or one of int8, bfloat16 and float16 that is not trained, received " + name_of(dtype) + ".");
  Value v;
  v.spec = {shape, dtype};
  v.name = name;
  v.variable = index;
  v.trainable = trainable;
  values_.push_back(v);
  return int(values_.size()) - 1;
}

int Graph::add(const std::string& op, const std::vector<int>& inputs, const Attrs& attrs, const std::string& name) {
  for (int id : inputs) value(id);
  Node node{&find_op(op), attrs, inputs, -1, name};
  for (int id : inputs)
    if (value(id).variable >= 0 && value(id).spec.dtype != dtype_ && !node.op->reads_compact)
      throw ValueError("[" + op + " '" + name + "'] expected weights of " + name_of(dtype_) + ", received '" +
                       value(id).name + "' of " + name_of(value(id).spec.dtype) + ".");
  NodeInfer infer(node, *this);
  node.op->infer(infer);
  if (infer.has_result) {
    Value v;
    v.spec = infer.result;
    v.name = name;
    v.node = int(nodes_.size());
    node.output = int(values_.size());
    values_.push_back(v);
  }
  nodes_.push_back(std::move(node));
  return nodes_.back().output;
}

void Graph::output(int value) { add("output", {value}, {}, this->value(value).name); }

}  // namespace hl
