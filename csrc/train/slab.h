// Slab: all variables of a trainer in flat buffers of one layout: weights, gradients, optimizer slots. A variable is
// a range, the same in each; outside it is canonical row-major, and the row packs and unpacks.
#pragma once
#include <string>
#include <vector>

#include "core/buffer.h"
#include "graph/plan.h"

namespace hl {

struct VariableSpec {
  std::string name;
  Shape shape;
  DType dtype;  // in which it is stored: the row's, or a compact one (ops/compact.h)
};

class Slab {
 public:
  Slab(const Kernels& kernels, std::vector<VariableSpec> specs);

  const std::vector<Variable>& variables() const { return variables_; }
  const VariableSpec& spec(int i) const;
  DType dtype_of(int i) const { return spec(i).dtype == DType::i8 ? DType::i8 : kernels_.dtype; }  // of copies
  int n_slots() const { return int(slots_.size()); }
  int64_t bytes() const { return bytes_; }  // of the weights; of the gradients and of each slot too
  // Allocates zeroed slots; those there already are kept, and stay where they are.
  void set_slots(int count);
  void fill_slot(int slot, double value);
  void copy_weights(int slot);  // into the slot
  // Weight decay leaves these alone, and no others.
  void set_undecayed(const std::vector<int>& variables);
  // What is zero in these, and in no others, stays so.
  void set_keep_zeros(const std::vector<int>& variables);
  // Muon leaves these, and no others, to adam.
  void set_by_adam(const std::vector<int>& variables);
  // Of the learning rate, one a variable; none: 1 for all.
  void set_rate_factors(const std::vector<double>& factors);

  // Canonical row-major copies, element_count(shape) elements: of int8 where that is how it is stored, else of the slab's
  // dtype.
  enum class Part { weight, gradient, slot };
  void get(Part part, int slot, int i, void* matrix) const;
  void set(Part part, int slot, int i, const void* matrix);
  // The same from panels of variable i that lie anywhere.
  void unpack(int i, void* panels, void* matrix) const;

 private:
  void* range(Part part, int slot, int i) const;
  enum class Way { pack, unpack };
  void copy(Way way, int i, void* panels, void* matrix) const;
  template <class Args>
  void run(const Kernel<Args>& kernel, const Args& args) const;

  const Kernels& kernels_;
  std::vector<VariableSpec> specs_;
  std::vector<int64_t> offsets_;  // bytes
  int64_t bytes_ = 0;
  Buffer weights_, gradients_;
  std::vector<Buffer> slots_;
  std::vector<Variable> variables_;
};

}  // namespace hl
