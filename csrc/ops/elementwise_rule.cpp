#include "ops/elementwise.h"

#include <algorithm>
#include <iterator>

#include "core/error.h"
#include "ops/checks.h"
#include "ops/fold_rule.h"

namespace hl {
namespace {

struct Known {
  const char* name;
  int operands;
  bool flat;
};
constexpr Known kKnown[] = {
#define HL_UNARY(name, Functor) {#name, 1, Functor::kFlat},
#define HL_BINARY(name, Functor) {#name, 2, Functor::kFlat},
#define HL_TERNARY(name, Functor) {#name, 3, Functor::kFlat},
    HL_ELEMENTWISE(HL_UNARY, HL_BINARY, HL_TERNARY)
#undef HL_UNARY
#undef HL_BINARY
#undef HL_TERNARY
};
constexpr const char* kLetters[kOperands] = {"a", "b", "c"};

ElementwiseKind kind_of(const Attrs& attrs) { return elementwise_from(attrs.text("kind")); }

// The input that operand k is, or -1 for a number.
std::vector<int> inputs_of(const Attrs& attrs, int operands) {
  std::vector<int> result;
  int next = 0;
  for (int k = 0; k < operands; ++k) result.push_back(attrs.has(kLetters[k]) ? -1 : next++);
  return result;
}

// The feature axes of an operand, filled up from the left to `rank`. A weight may have a leading 1 for the batch.
Shape features_of(const Spec& spec, size_t rank, bool batched) {
  Shape axes(spec.shape.begin() + (spec.batched() ? 1 : 0), spec.shape.end());
  if (!spec.batched() && batched && axes.size() == rank + 1 && axes[0] == 1) axes.erase(axes.begin());
  if (axes.size() < rank) axes.insert(axes.begin(), rank - axes.size(), 1);
  return axes;
}

// Axes that all operands repeat alike, walked as one.
struct Walk {
  std::vector<int64_t> axes;
  std::vector<std::vector<bool>> repeats;  // by operand, by axis
};

Walk walk_over(const Shape& axes, const std::vector<Shape>& operands) {
  Walk walk;
  walk.repeats.resize(operands.size());
  for (size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] == 1) continue;
    bool same = !walk.axes.empty();
    for (size_t k = 0; k < operands.size(); ++k)
      same = same && walk.repeats[k].back() == (operands[k][i] != axes[i]);
    if (same) {
      walk.axes.back() *= axes[i];
      continue;
    }
    walk.axes.push_back(axes[i]);
    for (size_t k = 0; k < operands.size(); ++k) walk.repeats[k].push_back(operands[k][i] != axes[i]);
  }
  return walk;
}

Shape features(const Shape& shape) {
  return !shape.empty() && shape[0] == kBatch ? Shape(shape.begin() + 1, shape.end()) : shape;
}

void infer(Infer& node) {
  const Attrs& attrs = node.attrs();
  const ElementwiseKind kind = kind_of(attrs);
  if (size_t(kind) == std::size(kKnown)) {
    std::vector<std::string> names;
    for (const Known& known : kKnown) names.push_back(known.name);
    node.fail("a known kind", "'" + attrs.text("kind") + "'", suggestion(attrs.text("kind"), names));
  }
  node.allow({"kind", "a", "b", "c"});
  const std::vector<int> inputs = inputs_of(attrs, kKnown[size_t(kind)].operands);
  const int tensors = int(std::count_if(inputs.begin(), inputs.end(), [](int i) { return i >= 0; }));
  if (tensors == 0) node.fail("at least one tensor", "numbers alone");
  expect_inputs(node, tensors, "tensors");
  bool batched = false;
  size_t rank = 0;
  for (int i = 0; i < tensors; ++i) {
    const Spec& x = node.input(i);
    if (x.dtype != node.dtype())
      node.fail("float values", name_of(x.dtype), "Use ops.cast, or ops.one_hot for codes.");
    if (x.batched() && batched && x.shape.size() - 1 != rank)
      node.fail("tensors with the same number of axes", to_string(node.input(0).shape) + " and " + to_string(x.shape),
                "Use ops.expand_dims or ops.reshape.");
    if (x.batched() && !batched) rank = 0;
    if (x.batched() == batched || x.batched()) rank = std::max(rank, x.shape.size() - (x.batched() ? 1 : 0));
    batched = batched || x.batched();
  }
  Shape result(rank, 1);
  std::vector<Shape> operands;
  for (int i = 0; i < tensors; ++i) {
    operands.push_back(features_of(node.input(i), rank, batched));
    bool fits = operands.back().size() == rank;
    for (size_t k = 0; fits && k < rank; ++k) {
      const int64_t size = operands.back()[k];
      fits = size == result[k] || size == 1 || result[k] == 1;
      if (size != 1) result[k] = size;
    }
    if (!fits) {
      std::string shapes;
      for (int j = 0; j < tensors; ++j) shapes += (j ? " and " : "") + to_string(node.input(j).shape);
      node.fail("shapes that are equal, or 1, on every axis", shapes);
    }
  }
  if (walk_over(result, operands).axes.size() > size_t(kAxes))
    node.fail("axes that are broadcast in at most " + std::to_string(kAxes) + " groups", to_string(result));
  if (batched) result.insert(result.begin(), kBatch);
  node.output({result, node.dtype()});
}

