#include "core/types.h"

#include "core/error.h"

namespace hl {
namespace {

struct Named {
  DType type;
  const char* name;
};
constexpr Named kNames[] = {
    {DType::f32, "float32"}, {DType::f64, "float64"}, {DType::i32, "int32"},   {DType::u8, "uint8"},
    {DType::i8, "int8"},     {DType::u16, "uint16"},  {DType::i16, "int16"},   {DType::u32, "uint32"},
    {DType::i64, "int64"},   {DType::u64, "uint64"},  {DType::f16, "float16"}, {DType::b8, "bool"},
    {DType::bf16, "bfloat16"},
};

}  // namespace

const char* name_of(DType type) {
  for (const Named& n : kNames)
    if (n.type == type) return n.name;
  return "?";
}

DType dtype_from(const std::string& name) {
  std::vector<std::string> known;
  for (const Named& n : kNames) {
    if (name == n.name) return n.type;
    known.push_back(n.name);
  }
  throw ValueError("[dtype] expected a NumPy dtype name such as 'float32', received '" + name + "'." +
                   suggestion(name, known));
}

std::string to_string(const Shape& shape) {
  std::string text = "(";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i) text += ", ";
    text += shape[i] == kBatch ? "None" : std::to_string(shape[i]);
  }
  return text + (shape.size() == 1 ? ",)" : ")");
}

int64_t element_count(const Shape& shape) {
  constexpr int64_t kMost = int64_t(1) << 48;  // far above any memory, far below an overflow of bytes
  int64_t count = 1;
  for (int64_t axis : shape) {
    if (axis == kBatch) continue;
    if (axis < 0 || (axis > 0 && count > kMost / axis))
      throw ValueError("[shape] expected axes of at least 0 and fewer than 2**48 elements, received " +
                       to_string(shape) + ".");
    count *= axis;
  }
  return count;
}

}  // namespace hl
