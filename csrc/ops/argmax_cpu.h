// The first of n elements, `step` apart, that no later one beats.
template <class T>
HL_INLINE T place_of_largest(const T* x, int64_t n, int64_t step, T sign) {
  int64_t best = 0;
  for (int64_t i = 1; i < n; ++i) {
    const T most = sign * x[best * step], here = sign * x[i * step];
    if (most == most && !(here <= most)) best = i;
  }
  return T(best);
}

template <class T>
HL_KERNEL_TEXT void argmax(const ArgMax& a, const RunState& run, Worker w) noexcept {
  const T sign = a.smallest ? T(-1) : T(1);
  for_each_piece(run.rows * a.outer, a.inner, kPiece, w, [&](int64_t unit, int64_t begin, int64_t end) {
    const int64_t row = unit / a.outer, o = unit % a.outer;
    const T* x = row_of<T>(a.x, row) + o * a.size * a.inner;
    T* y = row_of<T>(a.y, row) + o * a.inner;
    for (int64_t i = begin; i < end; ++i) y[i] = place_of_largest(x + i, a.size, a.inner, sign);
  });
}
