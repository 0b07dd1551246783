// The elements of one axis, `step` apart, and their places in y.
template <class T>
struct Places {
  const T* x;
  T* y;
  int64_t step;
  bool descending;

  HL_INLINE T& operator[](int64_t i) const { return y[i * step]; }
  // Whether the element at place i comes before that at place j.
  HL_INLINE bool before(T i, T j) const {
    const T a = x[int64_t(i) * step], b = x[int64_t(j) * step];
    const bool a_nan = a != a, b_nan = b != b;
    if (a_nan != b_nan) return descending ? a_nan : b_nan;
    if (a != b && !a_nan) return descending ? a > b : a < b;
    return i < j;
  }
  // Lets y[i] sink until it comes after both below it, in a heap of n.
  HL_INLINE void sink(int64_t i, int64_t n) const {
    const T moved = (*this)[i];
    for (int64_t child; (child = 2 * i + 1) < n; i = child) {
      if (child + 1 < n && before((*this)[child], (*this)[child + 1])) ++child;
      if (!before(moved, (*this)[child])) break;
      (*this)[i] = (*this)[child];
    }
    (*this)[i] = moved;
  }
};

template <class T>
HL_KERNEL_TEXT void argsort(const ArgSort& a, const RunState& run, Worker w) noexcept {
  for_each_piece(run.rows * a.outer, a.inner, kPiece, w, [&](int64_t unit, int64_t begin, int64_t end) {
    const int64_t row = unit / a.outer, first = unit % a.outer * a.size * a.inner;
    for (int64_t i = first + begin; i < first + end; ++i) {
      const Places<T> p{row_of<T>(a.x, row) + i, row_of<T>(a.y, row) + i, a.inner, a.descending};
      for (int64_t k = 0; k < a.size; ++k) p[k] = T(k);
      for (int64_t k = a.size / 2; k-- > 0;) p.sink(k, a.size);
      for (int64_t n = a.size; n-- > 1;) {
        const T last = p[n];
        p[n] = p[0];
        p[0] = last;
        p.sink(0, n);
      }
    }
  });
}
