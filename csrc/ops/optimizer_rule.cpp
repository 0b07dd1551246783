#include "ops/optimizer.h"

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "ops/checks.h"

namespace hl {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Every number a rule may have: Keras's default, and where it must lie.
struct HyperParameter {
  const char* name;
  double Optimizer::* field;
  double fallback;
  double most;
  bool closed;  // `most` itself is allowed
  double least = 0;
};
constexpr HyperParameter kHyperParameters[] = {
    {"momentum", &Optimizer::momentum, 0.9, 1, true},
    {"beta_1", &Optimizer::beta_1, 0.9, 1, false},
    {"beta_2", &Optimizer::beta_2, 0.999, 1, false},
    {"rho", &Optimizer::rho, 0.9, 1, false},
    {"epsilon", &Optimizer::epsilon, 1e-7, kInfinity, false},
    {"weight_decay", &Optimizer::weight_decay, 0, kInfinity, false},
    {"clipvalue", &Optimizer::clip_value, 0, kInfinity, false},
    {"clipnorm", &Optimizer::clip_norm, 0, kInfinity, false},
    {"global_clipnorm", &Optimizer::global_clip_norm, 0, kInfinity, false},
    {"ema_momentum", &Optimizer::average_momentum, 0.99, 1, true},
    {"initial_accumulator_value", &Optimizer::initial_accumulator_value, 0.1, kInfinity, false},
    {"learning_rate_power", &Optimizer::learning_rate_power, -0.5, 0, true, -kInfinity},
    {"l1", &Optimizer::l1, 0, kInfinity, false},
    {"l2", &Optimizer::l2, 0, kInfinity, false},
    {"l2_shrinkage", &Optimizer::l2_shrinkage, 0, kInfinity, false},
    {"beta", &Optimizer::beta, 0, kInfinity, false},
    {"warmup_steps", &Optimizer::warmup_steps, 0, kInfinity, false},
    {"muon_a", &Optimizer::muon_a, 3.4445, kInfinity, false, -kInfinity},
    {"muon_b", &Optimizer::muon_b, -4.775, kInfinity, false, -kInfinity},
    {"muon_c", &Optimizer::muon_c, 2.0315, kInfinity, false, -kInfinity},
    {"rms_rate", &Optimizer::rms_rate, 0.2, kInfinity, false},
    {"adam_lr_ratio", &Optimizer::adam_lr_ratio, 1, kInfinity, false, 1e-30},
    {"adam_weight_decay", &Optimizer::adam_weight_decay, 0.004, kInfinity, false},
};

// What every rule may have beside its own.
const std::vector<std::string> kShared = {
    "weight_decay", "clipvalue", "clipnorm", "global_clipnorm",
    "ema_momentum", "ema_overwrite_frequency", "gradient_accumulation_steps"};

struct Known {
  OptimizerKind kind;
  const char* name;
  int slots;
  std::vector<std::string> attributes;
};

const std::vector<Known>& known_rules() {
  static const std::vector<Known> rules = {
#define HL_OPTIMIZER(name, Functor, slots, ...) {OptimizerKind::name, #name, slots, {__VA_ARGS__}},
      HL_OPTIMIZERS(HL_OPTIMIZER)
#undef HL_OPTIMIZER
  };
  return rules;
}

const Known& find(const std::string& name) {
  for (const Known& rule : known_rules())
    if (name == rule.name) return rule;
  throw ValueError("[optimizer] expected the name of an update rule, received '" + name + "'." +
                   suggestion(name, optimizer_names()));
}

double value_of(const HyperParameter& p, const Attrs& spec) {
  const double value = spec.number(p.name, p.fallback);
  if (value >= p.least && value > -kInfinity && (value < p.most || (p.closed && value == p.most))) return value;
  throw ValueError(std::string("[optimizer] expected ") + p.name + " to be " +
                   (p.least > 0  ? "finite and above 0"
                    : p.most > 1 ? (p.least < 0 ? "finite" : "finite and at least 0")
                    : p.most < 1 ? "finite and at most 0"
                    : p.closed ? "in [0, 1]"
                               : "in [0, 1)") +
                   ", received " + std::to_string(value) + ".");
}

int64_t count_of(const Attrs& spec, const char* name, int64_t fallback) {
  const int64_t value = spec.integer(name, fallback);
  if (value < fallback)
    throw ValueError(std::string("[optimizer] expected ") + name + " to be at least " + std::to_string(fallback) +
                     ", received " + std::to_string(value) + ".");
  return value;
}

// Updates come after the backward pass, from the trainer; a graph holds none.
void infer(Infer& node) {
  node.fail("no update rule among the nodes of a graph", "one", "Give it to the trainer: Trainer.set_optimizer.");
}

void forward(Build&) {}

// A variable whose gradient somebody has put into the slab: the update follows as after any backward pass.
void infer_given(Infer& node) {
  node.allow({});
  expect_inputs(node, 1, "a variable");
  if (node.input(0).batched()) node.fail("a variable", "values with a batch axis");
}

void take_given(Build& b) {
  if (!b.wants_grad(0)) return;
  b.input(0);
  b.grad_input(0);
}

}  // namespace

Optimizer optimizer_from(const Attrs& spec) {
  const Known& rule = find(spec.text("kind"));
  for (const auto& [name, value] : spec.all())
    if (std::find(kShared.begin(), kShared.end(), name) == kShared.end() &&
        std::find(rule.attributes.begin(), rule.attributes.end(), name) == rule.attributes.end())
      throw ValueError(std::string("[optimizer] ") + rule.name + " received an unknown parameter '" + name + "'." +
                       suggestion(name, rule.attributes));
  Optimizer optimizer;
  optimizer.kind = rule.kind;
  for (const HyperParameter& p : kHyperParameters) optimizer.*p.field = value_of(p, spec);
  optimizer.ns_steps = count_of(spec, "ns_steps", 0);
  optimizer.averages = spec.has("ema_momentum");
  optimizer.overwrite_every = count_of(spec, "ema_overwrite_frequency", 0);
  optimizer.accumulation = count_of(spec, "gradient_accumulation_steps", 1);
  if ((optimizer.clip_value > 0) + (optimizer.clip_norm > 0) + (optimizer.global_clip_norm > 0) > 1)
    throw ValueError("[optimizer] expected one of clipvalue, clipnorm and global_clipnorm, received several.");
  return optimizer;
}

int rule_slots(OptimizerKind kind) { return known_rules()[size_t(kind)].slots; }

double optimizer_slot_start(const Optimizer& optimizer, int slot) {
  if (optimizer.kind == OptimizerKind::schedule_free_adamw && slot == 0) return std::numeric_limits<double>::quiet_NaN();
  const bool accumulates = optimizer.kind == OptimizerKind::adagrad || optimizer.kind == OptimizerKind::ftrl;
  return accumulates && slot == 0 ? optimizer.initial_accumulator_value : 0;
}

std::vector<std::string> optimizer_names() {
  std::vector<std::string> names;
  for (const Known& rule : known_rules()) names.push_back(rule.name);
  return names;
}

const Op given_gradient_op{"given_gradient", infer_given, [](Build&) {}, nullptr, false, take_given};
const Op optimizer_op{"optimizer", infer, forward, nullptr};

}  // namespace hl
