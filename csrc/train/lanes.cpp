#include "train/lanes.h"

namespace hl {
namespace {

template <class T>
void add(const Moments& moments, const Sink& sample, int64_t begin, int64_t end, T count) {
  for (int64_t row = begin; row < end; ++row) {
    T* mean = reinterpret_cast<T*>(moments.mean.data + row * moments.mean.row_bytes);
    T* squares = reinterpret_cast<T*>(moments.squares.data + row * moments.squares.row_bytes);
    const T* x = reinterpret_cast<const T*>(sample.data + row * sample.row_bytes);
    for (int64_t i = 0; i < moments.features; ++i) {
      const T delta = x[i] - mean[i];
      mean[i] += delta / count;
      squares[i] += delta * (x[i] - mean[i]);
    }
  }
}

}  // namespace

void add_sample(const Moments& moments, const Sink& sample, DType dtype, int64_t begin, int64_t end, int64_t count) {
  if (dtype == DType::f32)
    add<float>(moments, sample, begin, end, float(count));
  else
    add<double>(moments, sample, begin, end, double(count));
}

}  // namespace hl
