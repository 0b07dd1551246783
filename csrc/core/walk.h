// Walks: how element-wise kernels share a matrix among the workers, and how they step through it by vectors.
//
// Included after core/simd.h, once per instruction set. No walk changes an element's bits: the pieces are the same for
// any team, and a tail runs the same vector code with fewer lanes.

// Columns that stay together: whole cache lines of either type, and one block of random words (core/philox.h).
#if defined(HL_ISA_SCALAR)
constexpr int64_t kPiece = 1;  // neighbouring threads read a line together
#else
constexpr int64_t kPiece = 64;
#endif

HL_INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
HL_INLINE int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

template <class T>
HL_INLINE T* row_of(const Tensor& t, int64_t row) { return t.as<T>() + row * t.ld; }

// Calls body(i) for this worker's share of n units: neighbouring ones, or on a GPU every count-th, so that neighbouring
// workers have neighbouring units.
template <class Body>
HL_INLINE void for_each_own(int64_t n, Worker w, Body body) {
#if defined(HL_ISA_SCALAR)
  for (int64_t i = w.id; i < n; i += w.count) body(i);
#else
  const Span mine = share(n, w);
  for (int64_t i = mine.begin; i < mine.end; ++i) body(i);
#endif
}

// Calls body(row, begin, end) for this worker's share of a matrix, cut into pieces of columns: whole rows where there
// are many, parts of rows where there are few.
template <class Body>
HL_INLINE void for_each_piece(int64_t rows, int64_t columns, int64_t piece, Worker w, Body body) {
  const int64_t per_row = ceil_div(columns, piece);
  if (per_row == 0) return;
#if defined(HL_ISA_SCALAR)
  for_each_own(rows * per_row, w, [&](int64_t unit) {
    const int64_t begin = unit % per_row * piece;
    body(unit / per_row, begin, least(columns, begin + piece));
  });
#else
  const Span units = share(rows * per_row, w);
  int64_t row = units.begin / per_row, first = units.begin % per_row;
  for (int64_t left = units.end - units.begin; left > 0; ++row, first = 0) {
    const int64_t count = least(left, per_row - first);
    body(row, first * piece, least(columns, (first + count) * piece));
    left -= count;
  }
#endif
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

// term(0) + .. + term(n - 1) in eight interleaved chains, then a tree: one order whatever the team or the vectors.
template <class Term>
HL_INLINE double ordered_sum(int64_t n, const Term& term) {
  double chain[8] = {};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int64_t k = 0; k < 8; ++k) chain[k] += term(i + k);
  for (; i < n; ++i) chain[i % 8] += term(i);
  return ((chain[0] + chain[4]) + (chain[2] + chain[6])) + ((chain[1] + chain[5]) + (chain[3] + chain[7]));
}

// Where a kernel is one sum: who takes part, and the sum, which worker 0 gets. GPUs have theirs in core/block.h.
#if !defined(HL_ISA_SCALAR)
HL_INLINE bool takes_part_in_sum(Worker w) { return w.id == 0; }
template <class Term>
HL_INLINE double sum_of_all(int64_t n, Worker, const Term& term) {
  return ordered_sum(n, term);
}
#endif
