#include "ops/merge.h"

#include "ops/checks.h"

namespace hl {
namespace {

void infer_add(Infer& node) {
  node.allow({});
  if (node.inputs() < 1) node.fail("at least one input", "none");
  const Spec& x = batched_float(node, 0);
  for (int i = 1; i < node.inputs(); ++i)
    if (batched_float(node, i).shape != x.shape)
      node.fail("inputs of one shape, " + to_string(x.shape), to_string(node.input(i).shape) + " as input " +
                std::to_string(i), "Bring them to one width with a Dense layer, or use Concatenate.");
  node.output(x);
}

void forward_add(Build& b) {
  if (b.inputs() == 1) return b.alias_output(b.input(0));
  AddRows a{};
  a.features = b.output_spec().features();
  const double elements = double(b.max_rows()) * a.features;
  for (int i = 1; i < b.inputs(); ++i) {
    a.b = b.read(b.input(i));
    if (i == 1) {
      a.a = b.read(b.input(0));
      a.y = b.write(b.output());
    } else {
      a.a = a.y = b.update(b.output());
    }
    b.emit(b.kernels().add, a, {elements, 3 * elements * size_of(b.dtype())});
  }
}

void backward_add(Build& b) {
  for (int i = 0; i < b.inputs(); ++i)
    if (b.wants_grad(i)) b.alias_grad_input(i, b.grad_output());
}

void infer_concatenate(Infer& node) {
  node.allow({"axis"});
  if (node.inputs() < 1) node.fail("at least one input", "none");
  Spec joined = batched_float(node, 0);
  const size_t axis = feature_axis(node, joined.shape, node.attrs().integer("axis", -1));
  for (int i = 1; i < node.inputs(); ++i) {
    Shape shape = batched_float(node, i).shape;
    const int64_t size = shape.size() == joined.shape.size() ? shape[axis] : 0;
    if (shape.size() == joined.shape.size()) shape[axis] = joined.shape[axis];
    if (shape != joined.shape)
      node.fail("inputs that differ from " + to_string(node.input(0).shape) + " only on axis " + std::to_string(axis),
                to_string(node.input(i).shape) + " as input " + std::to_string(i));
    joined.shape[axis] += size;
  }
  node.output(joined);
}

// The blocks of input i, one for each element of the axes before the joined one, and where they stand in the output.
CopyBlocks blocks_of(const Build& b, int i, int64_t before) {
  const int64_t axis = b.attrs().integer("axis", -1);
  const AxisView part = view_axis(b.spec(i).shape, axis), whole = view_axis(b.output_spec().shape, axis);
  CopyBlocks c{};
  c.blocks = part.outer;
  c.width = c.src_block = part.size * part.inner;
  c.dst_block = whole.size * whole.inner;
  c.dst_offset = before;
  return c;
}

void forward_concatenate(Build& b) {
  if (b.inputs() == 1) return b.alias_output(b.input(0));
  int64_t before = 0;
  for (int i = 0; i < b.inputs(); ++i) {
    CopyBlocks c = blocks_of(b, i, before);
    before += c.width;
    c.src = b.read(b.input(i));
    c.dst = b.write(b.output());
    b.emit(b.kernels().copy_blocks, c, {0, 2.0 * b.max_rows() * c.blocks * c.width * size_of(b.dtype())});
  }
}

void backward_concatenate(Build& b) {
  if (b.inputs() == 1 && b.wants_grad(0)) return b.alias_grad_input(0, b.grad_output());
  int64_t before = 0;
  for (int i = 0; i < b.inputs(); ++i) {
    CopyBlocks c = blocks_of(b, i, before);
    before += c.width;
    if (!b.wants_grad(i)) continue;
    std::swap(c.src_block, c.dst_block);
    std::swap(c.src_offset, c.dst_offset);
    c.src = b.read(b.grad_output());
    c.dst = b.write(b.grad_input(i));
    b.emit(b.kernels().copy_blocks, c, {0, 2.0 * b.max_rows() * c.blocks * c.width * size_of(b.dtype())});
  }
}

}  // namespace

const Op add_op{"add", infer_add, forward_add, backward_add};
const Op concatenate_op{"concatenate", infer_concatenate, forward_concatenate, backward_concatenate};

}  // namespace hl
