// Walks: how element-wise kernels share a matrix among the workers, and how they step through it by vectors.
//
// Included after core/simd.h, once per instruction set. No walk changes an element's bits: the pieces are the same for
// any team, and a tail runs the same vector code with fewer lanes.

// Columns that stay together: whole cache lines of either type, and one block of random words (core/philox.h).
constexpr int64_t kPiece = 64;

HL_INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
HL_INLINE int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

template <class T>
HL_INLINE T* row_of(const Tensor& t, int64_t row) { return t.as<T>() + row * t.ld; }

// Calls body(row, begin, end) for this worker's share of a matrix, cut into pieces of columns: whole rows where there
// are many, parts of rows where there are few.
template <class Body>
HL_INLINE void for_each_piece(int64_t rows, int64_t columns, int64_t piece, Worker w, Body body) {
  const int64_t per_row = ceil_div(columns, piece);
  if (per_row == 0) return;
  const Span units = share(rows * per_row, w);
  int64_t row = units.begin / per_row, first = units.begin % per_row;
  for (int64_t left = units.end - units.begin; left > 0; ++row, first = 0) {
    const int64_t count = least(left, per_row - first);
    body(row, first * piece, least(columns, (first + count) * piece));
    left -= count;
  }
}

// The same with one piece a call.
template <class Body>
HL_INLINE void for_each_block(int64_t rows, int64_t columns, int64_t piece, Worker w, Body body) {
  for_each_piece(rows, columns, piece, w, [&](int64_t row, int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; c += piece) body(row, c, least(end, c + piece));
  });
}

// The lanes of a vector that count: all of them, or the first n. A body is compiled for both.
struct AllLanes {};
struct FirstLanes {
  int64_t n;
};

template <class T> HL_INLINE Vec<T> load_lanes(const T* p, AllLanes) { return Vec<T>::load(p); }
template <class T> HL_INLINE Vec<T> load_lanes(const T* p, FirstLanes k) { return Vec<T>::load(p, k.n); }
template <class T> HL_INLINE void store_lanes(T* p, Vec<T> v, AllLanes) { v.store(p); }
template <class T> HL_INLINE void store_lanes(T* p, Vec<T> v, FirstLanes k) { v.store(p, k.n); }
// v, and `rest` in the lanes that do not count.
template <class T> HL_INLINE Vec<T> fill_lanes(Vec<T> v, Vec<T>, AllLanes) { return v; }
template <class T> HL_INLINE Vec<T> fill_lanes(Vec<T> v, Vec<T> rest, FirstLanes k) {
  return select(Vec<T>::first(k.n), v, rest);
}

// Calls body(i, lanes) for the vectors of n elements.
template <class T, class Body>
HL_INLINE void for_each_vector(int64_t n, Body body) {
  constexpr int64_t L = Vec<T>::kLanes;
  int64_t i = 0;
  for (; i + L <= n; i += L) body(i, AllLanes{});
  if (i < n) body(i, FirstLanes{n - i});
}
