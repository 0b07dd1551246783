#include "ops/dense.h"

#include "core/error.h"
#include "core/philox.h"
#include "ops/op.h"
#include "ops/rules.h"

namespace hl {
namespace {

double drop_rate(const Attrs& attrs) { return attrs.number("drop_rate", 0); }
bool transposed(const Attrs& attrs) { return attrs.flag("transposed", false); }

// The matrix (K,N) that x is multiplied with: w, or w^T.
PanelShape factor_shape(Build& b) {
  const PanelShape w = panel_shape(b.spec(1).shape);
  return transposed(b.attrs()) ? PanelShape{w.N, w.K} : w;
}

void infer(Infer& node) {
  node.allow({"activation", "alpha", "drop_rate", "stream", "transposed"});
  if (node.inputs() < 2 || node.inputs() > 3)
    node.fail("x, w and perhaps b", std::to_string(node.inputs()) + " inputs");
  const Spec& x = node.input(0);
  const int64_t N = check_product(node, x, node.input(1), transposed(node.attrs()));
  if (node.inputs() == 3 && node.input(2).shape != Shape{N})
    node.fail("a bias of shape " + to_string(Shape{N}), to_string(node.input(2).shape));
  activation_of(node.attrs());
  const double rate = drop_rate(node.attrs());
  if (!(rate >= 0 && rate <= 1)) node.fail("a drop_rate from 0 to 1", std::to_string(rate));
  const int64_t stream = node.attrs().integer("stream", 0);
  if (stream < 0 || stream >= kMostStreams) node.fail("a stream from 0 to 2**29 - 1", std::to_string(stream));
  Shape shape = x.shape;
  shape.back() = N;
  node.output({shape, x.dtype});
}

// DropConnect: dst = src with the mask of the step.
void drop(Build& b, Tensor src, Tensor dst, Order order) {
  DropWeights d{};
  d.src = src.data;
  d.dst = dst.data;
  d.shape = panel_shape(b.spec(1).shape);
  d.last_dropped = last_dropped(drop_rate(b.attrs()));
  d.stream = b.attrs().integer("stream", 0);
  d.scale = 1 / (1 - drop_rate(b.attrs()));
  const double elements = double(d.shape.K) * d.shape.N;
  b.emit(b.kernels().drop_weights, d, {30 * elements, 2 * elements * size_of(b.dtype())}, order);
}

Buf transpose(Build& b, Buf w, Buf wt) {
  PanelTranspose t{};
  t.shape = panel_shape(b.spec(1).shape);
  t.src = b.read(w).data;
  t.dst = b.write(wt).data;
  b.emit(b.kernels().panel_transpose, t, {0, 2.0 * size_of(b.dtype()) * double(t.shape.K) * double(t.shape.N)});
  return wt;
}

bool is_made(const Build& b) { return !b.is_variable(1); }  // by the graph, as rows

// The weights as they lie.
Buf weights(Build& b) {
  if (drop_rate(b.attrs()) == 0 && !is_made(b)) return b.input(1);
  return b.save(0, {1, panel_shape(b.spec(1).shape).elements(b.kernels().panel_width), b.dtype()});
}

// The panels of w^T, for a product by it.
Buf transposed_weights(Build& b) {
  const Shape& w = b.spec(1).shape;
  return b.save(1, {1, PanelShape{w[1], w[0]}.elements(b.kernels().panel_width), b.dtype()});
}

void forward(Build& b) {
  DenseForward a{};
  const Spec& w = b.spec(1);
  const PanelShape factor = factor_shape(b);
  if (is_made(b)) {
    const PanelCopy copy{b.write(weights(b)).data, b.read(b.input(1)).data, panel_shape(w.shape)};
    b.emit(b.kernels().panel_pack, copy);
  }
  if (drop_rate(b.attrs()) > 0) {
    const Tensor dst = is_made(b) ? b.update(weights(b)) : b.write(weights(b));
    drop(b, is_made(b) ? dst : b.read(b.input(1)), dst, Order::kChain);
  }
  const Buf seen = transposed(b.attrs()) ? transpose(b, weights(b), transposed_weights(b)) : weights(b);
  a.K = factor.K;
  a.N = factor.N;
  a.activation = activation_of(b.attrs());
  const Rows x = split_rows(b, b.input(0), b.spec(0));
  const Rows y = rows_for_output(b, b.output(), b.output_spec());
  a.rows_per_sample = x.per_sample;
  a.x = b.read(x.buf);
  a.x.ld = x.ld;
  a.w = b.read(seen).data;
  a.b = b.inputs() == 3 ? b.read(b.input(2)).data : nullptr;
  a.y = b.write(y.buf);
  a.y.ld = y.ld;
  a.next = b.upcoming();
  const double m = double(b.max_rows() * x.per_sample), kn = double(a.K) * a.N;
  const double e = size_of(b.dtype());
  b.emit(b.kernels().dense_forward, a, {2 * m * kn, e * (m * a.K + kn + m * a.N)});
  join_rows(b, y, b.output(), b.output_spec());
}

// Few rows: the update is part of the product, where nobody else has a say in it.
bool update_in_place(Build& b, const Rows& x, const Rows& dz, Cost cost) {
  if (b.max_rows() * x.per_sample > kUpdateRows || drop_rate(b.attrs()) > 0 || is_made(b)) return false;
  if (transposed(b.attrs())) return false;
  DenseUpdateParams a{};
  std::optional<Optimizer> rule;
  for (int i = 1; i < b.inputs(); ++i) {
    if (!b.wants_grad(i)) continue;
    const std::optional<Optimizer> mine = b.updater(i);
    if (!mine || (rule && rule->rate_factor != mine->rate_factor)) return false;
    rule = mine;
  }
  a.optimizer = *rule;
  if (b.wants_grad(1)) a.w = b.take_variable(1);
  if (b.inputs() == 3 && b.wants_grad(2)) a.b = b.take_variable(2);
  a.rows_per_sample = x.per_sample;
  a.x = b.read(x.buf);
  a.x.ld = x.ld;
  a.dz = b.read(dz.buf);
  a.dz.ld = dz.ld;
  b.emit(b.kernels().dense_update_params, a, cost, Order::kDeferred);
  return true;
}

void backward(Build& b) {
  const Spec& w = b.spec(1);
  const bool turned = transposed(b.attrs());
  const int64_t K = factor_shape(b).K, N = factor_shape(b).N;
  const Rows dz = split_rows(b, preactivation_gradient(b), b.output_spec());
  const double m = double(b.max_rows() * dz.per_sample), kn = double(K) * N, e = size_of(b.dtype());

  if (b.wants_grad(0)) {
    Buf wt = turned ? weights(b) : Buf{};
    if (!turned && b.max_rows() * dz.per_sample > kFewRows)
      wt = transpose(b, weights(b), b.scratch({1, PanelShape{N, K}.elements(b.kernels().panel_width), b.dtype()}));

    DenseBackwardInput a{};
    a.K = K;
    a.N = N;
    a.rows_per_sample = dz.per_sample;
    const bool whole = dz.per_sample == 1;  // the activation below is laid out like dx only then
    if (whole && b.take_activation(0, &a.below)) {
      a.x = b.read(b.input(0));
    }
    const Rows dx = rows_for_output(b, b.grad_input(0), b.spec(0));
    a.dz = b.read(dz.buf);
    a.dz.ld = dz.ld;
    a.w = b.read(turned ? transposed_weights(b) : weights(b)).data;
    a.wt = wt ? b.read(wt).data : nullptr;
    a.dx = b.write(dx.buf);
    a.dx.ld = dx.ld;
    b.emit(b.kernels().dense_backward_input, a, {2 * m * kn, e * (m * K + kn + m * N)});
    join_rows(b, dx, b.grad_input(0), b.spec(0));
  }
  const bool has_bias = b.inputs() == 3;
  if (b.wants_grad(1) || (has_bias && b.wants_grad(2))) {
    const Rows x = split_rows(b, b.input(0), b.spec(0));
    const Cost cost{2 * m * kn, e * (m * K + kn + m * N)};
    if (update_in_place(b, x, dz, cost)) return;
    DenseBackwardParams a{};
    a.K = K;
    a.N = N;
    a.rows_per_sample = x.per_sample;
    a.x = b.read(x.buf);
    a.x.ld = x.ld;
    a.dz = b.read(dz.buf);
    a.dz.ld = dz.ld;
    const bool unpacks = is_made(b) && b.wants_grad(1);
    const bool alone = unpacks || drop_rate(b.attrs()) > 0;
    Buf dw = b.wants_grad(1) && !alone ? b.sent_gradient(1) : Buf{};
    a.adds_dw = bool(dw);
    if (!dw && b.wants_grad(1) && !unpacks) dw = b.grad_input(1);
    if (unpacks) dw = b.scratch({1, panel_shape(w.shape).elements(b.kernels().panel_width), b.dtype()});
    Buf db = has_bias && b.wants_grad(2) && b.is_variable(2) ? b.sent_gradient(2) : Buf{};
    a.adds_db = bool(db);
    if (!db && has_bias && b.wants_grad(2)) db = b.grad_input(2);
    a.db = db ? b.write(db).data : nullptr;
    if (turned && a.db) b.emit(b.kernels().dense_backward_params, a, {m * N, e * m * N}, Order::kDeferred);
    if (turned) {  // the gradient of w (N,K) is dz^T x
      a = DenseBackwardParams{b.read(dz.buf), b.read(x.buf), nullptr, nullptr, N, K, x.per_sample, a.adds_dw, false};
      a.x.ld = dz.ld;
      a.dz.ld = x.ld;
    }
    a.dw = dw ? b.write(dw).data : nullptr;
    if (a.dw || !turned)
      b.emit(b.kernels().dense_backward_params, a, cost, unpacks ? Order::kChain : Order::kDeferred);
    const Order order = unpacks ? Order::kChain : Order::kDeferred;
    if (drop_rate(b.attrs()) > 0 && dw) {
      const Tensor dropped = b.update(dw);
      drop(b, dropped, dropped, order);
    }
    if (unpacks) {
      const PanelCopy copy{b.read(dw).data, b.write(b.grad_input(1)).data, panel_shape(w.shape)};
      b.emit(b.kernels().panel_unpack, copy);
    }
  }
}

}  // namespace

const Op dense_op{"dense", infer, forward, backward, true};

}  // namespace hl