// What both passes know without addresses.
struct Plain {
  Elementwise args{};
  std::vector<int> inputs;  // by operand, or -1
  Walk walk;
  bool batched = false;
};

Plain plain(Build& b) {
  Plain p;
  const Spec& out = b.output_spec();
  p.args.kind = kind_of(b.attrs());
  p.inputs = inputs_of(b.attrs(), kKnown[size_t(p.args.kind)].operands);
  p.batched = out.batched();
  const Shape axes = features(out.shape);
  std::vector<Shape> operands;
  for (int i : p.inputs) operands.push_back(i < 0 ? Shape(axes.size(), 1) : features_of(b.spec(i), axes.size(), p.batched));
  p.walk = walk_over(axes, operands);
  p.args.n_operands = int32_t(p.inputs.size());
  p.args.flat = p.batched;
  for (int i : p.inputs)
    p.args.flat = p.args.flat && (i < 0 || (b.spec(i).batched() && b.spec(i).features() == out.features()));
  p.args.features = out.features();
  p.args.rows = p.batched ? 0 : 1;
  std::fill(std::begin(p.args.axes), std::end(p.args.axes), 1);
  const size_t n = p.walk.axes.size();
  std::copy(p.walk.axes.begin(), p.walk.axes.end(), std::end(p.args.axes) - int64_t(n));
  for (size_t k = 0; k < p.inputs.size(); ++k) {
    int64_t step = 1;
    for (size_t i = n; i-- > 0;) {
      p.args.operands[k].strides[kAxes - n + i] = p.walk.repeats[k][i] ? 0 : step;
      if (!p.walk.repeats[k][i]) step *= p.walk.axes[i];
    }
    if (n == 0) p.args.operands[k].strides[kAxes - 1] = 1;
    if (p.inputs[k] < 0) p.args.operands[k].number = b.attrs().number(kLetters[k]);
  }
  return p;
}

// The operands as rows: a weight with two axes leaves its panels.
std::vector<Buf> operand_buffers(Build& b, const Plain& p) {
  std::vector<Buf> result;
  for (int i : p.inputs) {
    if (i < 0 || !b.is_variable(i) || b.spec(i).shape.size() != 2) {
      result.push_back(i < 0 ? Buf{} : b.input(i));
      continue;
    }
    const Buf matrix = b.scratch({1, b.spec(i).features(), b.dtype()});
    PanelCopy copy{b.read(b.input(i)).data, b.write(matrix).data, panel_shape(b.spec(i).shape)};
    b.emit(b.kernels().panel_unpack, copy);
    result.push_back(matrix);
  }
  return result;
}

void read_operands(Build& b, Plain& p, const std::vector<Buf>& buffers) {
  for (size_t k = 0; k < p.inputs.size(); ++k) {
    if (p.inputs[k] < 0) continue;
    Operand& o = p.args.operands[k];
    o.data = b.read(buffers[k]);
    if (!b.spec(p.inputs[k]).batched()) o.data.ld = 0;
  }
}

void forward(Build& b) {
  Plain p = plain(b);
  const std::vector<Buf> buffers = operand_buffers(b, p);
  read_operands(b, p, buffers);
  p.args.y = b.write(b.output());
  const double elements = double(p.batched ? b.max_rows() : 1) * p.args.features;
  b.emit(b.kernels().elementwise_forward, p.args,
         {10 * elements, double(p.inputs.size() + 1) * elements * size_of(b.dtype())});
}

