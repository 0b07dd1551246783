// The part of the planner that rules talk to: buffers, accesses and steps; and where they end up.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "graph/planner.h"

namespace hl {
namespace {

constexpr int kForever = std::numeric_limits<int>::max();
// Up to this much activation memory (it stays in a core's second-level cache) barriers cost more than bytes: deferred
// steps run after the input-gradient chain, and no two buffers share memory, which would order steps that are free.
constexpr int64_t kSmallArena = int64_t(1) << 20;

int64_t checked_product(int64_t a, int64_t b) {
  int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product))
    throw MemoryError("[plan] a buffer of " + std::to_string(a) + " x " + std::to_string(b) +
                      " elements does not fit in memory. Use a smaller batch_size or fewer units.");
  return product;
}

// Threads of a device for a step: about one for four elements that come or go, in whole warps.
int threads_for(const Cost& cost) {
  constexpr double kLeast = 32, kMost = 1 << 18;
  return int(std::clamp(std::ceil(cost.bytes / 16 / kLeast) * kLeast, kLeast, kMost));
}

}  // namespace

Buf Planner::new_buffer(int64_t bytes, int64_t ld, void* fixed) {
  const Buf buf{int(cursor_++)};
  if (!placing_) {
    Storage storage;
    storage.bytes = bytes;
    storage.ld = ld;
    storage.fixed = fixed;
    storage_.push_back(storage);
  }
  return buf;
}

Buf Planner::matrix(Extent extent) {
  const int64_t ld = row_stride(extent.columns, size_of(extent.dtype));
  return new_buffer(checked_product(checked_product(extent.rows, ld), size_of(extent.dtype)), ld, nullptr);
}

Buf Planner::scratch(Extent extent) { return matrix(extent); }

Buf Planner::save(int slot, Extent extent) {
  Buf& buf = saved_[{node_, slot}];
  if (!buf) buf = matrix(extent);
  return buf;
}

Buf Planner::input(int i) {
  const int id = input_value(i);
  Buf& buf = values_[size_t(id)];
  if (!buf) {  // a variable at its first use; any other value was made by an earlier node
    const Variable& variable = variable_of(value(id));
    buf = new_buffer(variable.bytes, 0, variable.weight);
  }
  return buf;
}

Buf Planner::output() {
  Buf& buf = values_[size_t(node().output)];
  if (!buf) {
    const Spec& spec = output_spec();
    buf = matrix({rows_of(spec), spec.features(), spec.dtype});
  }
  return buf;
}

Buf Planner::grad_output() { return node().output < 0 ? Buf{} : gradients_[size_t(node().output)]; }

bool Planner::wants_grad(int i) const { return needs_grad_[size_t(input_value(i))]; }

Buf Planner::grad_input(int i) {
  Buf& buf = contributions_[i];
  if (buf) return buf;
  const Value& v = value(input_value(i));
  if (v.variable < 0) {
    buf = matrix({rows_of(v.spec), v.spec.features(), dtype()});
  } else {
    const Variable& variable = variable_of(v);
    bool first = !gradients_[size_t(input_value(i))];
    for (const auto& [other, contribution] : contributions_)
      first = first && (other == i || input_value(other) != input_value(i));
    buf = new_buffer(variable.bytes, 0, first ? variable.gradient : nullptr);
  }
  return buf;
}

double* Planner::accumulator(int rows) {
  const auto [place, first] = accumulator_of_.emplace(node_, accumulator_rows_);
  if (first) accumulator_rows_ += rows;
  return placing_ ? plan_.accumulators_.data() + 4 * place->second : nullptr;
}

double* Planner::input_accumulator(int i) {
  return placing_ ? plan_.accumulators_.data() + 4 * accumulator_of_.at(value(input_value(i)).node) : nullptr;
}

const double* Planner::numbers(const std::string& attribute) {
  if (!placing_) return nullptr;
  const std::vector<double>& values = attrs().numbers(attribute);
  plan_.numbers_.emplace_back(values.begin(), values.end(), Reachable<double>{kernels_.device});
  return plan_.numbers_.back().data();
}

const int64_t* Planner::integers(const std::string& attribute) {
  if (!placing_) return nullptr;
  const std::vector<int64_t> values = attrs().integers(attribute);
  plan_.integers_.emplace_back(values.begin(), values.end(), Reachable<int64_t>{kernels_.device});
  return plan_.integers_.back().data();
}

Source* Planner::source() {
  const int index = source_of_.emplace(node_, int(source_of_.size())).first->second;
  return placing_ ? &plan_.sources_[size_t(index)] : nullptr;
}

Upcoming Planner::upcoming() {
  if (fetched_ == source_of_.size()) return {};
  auto input = source_of_.begin();
  while (input->second != int(fetched_)) ++input;
  ++fetched_;
  const Node& node = plan_.graph_.nodes()[size_t(input->first)];
  return {placing_ ? &plan_.sources_[size_t(input->second)] : nullptr, value(node.output).spec.features()};
}

Sink* Planner::sink() {
  const int index = sink_of_.emplace(node_, int(sink_of_.size())).first->second;
  return placing_ ? &plan_.sinks_[size_t(index)] : nullptr;
}

void Planner::alias_output(Buf from) { values_[size_t(node().output)] = from; }

void Planner::alias_grad_input(int i, Buf from) { contributions_[i] = from; }

bool Planner::take_activation(int i, Activation* activation) {
  const int id = input_value(i);
  const Value& v = value(id);
  if (v.node < 0 || gradient_users_[size_t(id)] != 1) return false;
  const Node& below_node = plan_.graph_.nodes()[size_t(v.node)];
  const Attrs& below = below_node.attrs;
  if (!below_node.op->activates || !below.has("activation")) return false;
  *activation = {activation_from(below.text("activation")), below.number("alpha", 0)};
  preactivation_[size_t(id)] = true;
  return true;
}

