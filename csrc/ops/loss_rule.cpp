#include "ops/loss_rule.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace hl {
namespace {

const std::string kFromLogits = "_from_logits";

struct Known {
  const char* name;
  LossKind kind;
  bool classes;  // the last axis holds one distribution
  bool sparse;   // y_true holds class numbers
  bool mean;     // over the last axis
};
constexpr Known kKnown[] = {
#define HL_ELEMENT(name, Functor) {#name, LossKind::name, false, false, Functor::kMean},
#define HL_CLASS(name, Functor) {#name, LossKind::name, true, false, false},
#define HL_SPARSE(name, Functor) {#name, LossKind::name, true, true, false},
    HL_LOSSES(HL_ELEMENT, HL_CLASS, HL_SPARSE)
#undef HL_ELEMENT
#undef HL_CLASS
#undef HL_SPARSE
};

const Known* find(const std::string& name) {
  for (const Known& known : kKnown)
    if (name == known.name) return &known;
  return nullptr;
}

const Known& loss_of(const Attrs& attrs) {
  return *find(attrs.text("kind") + (attrs.flag("from_logits", false) ? kFromLogits : ""));
}

bool is_smoothed(const std::string& kind) {
  return kind == "binary_crossentropy" || kind == "categorical_crossentropy";
}

bool is_mean(const Attrs& attrs) { return attrs.text("reduction", "sum_over_batch_size") == "sum_over_batch_size"; }

void infer(Infer& node) {
  node.allow({"kind", "weight", "reduction", "from_logits", "label_smoothing"});
  check_loss(node);
  const std::string reduction = node.attrs().text("reduction", "sum_over_batch_size");
  if (reduction != "sum_over_batch_size" && reduction != "sum")
    node.fail("reduction 'sum_over_batch_size' or 'sum'", "'" + reduction + "'",
              suggestion(reduction, {"sum_over_batch_size", "sum"}));
  if (!std::isfinite(node.attrs().number("weight", 1)))
    node.fail("a finite loss weight", std::to_string(node.attrs().number("weight", 1)));
}

void forward(Build& b) {
  LossForward a = loss_arguments(b);
  a.mean = is_mean(b.attrs());
  if (!a.mean) a.value_scale *= double(a.groups);  // sums the distributions of a sample too
  a.loss_weight = b.attrs().number("weight", 1);
  if (b.inputs() == 3) a.weight = b.read(b.input(2));
  const Buf values = b.scratch({1, b.max_rows(), DType::f64});
  a.values = b.write(values).as<double>();
  if (b.training() && b.wants_grad(0)) a.gradient = b.write(b.grad_input(0));
  const double elements = double(b.max_rows()) * a.groups * a.columns;
  b.emit(b.kernels().loss_forward, a, {40 * elements, 3 * elements * size_of(b.dtype())});

  LossReduce r{};
  r.values = b.read(values).as<double>();
  r.accumulator = b.accumulator();
  r.mean = a.mean;
  b.emit(b.kernels().loss_reduce, r, {double(b.max_rows()), 8.0 * b.max_rows()}, Order::kDeferred);
}

}  // namespace

std::vector<std::string> loss_names() {
  std::vector<std::string> names;
  for (const Known& known : kKnown)
    if (std::string(known.name).find(kFromLogits) == std::string::npos) names.push_back(known.name);
  return names;
}

Scored scored(const Spec& y_pred) {
  const int64_t columns = y_pred.shape.size() > 1 ? y_pred.shape.back() : 1;
  return {y_pred.features() / columns, columns};
}

void check_scored(const Infer& node, bool class_numbers) {
  if (node.inputs() < 2 || node.inputs() > 3)
    node.fail("y_pred, y_true and perhaps sample_weight", std::to_string(node.inputs()) + " inputs");
  const Spec &pred = node.input(0), &target = node.input(1);
  if (!pred.batched() || pred.dtype != node.dtype() || pred.features() == 0)
    node.fail("y_pred to be a batch of " + std::string(name_of(node.dtype())),
              std::string(name_of(pred.dtype)) + " of shape " + to_string(pred.shape));
  if (class_numbers && pred.shape.size() < 2)
    node.fail("y_pred with an axis of classes", "shape " + to_string(pred.shape));
  Shape expected = pred.shape;
  if (class_numbers) expected.pop_back();
  Shape column = expected;
  column.push_back(1);
  const DType dtype = class_numbers ? DType::i32 : node.dtype();
  if (target.dtype != dtype || (target.shape != expected && !(class_numbers && target.shape == column)))
    node.fail("y_true to be " + std::string(name_of(dtype)) + " of shape " + to_string(expected),
              std::string(name_of(target.dtype)) + " of shape " + to_string(target.shape),
              class_numbers ? "Labels must be class numbers, one a sample." : "");
  if (node.inputs() == 2) return;
  const Spec& weight = node.input(2);
  if (weight.dtype != node.dtype() || (weight.shape != Shape{kBatch} && weight.shape != Shape{kBatch, 1}))
    node.fail("sample_weight to be " + std::string(name_of(node.dtype())) + " of shape (None,) or (None, 1)",
              std::string(name_of(weight.dtype)) + " of shape " + to_string(weight.shape));
}

void check_loss(const Infer& node) {
  const Attrs& attrs = node.attrs();
  const std::string kind = attrs.text("kind");
  const std::vector<std::string> names = loss_names();
  if (std::find(names.begin(), names.end(), kind) == names.end())
    node.fail("a known kind", "'" + kind + "'", suggestion(kind, names));
  if (attrs.flag("from_logits", false) && !find(kind + kFromLogits))
    node.fail("from_logits=False for " + kind, "True", "Only crossentropies take logits.");
  const double smoothing = attrs.number("label_smoothing", 0);
  if (!(smoothing >= 0 && smoothing <= 1)) node.fail("label_smoothing in [0, 1]", std::to_string(smoothing));
  if (smoothing > 0 && !is_smoothed(kind))
    node.fail("label_smoothing=0 for " + kind, std::to_string(smoothing),
              "binary_crossentropy and categorical_crossentropy smooth their labels.");
  check_scored(node, loss_of(attrs).sparse);
}

LossForward loss_arguments(Build& b) {
  LossForward a{};
  const Known& loss = loss_of(b.attrs());
  const Scored axes = scored(b.spec(0));
  const double smoothing = b.attrs().number("label_smoothing", 0);
  a.pred = b.read(b.input(0));
  a.target = b.read(b.input(1));
  a.kind = loss.kind;
  a.groups = axes.groups;
  a.columns = axes.columns;
  a.target_scale = 1 - smoothing;
  a.target_shift = smoothing / (loss.classes ? double(axes.columns) : 2);
  a.value_scale = 1 / double(axes.groups * (loss.mean ? axes.columns : 1));
  a.mean = true;
  a.loss_weight = 1;
  return a;
}

const Op loss_op{"loss", infer, forward, nullptr};

}  // namespace hl
