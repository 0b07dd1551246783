#include "ops/metric.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "ops/loss_rule.h"

namespace hl {
namespace {

constexpr int64_t kMostBins = 1 << 20;

struct Known {
  const char* name;
  MetricKind kind;
  bool sparse;  // y_true holds class numbers
};
constexpr Known kKnown[] = {
#define HL_METRIC(name, Functor) {#name, MetricKind::name, false},
#define HL_SPARSE(name, Functor) {#name, MetricKind::name, true},
    HL_METRICS(HL_METRIC, HL_SPARSE)
#undef HL_METRIC
#undef HL_SPARSE
};

const Known* find(const std::string& name) {
  for (const Known& known : kKnown)
    if (name == known.name) return &known;
  return nullptr;
}

void infer(Infer& node) {
  const std::string kind = node.attrs().text("kind");
  if (kind == "sums" || kind == "histogram") {
    node.allow({"kind", "bins"});
    if (kind == "histogram" && (node.attrs().integer("bins") < 1 || node.attrs().integer("bins") > kMostBins))
      node.fail("1 to " + std::to_string(kMostBins) + " bins", std::to_string(node.attrs().integer("bins")));
    check_scored(node, false);
    return;
  }
  const Known* known = find(kind);
  if (known) {
    node.allow({"kind", "threshold", "k"});
    if (node.attrs().integer("k", 1) < 1) node.fail("k of at least 1", std::to_string(node.attrs().integer("k")));
    if (!std::isfinite(node.attrs().number("threshold", 0.5)))
      node.fail("a finite threshold", std::to_string(node.attrs().number("threshold", 0.5)));
    check_scored(node, known->sparse);
    return;
  }
  std::vector<std::string> names = loss_names();
  if (std::find(names.begin(), names.end(), kind) == names.end()) {
    for (const Known& metric : kKnown) names.push_back(metric.name);
    names.insert(names.end(), {"sums", "histogram"});
    node.fail("a known kind", "'" + kind + "'", suggestion(kind, names));
  }
  node.allow({"kind", "from_logits", "label_smoothing"});
  check_loss(node);
}

void emit_accuracy(Build& b, const Known& known, double* values) {
  const Scored axes = scored(b.spec(0));
  MetricUpdate a{};
  a.pred = b.read(b.input(0));
  a.target = b.read(b.input(1));
  a.values = values;
  a.groups = axes.groups;
  a.columns = axes.columns;
  a.kind = known.kind;
  a.k = b.attrs().integer("k", 1);
  a.threshold = b.attrs().number("threshold", 0.5);
  const double elements = double(b.max_rows()) * a.groups * a.columns;
  b.emit(b.kernels().metric_update, a, {2 * elements, 2 * elements * size_of(b.dtype())});
}

void emit_error(Build& b, double* values) {
  LossForward a = loss_arguments(b);
  a.values = values;
  const double elements = double(b.max_rows()) * a.groups * a.columns;
  b.emit(b.kernels().loss_forward, a, {30 * elements, 2 * elements * size_of(b.dtype())});
}

void emit_sums(Build& b) {
  MetricSums a{};
  a.value = b.read(b.input(0));
  if (b.inputs() == 3) a.weight = b.read(b.input(2));
  a.columns = b.spec(0).features();
  a.accumulator = b.accumulator(int(a.columns));
  const double elements = double(b.max_rows()) * double(a.columns);
  b.emit(b.kernels().metric_sums, a, {2 * elements, elements * size_of(b.dtype())}, Order::kDeferred);
}

void emit_histogram(Build& b) {
  MetricHistogram a{};
  a.bin = b.read(b.input(0));
  a.hit = b.read(b.input(1));
  if (b.inputs() == 3) a.weight = b.read(b.input(2));
  a.columns = b.spec(0).features();
  a.bins = b.attrs().integer("bins");
  a.accumulator = b.accumulator(2 * int(a.bins));
  const double elements = double(b.max_rows()) * double(a.columns);
  b.emit(b.kernels().metric_histogram, a, {4 * elements, 2 * elements * size_of(b.dtype())}, Order::kDeferred);
}

void forward(Build& b) {
  const std::string kind = b.attrs().text("kind");
  if (kind == "sums") return emit_sums(b);
  if (kind == "histogram") return emit_histogram(b);
  const Buf values = b.scratch({1, b.max_rows(), DType::f64});
  double* written = b.write(values).as<double>();
  if (const Known* known = find(b.attrs().text("kind"))) {
    emit_accuracy(b, *known, written);
  } else {
    emit_error(b, written);
  }
  MetricReduce r{};
  r.values = b.read(values).as<double>();
  if (b.inputs() == 3) r.weight = b.read(b.input(2));
  r.accumulator = b.accumulator();
  b.emit(b.kernels().metric_reduce, r, {2.0 * b.max_rows(), 8.0 * b.max_rows()}, Order::kDeferred);
}

}  // namespace

const Op metric_op{"metric", infer, forward, nullptr};

}  // namespace hl
