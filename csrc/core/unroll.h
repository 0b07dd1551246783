// Straight code for small numbers of steps known when compiled. Included before core/tile.h, once per row.

template <int N>
struct Const {
  constexpr HL_INLINE operator int() const { return N; }
};
template <class Body, int... I>
HL_INLINE void unroll_over(Body body, std::integer_sequence<int, I...>) {
  (body(Const<I>()), ...);
}
// body(0), .., body(N - 1) as straight code. A loop would do for the reader; GCC 12 keeps an array of sums in memory if
// it meets one loop over it that it has not unrolled by then.
template <int N, class Body>
HL_INLINE void unroll(Body body) {
  unroll_over(body, std::make_integer_sequence<int, N>());
}
