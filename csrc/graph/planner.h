// Planner: walks a graph with every op's rule and records what the rules emit. Two walks make the same calls:
// the first, with null addresses, finds every buffer's size and lifetime; the second has the final addresses.
#pragma once
#include <map>
#include <utility>

#include "graph/memory.h"
#include "graph/plan.h"

namespace hl {

class Planner final : public Build {
 public:
  Planner(Plan& plan, const Kernels& kernels, const std::vector<Variable>& variables);
  void build();

  const Attrs& attrs() const override { return node().attrs; }
  int inputs() const override { return int(node().inputs.size()); }
  const Spec& spec(int input) const override { return value(input_value(input)).spec; }
  bool is_variable(int input) const override { return value(input_value(input)).variable >= 0; }
  const Spec& output_spec() const override { return value(node().output).spec; }
  bool training() const override { return plan_.options_.training; }
  int64_t max_rows() const override { return plan_.options_.max_rows; }
  DType dtype() const override { return kernels_.dtype; }
  const Kernels& kernels() const override { return kernels_; }

  Buf input(int i) override;
  Buf output() override;
  Buf grad_output() override;
  bool wants_grad(int i) const override;
  Buf grad_input(int i) override;
  Buf save(int slot, Extent extent) override;
  Buf scratch(Extent extent) override;
  double* accumulator(int rows) override;
  double* input_accumulator(int i) override;
  const double* numbers(const std::string& attribute) override;
  const int64_t* integers(const std::string& attribute) override;
  Source* source() override;
  Upcoming upcoming() override;
  Sink* sink() override;
  void alias_output(Buf from) override;
  void alias_grad_input(int i, Buf from) override;
  Buf sent_gradient(int i) override { return gradients_[size_t(input_value(i))]; }
  bool take_activation(int i, Activation* activation) override;
  bool grad_is_preactivation() const override;
  std::optional<Optimizer> updater(int i) const override;
  OptimizerRange take_variable(int i) override;
  Tensor read(Buf buf) override { return access(buf, false); }
  Tensor write(Buf buf) override { return access(buf, true); }
  Tensor update(Buf buf) override { return access(buf, true); }

 protected:
  void step(const char* kernel, StepFn fn, const void* args, size_t size, size_t align, Cost cost,
            Order order) override;

 private:
  struct Storage {
    int64_t bytes = 0;
    int64_t ld = 0;
    void* fixed = nullptr;  // outside the arena: a variable's range of a slab
    Lifetime life;
  };
  struct Access {
    int buffer;
    bool writes;
  };
  struct Record {
    Step step;
    Order order;
    std::vector<Access> accesses;
  };

  const Node& node() const { return plan_.graph_.nodes()[size_t(node_)]; }
  const Value& value(int id) const { return plan_.graph_.values()[size_t(id)]; }
  int input_value(int i) const { return node().inputs.at(size_t(i)); }
  const Variable& variable_of(const Value& v) const { return variables_[size_t(v.variable)]; }

  void find_gradients();
  void find_variation();
  void walk();
  void forward();
  void backward();
  void visit(void (*Op::* rule)(Build&));
  OptimizerRange range_of(const Variable& variable, Buf weight);
  void optimize();
  Buf slot_of(const Variable& variable, int slot);
  void sum_gradient(int v);
  Buf clip_factors(const std::vector<int>& values);
  void update_variables(const std::vector<int>& values, Buf factors);
  bool by_adam(int v) const;
  void follow_directions(const std::vector<int>& values, const std::vector<Buf>& directions);
  Buf squares_of(void* OptimizerRange::*part, const std::vector<Buf>& parts);
  void orthogonalize(const PanelShape& shape, Buf u, Buf factors, size_t range);
  void multiply(Buf x, Buf w, Buf y, int64_t M, int64_t K, int64_t N);
  void transpose(Buf from, Buf to, PanelShape shape);
  void mix(double alpha, Buf x, double beta, Buf z, Buf rows, Buf panels, PanelShape shape);
  void average_weights();
  void collect_gradients();
  Buf sum(Buf a, Buf b, const Spec& spec);
  int64_t rows_of(const Spec& spec) const { return spec.batched() ? max_rows() : 1; }
  void keep_gradients();
  bool is_fixed(Order order) const;

  Buf new_buffer(int64_t bytes, int64_t ld, void* fixed);
  Buf matrix(Extent extent);
  Tensor access(Buf buf, bool writes);
  void* address(const Storage& storage) const;

  std::vector<size_t> order_of_steps() const;
  int64_t place_in_order(const std::vector<size_t>& order);
  void keep_what_is_fixed();
  void place_buffers();
  void finish();
  bool conflicts(const std::vector<Access>& before, const std::vector<Access>& now) const;

  Plan& plan_;
  const Kernels& kernels_;
  const std::vector<Variable>& variables_;
  std::vector<Storage> storage_;
  std::vector<bool> needs_grad_;     // by value
  std::vector<bool> varies_;         // by node: a random number enters
  std::vector<int> gradient_users_;  // by value: nodes that may send it a gradient
  bool placing_ = false;
  bool small_ = false;  // the arena fits a core's cache
  int last_output_ = -1;  // node

  // The state of one walk.
  size_t cursor_ = 0;
  int node_ = -1;
  bool in_forward_ = false;
  std::vector<Buf> values_, gradients_;  // by value
  std::vector<bool> preactivation_;      // by value: its gradient is already that of the pre-activation
  std::map<std::pair<int, int>, Buf> saved_;
  std::vector<int> kept_;  // buffers read after the batch
  std::map<int, Buf> contributions_;  // by input of the current node
  std::map<int, int> accumulator_of_, source_of_, sink_of_;
  int accumulator_rows_ = 0;
  size_t fetched_ = 0;  // inputs whose next batch some step brings nearer
  std::vector<Access> accesses_;
  std::vector<Record> records_;
};

}  // namespace hl
