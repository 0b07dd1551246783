#include "train/slab.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "ops/compact.h"

namespace hl {

Slab::Slab(const Kernels& kernels, std::vector<VariableSpec> specs) : kernels_(kernels), specs_(std::move(specs)) {
  for (const VariableSpec& spec : specs_) {
    check_variable_shape(spec.name, spec.shape);
    Variable v;
    v.shape = panel_shape(spec.shape);
    v.dtype = spec.dtype;
    const bool compact = is_compact(spec.dtype);
    if (spec.dtype != kernels_.dtype && !(compact && spec.shape.size() == 2))
      throw ValueError("[variable '" + spec.name + "'] expected " + name_of(kernels_.dtype) +
                       ", or int8, bfloat16 or float16 with two axes, received " + name_of(spec.dtype) +
                       " of shape " + to_string(spec.shape) + ".");
    v.bytes = compact ? CompactWeights{nullptr, v.dtype, v.shape.K, v.shape.N}.bytes()
                      : v.shape.elements(kernels_.panel_width) * size_of(v.dtype);
    variables_.push_back(v);
    offsets_.push_back(bytes_);
    bytes_ += (v.bytes + kAlignment - 1) / kAlignment * kAlignment;
  }
  weights_ = Buffer(bytes_, kernels_.device);
  gradients_ = Buffer(bytes_, kernels_.device);
  for (size_t i = 0; i < specs_.size(); ++i) {
    variables_[i].weight = weights_.data() + offsets_[i];
    variables_[i].gradient = gradients_.data() + offsets_[i];
  }
}

const VariableSpec& Slab::spec(int i) const {
  if (i < 0 || size_t(i) >= specs_.size())
    throw ValueError("[trainer] expected a variable from 0 to " + std::to_string(int64_t(specs_.size()) - 1) +
                     ", received " + std::to_string(i) + ".");
  return specs_[size_t(i)];
}

void Slab::set_slots(int count) {
  while (int(slots_.size()) < count) {
    slots_.emplace_back(bytes_, kernels_.device);
    for (size_t i = 0; i < variables_.size(); ++i) variables_[i].slots.push_back(slots_.back().data() + offsets_[i]);
  }
}

void Slab::fill_slot(int slot, double value) {
  Buffer& buffer = slots_[size_t(slot)];
  const auto fill = [&](auto number) {
    using T = decltype(number);
    std::fill_n(reinterpret_cast<T*>(buffer.data()), buffer.bytes() / int64_t(sizeof(T)), number);
  };
  kernels_.dtype == DType::f32 ? fill(float(value)) : fill(value);
}

void Slab::copy_weights(int slot) { std::copy_n(weights_.data(), bytes_, slots_[size_t(slot)].data()); }

void Slab::set_rate_factors(const std::vector<double>& factors) {
  if (!factors.empty() && factors.size() != variables_.size())
    throw ValueError("[trainer] expected a rate factor for each of " + std::to_string(variables_.size()) +
                     " variables, received " + std::to_string(factors.size()) + ".");
  for (const double factor : factors)
    if (!(factor >= 0) || std::isinf(factor))
      throw ValueError("[trainer] expected finite rate factors of at least 0, received " + std::to_string(factor) +
                       ".");
  for (size_t i = 0; i < variables_.size(); ++i) variables_[i].rate_factor = factors.empty() ? 1 : factors[i];
}

void Slab::set_undecayed(const std::vector<int>& variables) {
  for (Variable& v : variables_) v.decays = true;
  for (int i : variables) {
    spec(i);
    variables_[size_t(i)].decays = false;
  }
}

void Slab::set_keep_zeros(const std::vector<int>& variables) {
  for (Variable& v : variables_) v.keeps_zeros = false;
  for (int i : variables) {
    spec(i);
    variables_[size_t(i)].keeps_zeros = true;
  }
}

void Slab::set_by_adam(const std::vector<int>& variables) {
  for (Variable& v : variables_) v.by_adam = false;
  for (int i : variables) {
    spec(i);
    variables_[size_t(i)].by_adam = true;
  }
}

void* Slab::range(Part part, int slot, int i) const {
  spec(i);
  const Variable& v = variables_[size_t(i)];
  if (part == Part::weight) return v.weight;
  if (part == Part::gradient) return v.gradient;
  if (slot < 0 || slot >= n_slots())
    throw ValueError("[trainer] expected an optimizer slot from 0 to " + std::to_string(n_slots() - 1) +
                     ", received " + std::to_string(slot) + ".");
  return v.slots[size_t(slot)];
}

void Slab::get(Part part, int slot, int i, void* matrix) const {
  unpack(i, range(part, slot, i), matrix);
}

template <class Args>
void Slab::run(const Kernel<Args>& kernel, const Args& args) const {
  if (!kernels_.device) return kernel.fn(&args, {}, {});
  const ReachableVector<RunState> state(1, Reachable<RunState>{kernels_.device});
  kernel.fn(&args, state[0], {0, 1 << 14});
  kernels_.device->wait();
}

void Slab::copy(Way way, int i, void* panels, void* matrix) const {
  const Variable& v = variables_[size_t(i)];
  if (is_compact(v.dtype))
    return run(way == Way::pack ? kernels_.compact_pack : kernels_.compact_unpack,
               CompactCopy{{panels, v.dtype, v.shape.K, v.shape.N}, matrix});
  run(way == Way::pack ? kernels_.panel_pack : kernels_.panel_unpack, PanelCopy{panels, matrix, v.shape});
}

void Slab::unpack(int i, void* panels, void* matrix) const {
  if (!kernels_.device) return copy(Way::unpack, i, panels, matrix);
  const PanelShape shape = variables_[size_t(i)].shape;
  const Buffer staging(shape.K * shape.N * size_of(dtype_of(i)), kernels_.device);
  copy(Way::unpack, i, panels, staging.data());
  std::copy_n(staging.data(), staging.bytes(), static_cast<char*>(matrix));
}

void Slab::set(Part part, int slot, int i, const void* matrix) {
  void* panels = range(part, slot, i);
  if (!kernels_.device) return copy(Way::pack, i, panels, const_cast<void*>(matrix));
  const PanelShape shape = variables_[size_t(i)].shape;
  const Buffer staging(shape.K * shape.N * size_of(dtype_of(i)), kernels_.device);
  std::copy_n(static_cast<const char*>(matrix), staging.bytes(), staging.data());
  copy(Way::pack, i, panels, staging.data());
}

}  // namespace hl