// The gradient of operand k is the output's, or there is none.
bool passes_on(ElementwiseKind kind, size_t k) {
  return kind == ElementwiseKind::add || (kind == ElementwiseKind::subtract && k == 0) ||
         (kind == ElementwiseKind::mod && k == 0) || (kind == ElementwiseKind::second && k == 1);
}
// Sums over the axes that operand k repeats.
Fold fold_of(const Plain& p, size_t k) {
  Fold f{};
  for (int i = 0; i < kFoldAxes; ++i) f.kept[i] = f.folded[i] = 1;
  int kept = kFoldAxes, folded = kFoldAxes;
  int64_t stride = 1;
  f.width = f.features = f.sums = 1;
  for (size_t i = p.walk.axes.size(); i-- > 0; stride *= p.walk.axes[i]) {
    const int64_t size = p.walk.axes[i];
    if (p.walk.repeats[k][i]) {
      f.folded[--folded] = size;
      f.folded_strides[folded] = stride;
      f.sums *= size;
    } else {
      f.kept[--kept] = size;
      f.kept_strides[kept] = stride;
      f.features *= size;
      if (i + 1 == p.walk.axes.size()) f.width = size;
    }
  }
  return f;
}

void fold_gradient(Build& b, const Plain& p, size_t k, Buf full) {
  const int i = p.inputs[k];
  const bool variable = b.is_variable(i), batched = b.spec(i).batched();
  Fold f = fold_of(p, k);
  const Buf y = variable ? b.scratch({1, f.features, b.dtype()}) : b.grad_input(i);
  const Order order = variable ? Order::kDeferred : Order::kChain;
  if (p.batched && !batched) {
    fold_batch(b, f, full, y, false, order);
  } else {
    f.rows = p.batched ? 0 : 1;
    f.rows_a_block = 1;
    f.x = b.read(full);
    f.y = b.write(y);
    b.emit(b.kernels().fold, f, {}, order);
  }
  if (!variable) return;
  PanelCopy copy{nullptr, b.read(y).data, panel_shape(b.spec(i).shape)};
  copy.panels = b.write(b.grad_input(i)).data;
  b.emit(b.kernels().panel_pack, copy, {}, order);
}

void backward(Build& b) {
  const Plain shapes = plain(b);
  std::vector<Buf> buffers;
  for (size_t k = 0; k < shapes.inputs.size(); ++k) {
    const int i = shapes.inputs[k];
    if (i < 0 || !b.wants_grad(i) || !passes_gradient(shapes.args.kind, int(k))) continue;
    bool whole = !b.is_variable(i) && b.spec(i).batched() == shapes.batched;
    for (bool repeats : shapes.walk.repeats[k]) whole = whole && !repeats;
    if (passes_on(shapes.args.kind, k)) {
      if (whole)
        b.alias_grad_input(i, b.grad_output());
      else
        fold_gradient(b, shapes, k, b.grad_output());
      continue;
    }
    if (buffers.empty()) buffers = operand_buffers(b, shapes);
    const int64_t rows = shapes.batched ? b.max_rows() : 1;
    const Buf full = whole ? b.grad_input(i) : b.scratch({rows, shapes.args.features, b.dtype()});
    Plain p = shapes;
    read_operands(b, p, buffers);
    ElementwiseBackward a{};
    p.args.y = b.read(b.output());
    a.of = p.args;
    a.operand = int(k);
    a.dy = b.read(b.grad_output());
    a.d = b.write(full);
    const double elements = double(rows) * p.args.features;
    b.emit(b.kernels().elementwise_backward, a,
           {10 * elements, double(p.inputs.size() + 3) * elements * size_of(b.dtype())});
    if (!whole) fold_gradient(b, shapes, k, full);
  }
}

void infer_stop(Infer& node) {
  node.allow({});
  expect_inputs(node, 1, "x");
  node.output(node.input(0));
}

void forward_stop(Build& b) { b.alias_output(b.input(0)); }

}  // namespace

ElementwiseKind elementwise_from(const std::string& name) {
  size_t i = 0;
  while (i < std::size(kKnown) && name != kKnown[i].name) ++i;
  return ElementwiseKind(i);
}

int operands_of(ElementwiseKind kind) { return size_t(kind) < std::size(kKnown) ? kKnown[size_t(kind)].operands : 0; }

bool passes_gradient(ElementwiseKind kind, int operand) {
  const bool picks = kind == ElementwiseKind::second || kind == ElementwiseKind::where;
  return !kKnown[size_t(kind)].flat && !(picks && operand == 0);
}

const Op elementwise_op{"elementwise", infer, forward, backward};
const Op stop_gradient_op{"stop_gradient", infer_stop, forward_stop, nullptr};

}  // namespace hl