bool Planner::grad_is_preactivation() const { return preactivation_[size_t(node().output)]; }

void* Planner::address(const Storage& storage) const {
  if (storage.fixed) return storage.fixed;
  return placing_ ? plan_.arena_.data() + storage.life.offset : nullptr;
}

Tensor Planner::access(Buf buf, bool writes) {
  const Storage& storage = storage_[size_t(buf.id)];
  accesses_.push_back({buf.id, writes});
  return {address(storage), storage.ld};
}

bool Planner::is_fixed(Order order) const {
  if (plan_.options_.samples) return !varies_[size_t(node_)];
  return plan_.options_.resumable && in_forward_ && node_ <= last_output_ && order == Order::kChain;
}

void Planner::step(const char* kernel, StepFn fn, const void* args, size_t size, size_t, Cost cost, Order order) {
  Record record;
  record.order = order;
  record.accesses = std::move(accesses_);
  accesses_.clear();
  record.step = {fn, nullptr, kernel, node_, false, is_fixed(order), order >= Order::kUpdate, cost, 0, {}, 0};
  if (placing_) {
    plan_.args_.emplace_back((size + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t));
    std::memcpy(plan_.args_.back().data(), args, size);
    record.step.args = plan_.args_.back().data();
    if (in_forward_ && node_ >= 0 && node().output >= 0 && output_spec().dtype == dtype() && output_spec().batched()) {
      const Buf out = values_[size_t(node().output)];
      for (const Access& a : record.accesses)
        if (out && a.writes && a.buffer == out.id) {
          record.step.output = {address(storage_[size_t(out.id)]), storage_[size_t(out.id)].ld};
          record.step.features = output_spec().features();
        }
    }
  }
  records_.push_back(std::move(record));
}

std::vector<size_t> Planner::order_of_steps() const {
  std::vector<size_t> order(records_.size());
  std::iota(order.begin(), order.end(), size_t(0));
  const auto rank = [&](size_t i) {
    if (records_[i].order >= Order::kUpdate) return records_[i].order == Order::kUpdate ? 2 : 3;
    return small_ && records_[i].order == Order::kDeferred ? 1 : 0;
  };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return rank(a) < rank(b); });
  return order;
}

int64_t Planner::place_in_order(const std::vector<size_t>& order) {
  for (Storage& storage : storage_) storage.life = {storage.fixed ? 0 : storage.bytes, kForever, -1, 0};
  for (size_t position = 0; position < order.size(); ++position)
    for (const Access& a : records_[order[position]].accesses) {
      Lifetime& life = storage_[size_t(a.buffer)].life;
      life.first = std::min(life.first, int(position));
      life.last = std::max(life.last, int(position));
    }
  for (int id : kept_) storage_[size_t(id)].life.last = kForever;
  if (plan_.options_.samples || plan_.options_.resumable) keep_what_is_fixed();
  std::vector<Lifetime> lives;
  for (const Storage& storage : storage_) {
    lives.push_back(storage.life);
    if (small_ && storage.life.last >= 0) lives.back().last = kForever;
  }
  const int64_t bytes = place(lives);
  for (size_t i = 0; i < storage_.size(); ++i) storage_[i].life = lives[i];
  return bytes;
}

// Whatever fixed steps leave to the others lies where nothing else ever does.
void Planner::keep_what_is_fixed() {
  std::vector<bool> made(storage_.size(), false);
  for (const Record& record : records_)
    for (const Access& a : record.accesses) {
      if (record.step.fixed) made[size_t(a.buffer)] = true;
      if (!record.step.fixed && made[size_t(a.buffer)]) {
        storage_[size_t(a.buffer)].life.first = 0;
        storage_[size_t(a.buffer)].life.last = kForever;
      }
    }
}

void Planner::place_buffers() {
  small_ = true;
  int64_t bytes = place_in_order(order_of_steps());
  if (bytes > kSmallArena) {
    small_ = false;
    bytes = place_in_order(order_of_steps());
  }
  plan_.arena_ = Buffer(bytes, kernels_.device, plan_.options_.account);
}

bool Planner::conflicts(const std::vector<Access>& before, const std::vector<Access>& now) const {
  const auto begin = [&](const Access& a) { return static_cast<char*>(address(storage_[size_t(a.buffer)])); };
  for (const Access& a : before)
    for (const Access& b : now) {
      if (!a.writes && !b.writes) continue;
      if (begin(a) < begin(b) + storage_[size_t(b.buffer)].bytes && begin(b) < begin(a) + storage_[size_t(a.buffer)].bytes)
        return true;
    }
  return false;
}

// Final order, and a barrier before each step that needs what others wrote since the last one (or would overwrite
// what they still read).
void Planner::finish() {
  std::vector<Access> since_barrier;
  for (size_t i : order_of_steps()) {
    Record& record = records_[i];
    if (conflicts(since_barrier, record.accesses)) {
      record.step.barrier = true;
      since_barrier.clear();
    }
    double bytes = 0;
    for (const Access& a : record.accesses) {
      since_barrier.push_back(a);
      const Storage& storage = storage_[size_t(a.buffer)];
      bytes += double(storage.bytes);
      for (const Variable& v : variables_)
        if (a.writes && storage.fixed && (storage.fixed == v.weight || storage.fixed == v.gradient)) plan_.updates_variables_ = true;
    }
    if (record.step.cost.bytes == 0) record.step.cost.bytes = bytes;
    plan_.seconds_ += std::max(record.step.cost.flops / 5e10, record.step.cost.bytes / 5e10);
    record.step.threads = threads_for(record.step.cost);
    plan_.steps_.push_back(record.step);
  }
}

}  // namespace hl
