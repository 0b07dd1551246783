#include "ops/gather.h"

#include "core/error.h"
#include "ops/checks.h"

namespace hl {
namespace {

void input_infer(Infer& node) {
  node.allow({"shape", "dtype"});
  expect_inputs(node, 0, "no inputs");
  const DType dtype = dtype_from(node.attrs().text("dtype"));
  if (dtype != node.dtype() && dtype != DType::i32)
    node.fail(std::string(name_of(node.dtype())) + " or int32", name_of(dtype),
              "Arrays of every other dtype are converted to it while batches are gathered.");
  node.output({batch_shape(node), dtype});
}

void input_forward(Build& b) {
  GatherRows a{};
  a.source = b.source();
  a.dst = b.write(b.output());
  a.features = b.output_spec().features();
  a.labels = b.output_spec().dtype == DType::i32;
  const double elements = double(b.max_rows()) * a.features;
  b.emit(b.kernels().gather_rows, a, {0, 2 * elements * size_of(b.output_spec().dtype)});
}

void output_infer(Infer& node) {
  node.allow({});
  expect_inputs(node, 1, "one input");
  batched_float(node, 0);
}

void output_forward(Build& b) {
  ScatterRows a{};
  a.src = b.read(b.input(0));
  a.sink = b.sink();
  a.features = b.spec(0).features();
  b.emit(b.kernels().scatter_rows, a, {0, 2.0 * b.max_rows() * a.features * size_of(b.dtype())});
}

std::string mode_of(const Attrs& attrs) { return attrs.text("mode", "multi_hot"); }

// One vector a code (one_hot), or one for all codes of the last axis.
Shape one_hot_shape(const Shape& codes, int64_t tokens, const std::string& mode) {
  Shape shape = codes;
  if (shape.size() > 1 && (mode != "one_hot" || shape.back() == 1)) shape.pop_back();
  shape.push_back(tokens);
  return shape;
}

void one_hot_infer(Infer& node) {
  node.allow({"num_tokens", "mode"});
  const Attrs& attrs = node.attrs();
  expect_inputs(node, 1, "one input");
  const Spec& x = node.input(0);
  if (!x.batched() || x.dtype != DType::i32)
    node.fail("a batch of int32 codes", std::string(name_of(x.dtype)) + " of shape " + to_string(x.shape),
              "Declare the input with dtype='int32'.");
  const int64_t tokens = attrs.integer("num_tokens");
  if (tokens < 1) node.fail("num_tokens of at least 1", std::to_string(tokens));
  const std::string mode = mode_of(attrs);
  if (mode != "one_hot" && mode != "multi_hot" && mode != "count")
    node.fail("mode 'one_hot', 'multi_hot' or 'count'", "'" + mode + "'",
              suggestion(mode, {"one_hot", "multi_hot", "count"}));
  node.output({one_hot_shape(x.shape, tokens, mode), node.dtype()});
}

void one_hot_forward(Build& b) {
  OneHot a{};
  a.x = b.read(b.input(0));
  a.y = b.write(b.output());
  a.tokens = b.attrs().integer("num_tokens");
  a.groups = b.output_spec().features() / a.tokens;
  a.codes = a.groups ? b.spec(0).features() / a.groups : 0;
  a.count = mode_of(b.attrs()) == "count";
  const double bytes = 4.0 * b.spec(0).features() + double(size_of(b.dtype())) * b.output_spec().features();
  b.emit(b.kernels().one_hot, a, {0, double(b.max_rows()) * bytes});
}

}  // namespace

const Op input_op{"input", input_infer, input_forward, nullptr};
const Op output_op{"output", output_infer, output_forward, nullptr};
const Op one_hot_op{"one_hot", one_hot_infer, one_hot_forward, nullptr};

}  // namespace hl
