#include "ops/expression.h"

#include <algorithm>
#include <iterator>
#include <sstream>

#include "core/error.h"
#include "ops/checks.h"

namespace hl {
namespace {

// A step's name: of a kind of ops/elementwise.h, "affine", or "@" and an activation.
bool parse(const std::string& name, Instruction& step) {
  if (name == "affine") {
    step.list = Instruction::List::affine;
  } else if (name[0] == '@') {
    const std::vector<std::string> names = activation_names();
    if (std::find(names.begin(), names.end(), name.substr(1)) == names.end()) return false;
    step.list = Instruction::List::activation;
    step.kind = int32_t(activation_from(name.substr(1)));
  } else {
    step.list = Instruction::List::elementwise;
    step.kind = int32_t(elementwise_from(name));
    return operands_of(ElementwiseKind(step.kind)) > 0;
  }
  return true;
}

int operands_of(const Instruction& step) {
  return step.list == Instruction::List::elementwise ? operands_of(ElementwiseKind(step.kind)) : 1;
}

// Attributes `steps`, names with a space between them; `operands` and `numbers`, three of a step. Empty if there are too
// many steps.
Expression program(const Attrs& attrs, int inputs) {
  Expression a{};
  a.n_inputs = inputs;
  const std::vector<int64_t> operands = attrs.integers("operands");
  const std::vector<double>& numbers = attrs.numbers("numbers");
  std::istringstream names(attrs.text("steps"));
  for (std::string name; names >> name; ++a.n_steps) {
    if (a.n_steps == kSteps) return {};
    Instruction& step = a.steps[a.n_steps];
    if (!parse(name, step)) throw ValueError("[expression] received an unknown step '" + name + "'.");
    for (size_t k = 0; k < kOperands; ++k) {
      const size_t at = size_t(a.n_steps) * kOperands + k;
      step.operands[k] = at < operands.size() ? int32_t(operands[at]) : kNumber;
      step.numbers[k] = at < numbers.size() ? numbers[at] : 0;
    }
  }
  return a;
}

bool is_known(const Expression& a, int32_t slot, int step) {
  return slot < kInputs ? slot >= 0 && slot < a.n_inputs : slot < kInputs + step;
}

void infer(Infer& node) {
  node.allow({"steps", "operands", "numbers"});
  if (node.inputs() < 1 || node.inputs() > kInputs)
    node.fail("1 to " + std::to_string(kInputs) + " inputs", std::to_string(node.inputs()));
  for (int i = 0; i < node.inputs(); ++i)
    if (batched_float(node, i).shape != node.input(0).shape)
      node.fail("inputs of one shape, " + to_string(node.input(0).shape), to_string(node.input(i).shape));
  const Expression a = program(node.attrs(), node.inputs());
  if (a.n_steps == 0) node.fail("1 to " + std::to_string(kSteps) + " steps", "'" + node.attrs().text("steps") + "'");
  for (int s = 0; s < a.n_steps; ++s)
    for (int k = 0; k < operands_of(a.steps[s]); ++k) {
      const int32_t slot = a.steps[s].operands[k];
      const bool number = slot == kNumber && a.steps[s].list == Instruction::List::elementwise;
      if (!number && !is_known(a, slot, s)) node.fail("operands that are there before step " + std::to_string(s),
                                                      std::to_string(slot));
    }
  node.output(node.input(0));
}

Cost cost_of(Build& b, int steps, int operands) {
  const double elements = double(b.max_rows()) * b.output_spec().features();
  return {10 * steps * elements, operands * elements * size_of(b.dtype())};
}

void read_inputs(Build& b, Expression& a) {
  for (int i = 0; i < a.n_inputs; ++i) a.inputs[i] = b.read(b.input(i));
}

void forward(Build& b) {
  Expression a = program(b.attrs(), b.inputs());
  read_inputs(b, a);
  a.y = b.write(b.output());
  b.emit(b.kernels().expression_forward, a, cost_of(b, a.n_steps, a.n_inputs + 1));
}

bool passes_gradient(const Instruction& step, int operand) {
  return step.list != Instruction::List::elementwise || passes_gradient(ElementwiseKind(step.kind), operand);
}

void backward(Build& b) {
  ExpressionBackward a{};
  a.of = program(b.attrs(), b.inputs());
  const Expression& of = a.of;
  bool wanted[kInputs + kSteps] = {}, reached[kInputs + kSteps] = {};
  for (int i = 0; i < of.n_inputs; ++i) wanted[i] = b.wants_grad(i);
  const auto for_each_way = [&](int s, auto body) {  // that a gradient takes down from step s
    for (int k = 0; k < operands_of(of.steps[s]); ++k) {
      const int32_t slot = of.steps[s].operands[k];
      if (slot != kNumber && passes_gradient(of.steps[s], k)) body(k, slot);
    }
  };
  for (int s = 0; s < of.n_steps; ++s)
    for_each_way(s, [&](int, int32_t slot) { wanted[kInputs + s] = wanted[kInputs + s] || wanted[slot]; });
  reached[kInputs + of.n_steps - 1] = true;
  for (int s = of.n_steps - 1; s >= 0; --s) {
    if (!reached[kInputs + s]) continue;
    for_each_way(s, [&](int k, int32_t slot) {
      if (!wanted[slot]) return;
      a.partials[a.n_partials++] = {int8_t(s), int8_t(k), reached[slot]};
      reached[slot] = true;
    });
  }
  if (a.n_partials == 0) return;
  read_inputs(b, a.of);
  a.of.y = b.read(b.output());
  a.dy = b.read(b.grad_output());
  int gradients = 0;
  for (int i = 0; i < of.n_inputs; ++i)
    if (reached[i]) {
      a.d[i] = b.write(b.grad_input(i));
      ++gradients;
    }
  b.emit(b.kernels().expression_backward, a, cost_of(b, 2 * of.n_steps, of.n_inputs + 2 + gradients));
}

}  // namespace

const Op expression_op{"expression", infer, forward, backward};

}  // namespace hl
