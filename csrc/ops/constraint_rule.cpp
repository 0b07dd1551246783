#include "ops/constraint.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "ops/checks.h"

namespace hl {
namespace {

struct Known {
  ConstraintKind kind;
  const char* name;
  std::vector<std::string> attributes;
};

const std::vector<Known>& known_constraints() {
  static const std::vector<Known> list = {
#define HL_CONSTRAINT(name, Functor, ...) {ConstraintKind::name, #name, {__VA_ARGS__}},
      HL_CONSTRAINTS(HL_CONSTRAINT)
#undef HL_CONSTRAINT
  };
  return list;
}

const Known* find(const std::string& name) {
  for (const Known& known : known_constraints())
    if (name == known.name) return &known;
  return nullptr;
}

std::vector<int64_t> axes_of(const Attrs& attrs) {
  return attrs.has("axis") ? attrs.integers("axis") : std::vector<int64_t>{0};
}

// Whether the norm runs over each axis of a variable of this rank; throws nothing, an axis outside gives an empty list.
std::vector<bool> summed(const Attrs& attrs, int64_t rank) {
  std::vector<bool> over(size_t(rank), false);
  for (const int64_t axis : axes_of(attrs)) {
    const int64_t positive = axis < 0 ? axis + rank : axis;
    if (positive < 0 || positive >= rank) return {};
    over[size_t(positive)] = true;
  }
  return over;
}

NormOver over_of(const Build& b) {
  const std::vector<bool> over = summed(b.attrs(), int64_t(b.spec(0).shape.size()));
  if (over.size() != 2) return NormOver::n;  // lies as one row
  return over[0] && over[1] ? NormOver::all : over[0] ? NormOver::k : NormOver::n;
}

void infer(Infer& node) {
  const std::string kind = node.attrs().text("kind");
  const Known* known = find(kind);
  if (!known) {
    std::vector<std::string> names;
    for (const Known& each : known_constraints()) names.push_back(each.name);
    node.fail("a known kind", "'" + kind + "'", suggestion(kind, names));
  }
  for (const auto& [name, value] : node.attrs().all())
    if (std::find(known->attributes.begin(), known->attributes.end(), name) == known->attributes.end())
      node.fail("attributes of " + kind, "'" + name + "'", suggestion(name, known->attributes));
  expect_inputs(node, 1, "a variable");
  const Spec& w = node.input(0);
  if (w.batched()) node.fail("a variable", "values with a batch axis");
  for (const char* name : {"min_value", "max_value", "rate"}) {
    const double value = node.attrs().number(name, 0);
    if (!(value >= 0) || std::isinf(value))
      node.fail(std::string("a finite ") + name + " of at least 0", std::to_string(value));
  }
  if (known->kind == ConstraintKind::non_neg) return;
  const int64_t rank = int64_t(w.shape.size());
  const std::vector<bool> over = summed(node.attrs(), rank);
  if (over.size() != w.shape.size() || rank == 0)
    node.fail("an axis of " + to_string(w.shape), to_string(axes_of(node.attrs())));
  if (rank > 2 && !std::all_of(over.begin(), over.end(), [](bool each) { return each; }))
    node.fail("every axis of " + to_string(w.shape), to_string(axes_of(node.attrs())),
              "Norms over some axes are there for variables of rank 1 and 2.");
}

void emit(Build& b, Order order) {
  Constrain a{};
  a.kind = find(b.attrs().text("kind"))->kind;
  a.over = over_of(b);
  a.shape = panel_shape(b.spec(0).shape);
  a.min_value = b.attrs().number("min_value", 0);
  a.max_value = b.attrs().number("max_value", a.kind == ConstraintKind::max_norm ? 2 : 1);
  a.rate = b.attrs().number("rate", 1);
  a.w = b.update(b.input(0)).data;
  const double elements = double(a.shape.elements(b.kernels().panel_width));
  b.emit(b.kernels().constrain, a, {4 * elements, 3 * elements * size_of(b.dtype())}, order);
}

void forward(Build& b) {
  if (!b.training()) emit(b, Order::kChain);
}

void after_update(Build& b) {
  if (b.wants_grad(0)) emit(b, Order::kFinal);
}

}  // namespace

const Op constraint_op{"constraint", infer, forward, nullptr, false, nullptr, after_update};

}  // namespace hl
