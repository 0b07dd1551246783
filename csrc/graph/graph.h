// Graph: nodes (a named op, its attributes, its inputs) and the values between them. Device-free; shapes are
// inferred, and everything checked, when a node is added.
#pragma once
#include <string>
#include <vector>

#include "ops/op.h"

namespace hl {

struct Value {
  Spec spec;
  std::string name;
  int node = -1;      // the node that makes it, or -1 for a variable
  int variable = -1;  // index in the trainer's slab, or -1
  bool trainable = false;
};

struct Node {
  const Op* op;
  Attrs attrs;
  std::vector<int> inputs;  // values
  int output = -1;          // value, or -1: a loss, a metric, an output of the graph
  std::string name;         // of the layer

  bool is_input() const { return op == &input_op; }  // reads an array; a random node has no inputs either
  bool is_output() const { return op == &output_op; }
};

// Throws ValueError unless every axis is known.
void check_variable_shape(const std::string& name, const Shape& shape);

class Graph {
 public:
  explicit Graph(DType dtype);  // of the arithmetic: f32 or f64

  int input(const Shape& sample, DType dtype, const std::string& name);  // shape without the batch axis
  // Stored in `dtype`: the arithmetic's, or a compact one (ops/compact.h), which nothing trains.
  int variable(int index, const Shape& shape, bool trainable, const std::string& name, DType dtype);
  int add(const std::string& op, const std::vector<int>& inputs, const Attrs& attrs, const std::string& name);
  void output(int value);

  DType dtype() const { return dtype_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<Value>& values() const { return values_; }
  const Value& value(int id) const;

 private:
  DType dtype_;
  std::vector<Node> nodes_;
  std::vector<Value> values_;
};

// Without what nobody reads; activations are part of the nodes below them, where those `activate`, and element-wise nodes of
// one shape are one expression.
Graph fuse(Graph graph);

}  // namespace hl
