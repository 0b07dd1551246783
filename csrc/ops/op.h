// Op: a rule, and all that a rule may call. Rules are device-free: they read shapes, ask for buffers and name
// kernels; addresses, order and memory are the plan's business.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "ops/kernels.h"

namespace hl {

// Attributes of a node: small named constants, checked when the node is added.
class Attrs {
 public:
  using Value = std::variant<bool, int64_t, double, std::string, std::vector<int64_t>, std::vector<double>>;

  void set(const std::string& name, Value value) { values_[name] = std::move(value); }
  bool has(const std::string& name) const { return values_.count(name) != 0; }
  // A missing name, or one of another type, throws; with a fallback only another type does.
  bool flag(const std::string& name, bool fallback) const;
  int64_t integer(const std::string& name) const;
  int64_t integer(const std::string& name, int64_t fallback) const;
  double number(const std::string& name) const;
  double number(const std::string& name, double fallback) const;
  std::string text(const std::string& name) const;
  std::string text(const std::string& name, const std::string& fallback) const;
  std::vector<int64_t> integers(const std::string& name) const;
  const std::vector<double>& numbers(const std::string& name) const;
  const std::map<std::string, Value>& all() const { return values_; }

 private:
  std::map<std::string, Value> values_;
};

struct Spec {
  Shape shape;  // batched values start with kBatch; variables, and what is computed from them alone, do not
  DType dtype = DType::f32;

  bool batched() const { return !shape.empty() && shape[0] == kBatch; }
  int64_t features() const { return element_count(shape); }  // elements of one row, or of the variable
};

// What shape inference sees. It checks everything about the node and names the output.
class Infer {
 public:
  virtual ~Infer() = default;
  virtual const Attrs& attrs() const = 0;
  virtual DType dtype() const = 0;  // of the graph's arithmetic
  virtual int inputs() const = 0;
  virtual const Spec& input(int i) const = 0;
  virtual void output(const Spec& spec) = 0;  // not called: the node has no output (a loss, a metric)
  // Refuses attributes that are not in the list, with a suggestion.
  virtual void allow(std::initializer_list<const char*> names) const = 0;
  // Throws ValueError "[op 'layer'] expected ..., received .... hint".
  [[noreturn]] virtual void fail(const std::string& expected, const std::string& received,
                                 const std::string& hint = "") const = 0;
};

// A buffer of the plan: a value, a gradient, a variable's range in a slab, scratch.
struct Buf {
  int id = -1;
  explicit operator bool() const { return id >= 0; }
};

struct Extent {
  int64_t rows;      // of the largest batch
  int64_t columns;
  DType dtype;
};

struct Cost {
  double flops = 0;
  double bytes = 0;
};

// Some results nobody needs before the update, or the end of the batch: weight gradients, sums for the log. The plan
// may run these steps after the whole input-gradient chain, where no barrier stands between them. Then comes the
// update, and final steps after it; both are left out in batches that only add to the gradients of a later one.
enum class Order { kChain, kDeferred, kUpdate, kFinal };

// What a rule's forward and backward may call. Both run twice with the same calls: once to measure, once with
// final addresses. `read`, `write` and `update` give a buffer's view and note the access for the next `emit`.
class Build {
 public:
  virtual ~Build() = default;

  // The node.
  virtual const Attrs& attrs() const = 0;
  virtual int inputs() const = 0;
  virtual const Spec& spec(int input) const = 0;
  virtual bool is_variable(int input) const = 0;  // its buffer is panels (ops/gemm.h)
  virtual const Spec& output_spec() const = 0;
  virtual bool training() const = 0;
  virtual int64_t max_rows() const = 0;
  virtual DType dtype() const = 0;             // of the arithmetic
  virtual const Kernels& kernels() const = 0;  // the row

  // Buffers. A missing gradient (nothing downstream needs it) is an empty Buf.
  virtual Buf input(int i) = 0;
  virtual Buf output() = 0;
  virtual Buf grad_output() = 0;
  virtual bool wants_grad(int i) const = 0;
  virtual Buf grad_input(int i) = 0;               // written whole by the rule, never added to
  virtual Buf save(int slot, Extent extent) = 0;   // the same buffer in forward and backward
  virtual Buf scratch(Extent extent) = 0;          // for this rule call alone
  // Four doubles that live as long as the plan: total, count, value of the last batch, first step whose value
  // was not finite (-1: none). One per loss or metric node, `rows` of them for a metric of several sums.
  virtual double* accumulator(int rows = 1) = 0;
  virtual double* input_accumulator(int i) = 0;  // that of the node which made input i
  virtual const double* numbers(const std::string& attribute) = 0;  // of the node, where kernels reach them
  virtual const int64_t* integers(const std::string& attribute) = 0;
  virtual Source* source() = 0;  // of an input node
  // An input of the graph whose next batch no step brings nearer yet; the caller's kernel does it from now on.
  virtual Upcoming upcoming() = 0;
  virtual Sink* sink() = 0;      // of an output node

  // No work: the output, or an input's gradient, is this buffer under another shape.
  virtual void alias_output(Buf from) = 0;
  virtual void alias_grad_input(int i, Buf from) = 0;

  // What others have sent input i, a variable, until now (before the update: all of its gradient), to be added to in
  // place of grad_input(i); empty if nobody did.
  virtual Buf sent_gradient(int i) = 0;

  // An activation that made input i (one that is fused into its node) may be differentiated by whoever makes that input's
  // gradient. A rule that can do so calls `take_activation` in backward and, if true, delivers grad_input(i)
  // already multiplied by the derivative. The node below then sees `grad_is_preactivation`.
  virtual bool take_activation(int i, Activation* activation) = 0;
  virtual bool grad_is_preactivation() const = 0;

  // The optimizer, if the plan updates input i by its gradient as it is and nobody else sends its variable one. A rule
  // may then take the variable in backward and update it, and does not make grad_input(i).
  virtual std::optional<Optimizer> updater(int i) const = 0;
  virtual OptimizerRange take_variable(int i) = 0;

  virtual Tensor read(Buf buf) = 0;
  virtual Tensor write(Buf buf) = 0;
  virtual Tensor update(Buf buf) = 0;

  template <class Args>
  void emit(const Kernel<Args>& kernel, const Args& args, Cost cost = {}, Order order = Order::kChain) {
    static_assert(std::is_trivially_copyable<Args>::value, "argument structs are copied as bytes");
    step(kernel.name, kernel.fn, &args, sizeof(Args), alignof(Args), cost, order);
  }

 protected:
  virtual void step(const char* kernel, StepFn fn, const void* args, size_t size, size_t align, Cost cost,
                    Order order) = 0;
};

struct Op {
  const char* name;
  void (*infer)(Infer&);
  void (*forward)(Build&);
  void (*backward)(Build&);  // null: no gradient flows through
  bool activates = false;    // can apply an activation to its output: attributes "activation" and "alpha"
  void (*before_update)(Build&) = nullptr;  // when all gradients are there: may add to those of variables
  void (*after_update)(Build&) = nullptr;   // may change variables once more
  bool stays = false;  // in the plan, though nobody reads its value: it keeps something for the next batch, too
  bool reads_compact = false;  // takes variables that are stored in another type than the arithmetic's
};

// Throws ValueError with a suggestion for an unknown name.
const Op& find_op(const std::string& name);
std::vector<std::string> op_names();

// ops.def gives every op one global, defined in its stem's x_rule.cpp.
#define HL_OP(stem, name) extern const Op name##_op;
#include "ops/ops.def"
#undef HL_OP

}  // namespace hl
