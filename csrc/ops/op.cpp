#include "ops/op.h"

#include "core/error.h"

namespace hl {
namespace {

const Op* const kOps[] = {
#define HL_OP(stem, name) &name##_op,
#include "ops/ops.def"
#undef HL_OP
};

template <class T>
const T* typed(const std::map<std::string, Attrs::Value>& values, const std::string& name, const char* type) {
  const auto found = values.find(name);
  if (found == values.end()) return nullptr;
  const T* value = std::get_if<T>(&found->second);
  if (!value) throw ValueError("[attribute '" + name + "'] expected " + type + ", received another type.");
  return value;
}

template <class T>
const T& required(const T* value, const std::string& name) {
  if (!value) throw ValueError("[attribute '" + name + "'] expected a value, received none.");
  return *value;
}

}  // namespace

bool Attrs::flag(const std::string& name, bool fallback) const {
  const bool* value = typed<bool>(values_, name, "True or False");
  return value ? *value : fallback;
}

int64_t Attrs::integer(const std::string& name) const {
  return required(typed<int64_t>(values_, name, "an integer"), name);
}

int64_t Attrs::integer(const std::string& name, int64_t fallback) const {
  return has(name) ? integer(name) : fallback;
}

double Attrs::number(const std::string& name) const {
  const auto found = values_.find(name);
  if (found != values_.end())
    if (const int64_t* whole = std::get_if<int64_t>(&found->second)) return double(*whole);
  return required(typed<double>(values_, name, "a number"), name);
}

double Attrs::number(const std::string& name, double fallback) const { return has(name) ? number(name) : fallback; }

std::string Attrs::text(const std::string& name) const {
  return required(typed<std::string>(values_, name, "a string"), name);
}

std::string Attrs::text(const std::string& name, const std::string& fallback) const {
  return has(name) ? text(name) : fallback;
}

std::vector<int64_t> Attrs::integers(const std::string& name) const {
  return required(typed<std::vector<int64_t>>(values_, name, "a list of integers"), name);
}

const std::vector<double>& Attrs::numbers(const std::string& name) const {
  return required(typed<std::vector<double>>(values_, name, "a list of numbers"), name);
}

std::vector<std::string> op_names() {
  std::vector<std::string> names;
  for (const Op* op : kOps) names.push_back(op->name);
  return names;
}

const Op& find_op(const std::string& name) {
  for (const Op* op : kOps)
    if (name == op->name) return *op;
  throw ValueError("[graph] expected the name of an op, received '" + name + "'." + suggestion(name, op_names()));
}

}  // namespace hl
