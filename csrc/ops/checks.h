// What several infer functions ask of their inputs, in one wording.
#pragma once
#include <string>

#include "ops/op.h"

namespace hl {

inline void expect_inputs(const Infer& node, int count, const std::string& names) {
  if (node.inputs() != count)
    node.fail(std::to_string(count) + (count == 1 ? " input (" : " inputs (") + names + ")",
              std::to_string(node.inputs()));
}

// Input i as a batched value of the arithmetic's type.
inline const Spec& batched_float(const Infer& node, int i) {
  const Spec& x = node.input(i);
  if (!x.batched())
    node.fail("input " + std::to_string(i) + " with a batch axis", to_string(x.shape), "Variables have none.");
  if (x.dtype != DType::f32 && x.dtype != DType::f64)
    node.fail("float values", name_of(x.dtype), "Declare the input as float32 or float64, or encode its categories.");
  return x;
}

// Input i of the arithmetic's type, with a batch axis or made of weights alone.
inline const Spec& any_float(const Infer& node, int i) {
  return node.input(i).batched() || node.input(i).dtype != node.dtype() ? batched_float(node, i) : node.input(i);
}

// Attribute `shape`, of one sample, behind the batch axis; or of a value without one.
inline Shape batch_shape(const Infer& node, bool batched = true) {
  Shape shape;
  if (batched) shape.push_back(kBatch);
  for (int64_t axis : node.attrs().integers("shape")) {
    if (axis < 0) node.fail("a shape with every axis known", to_string(node.attrs().integers("shape")));
    shape.push_back(axis);
  }
  return shape;
}

// Attribute `axis` of the full shape as 1 .. rank - 1.
inline size_t feature_axis(const Infer& node, const Shape& shape, int64_t axis) {
  const int64_t rank = int64_t(shape.size());
  const int64_t positive = axis < 0 ? axis + rank : axis;
  if (positive < 1 || positive >= rank)
    node.fail("an axis of " + to_string(shape) + " that is not the batch axis", std::to_string(axis),
              rank < 2    ? "Reshape the input to at least two axes."
              : rank == 2 ? "Use 1 or -1."
                          : "Use 1 .. " + std::to_string(rank - 1) + ", or " + std::to_string(1 - rank) +
                                " .. -1 counted from the end.");
  return size_t(positive);
}

// One axis of a sample's features: element (o, i, j) of (outer, size, inner) is at (o * size + i) * inner + j.
struct AxisView {
  int64_t outer = 1, size = 1, inner = 1;
};

inline AxisView view_axis(const Shape& shape, int64_t axis) {
  const size_t at = size_t(axis < 0 ? axis + int64_t(shape.size()) : axis);
  AxisView view;
  view.size = shape[at];
  for (size_t i = 1; i < shape.size(); ++i) (i < at ? view.outer : view.inner) *= i == at ? 1 : shape[i];
  return view;
}

}  // namespace hl
