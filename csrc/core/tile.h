// Register tiles: the inner loops of every product. Included after core/walk.h, once per instruction set.
//
// A strip is the width of a tile: kStripVectors vectors, some weight panels (ops/gemm.h) or a part of one. A tile of
// y = x w keeps R x C vectors of sums in registers while it walks down k: per step it loads C vectors of w and
// broadcasts R elements of x. A tile of dw = x^T dz does the same down m. Every sum is one chain of multiply-adds in
// ascending k (or m). Matrices of the arena have rows of whole cache lines, so a last vector may be read and written
// whole: what lies beyond the columns of a matrix is nobody's.

#if defined(HL_ISA_AVX512)
constexpr int kTileRows = 14, kStripVectors = 2;  // 28 sums + 2 of w + 1 of x in 32 registers
#elif defined(HL_ISA_AVX2)
constexpr int kTileRows = 6, kStripVectors = 2;  // 12 + 2 + 1 in 16
#elif defined(HL_ISA_NEON)
constexpr int kTileRows = 6, kStripVectors = 4;  // 24 + 4 + 1 in 32
#else
constexpr int kTileRows = 5, kStripVectors = 2;  // 10 + 2 + 1 of x + 2 products in 16
#endif
#if defined(HL_ISA_AVX512) || defined(HL_ISA_AVX2) || defined(HL_ISA_NEON)
constexpr bool kLoadsToSpare = true;
#else
constexpr bool kLoadsToSpare = false;  // products and sums are two instructions each
#endif

// v, in a register from here on: GCC would load it again in every multiply-add that uses it.
template <class T>
HL_INLINE Vec<T> pin(Vec<T> v) {
#if defined(HL_ISA_AVX512)
  __asm__("" : "+v"(v.v));
#elif defined(HL_ISA_NEON)
  __asm__("" : "+w"(v.v));
#elif defined(__SSE2__)
  __asm__("" : "+x"(v.v));
#endif
  return v;
}

template <class T>
constexpr HL_INLINE int64_t strip_columns() {
  return kStripVectors * lanes_of<T>();
}

// Row k = 0 of strip s in panels of K rows.
template <class T>
HL_INLINE int64_t strip_offset(int64_t s, int64_t K) {
  constexpr int64_t NR = panel_columns<T>();
  const int64_t column = s * strip_columns<T>();
  return column / NR * K * NR + column % NR;
}

// Where vector c of a strip lies, from its start.
template <class T>
HL_INLINE int64_t vector_offset(int c, int64_t panel_stride) {
  constexpr int kPanelVectors = panel_columns<T>() / lanes_of<T>();
  return c / kPanelVectors * panel_stride + c % kPanelVectors * lanes_of<T>();
}

// ---- Register tiles. ----

template <class T>
constexpr int64_t kLineElements = kAlignment / int64_t(sizeof(T));  // of a cache line

// The cache lines of n elements, at any alignment.
template <class T>
HL_INLINE void prefetch_row(const T* p, int64_t n) {
  for (int64_t i = n - 1; i >= 0; i -= kLineElements<T>) prefetch(p + i);
}

// Memory that is read later, brought nearer by tiles that have a load to spare: a cache line at every `pace` steps of k.
struct Fetch {
  const char* at;    // the next line; null before the first run
  int64_t left = 1;  // lines of this run
  int64_t pace = 1, wait = 1;
  int64_t rows = 0;  // runs to come: row *index of a data set, and so on
  const int64_t* index = nullptr;
  const char* data = nullptr;
  int64_t row_bytes = 0, row_lines = 0;

  HL_INLINE void step() {
    if (--wait > 0) return;
    wait = pace;
    prefetch(at);
    at += kAlignment;
    if (--left > 0) return;
    if (rows > 0) {
      at = data + *index++ * row_bytes;
      left = row_lines;
      --rows;
    } else {  // stay on the last line
      at -= kAlignment;
      left = 1;
    }
  }
};

// y (R, C vectors) = from + x (R,K) w (K, C vectors)
template <class T>
struct ProductTile {
  const T* x;
  int64_t ldx;
  const T* w;            // row k is NR further on than row k - 1
  int64_t panel_stride;  // from one panel to the next, where a tile is wider than one
  int64_t K;
  const T* from;  // what is added to the sums, or null for zero
  int64_t ld_from;
  T* y;
  int64_t ldy;
  Fetch* fetch;  // of tiles that kFetchesAhead
};

// Tiles with a load to spare at every step.
template <int R, int C>
constexpr bool kFetchesAhead = kLoadsToSpare && R > 3 && C == kStripVectors;  // fewer rows wait for w as it is

template <class T, int R, int C>
HL_NOINLINE void product_tile(const ProductTile<T>& tile) noexcept {
  using V = Vec<T>;
  constexpr int64_t L = V::kLanes, NR = panel_columns<T>();
  constexpr bool kFetches = kFetchesAhead<R, C>;
  const ProductTile<T> t = tile;
  Fetch fetch = kFetches ? *t.fetch : Fetch{nullptr};
  V sum[R * C];
  unroll<R * C>([&](auto i) { sum[i] = V(0); });
  const T *x = t.x, *w = t.w;
  for (int64_t k = 0; k < t.K; ++k, ++x, w += NR) {
    V row[C];
    unroll<C>([&](auto c) {
      row[c] = V::load(w + vector_offset<T>(c, t.panel_stride));
      if (R > 1) row[c] = pin(row[c]);
    });
    if (kFetches) fetch.step();
    unroll<R>([&](auto r) {
      const V factor(x[r * t.ldx]);
      unroll<C>([&](auto c) { sum[r * C + c] = fma(factor, row[c], sum[r * C + c]); });
    });
  }
  if (kFetches) *t.fetch = fetch;
  if (t.from) unroll<R * C>([&](auto i) { sum[i] += V::load(t.from + i / C * t.ld_from + i % C * L); });
  unroll<R * C>([&](auto i) { sum[i].store(t.y + i / C * t.ldy + i % C * L); });
}

template <class T>
using ProductFn = void (*)(const ProductTile<T>&) noexcept;

// dw (R,strip) = from + x^T dz, for x (M,R), dz (M,C vectors)
template <class T>
struct OuterTile {
  const T* x;
  int64_t ldx;
  const T* dz;
  int64_t lddz;
  int64_t M;
  const T* from;    // dw, or null for zero
  T* dw;            // row k is NR further on than row k - 1
  int64_t panel_stride;
  int64_t columns;  // 1 .. C vectors; the other columns of their panels become zero
};

template <class T, int R, int C>
HL_NOINLINE void outer_tile(const OuterTile<T>& tile) noexcept {
  using V = Vec<T>;
  constexpr int64_t L = V::kLanes, NR = panel_columns<T>();
  const OuterTile<T> t = tile;
  V sum[R * C];
  if (t.from)
    unroll<R * C>([&](auto i) { sum[i] = V::load(t.from + i / C * NR + vector_offset<T>(i % C, t.panel_stride)); });
  else
    unroll<R * C>([&](auto i) { sum[i] = V(0); });

  const T *x = t.x, *dz = t.dz;
  for (int64_t m = 0; m < t.M; ++m, x += t.ldx, dz += t.lddz) {
    V row[C];
    unroll<C>([&](auto c) {
      row[c] = V::load(dz + c * L);
      if (R > 1) row[c] = pin(row[c]);
    });
    prefetch_row(x + R, R);  // for the next tile: rows far apart are no pattern to a hardware prefetcher
    unroll<R>([&](auto r) {
      const V factor(x[r]);
      unroll<C>([&](auto c) { sum[r * C + c] = fma(factor, row[c], sum[r * C + c]); });
    });
  }
  if (t.columns < C * L)
    unroll<R>([&](auto r) {
      constexpr int last = r * C + C - 1;
      sum[last] = select(V::first(t.columns - (C - 1) * L), sum[last], V(0));
    });
  constexpr int kPanelVectors = NR / L;  // the last panel's share of the strip is written whole
  constexpr int kWritten = kPanelVectors < kStripVectors ? (C + kPanelVectors - 1) / kPanelVectors * kPanelVectors
                                                         : kStripVectors;
  unroll<R * kWritten>([&](auto i) {
    constexpr int r = i / kWritten, c = i % kWritten;
    (c < C ? sum[r * C + (c < C ? c : 0)] : V(0)).store(t.dw + r * NR + vector_offset<T>(c, t.panel_stride));
  });
}

// Tables of the tiles of 1 .. kTileRows rows.
template <class T, int C, class Rows> struct Tiles;
template <class T, int C, int... R>
struct Tiles<T, C, std::integer_sequence<int, R...>> {
  static constexpr int kVectors = C;
  static constexpr ProductFn<T> product[] = {&product_tile<T, R + 1, C>...};
  static constexpr void (*outer[])(const OuterTile<T>&) noexcept = {&outer_tile<T, R + 1, C>...};
};

// Calls body(Tiles of C) for the C = 1 .. kStripVectors that holds `columns`.
template <class T, int C = 1, class Body>
HL_INLINE void with_tiles(int64_t columns, Body body) {
  if constexpr (C < kStripVectors) {
    if (columns > C * lanes_of<T>()) return with_tiles<T, C + 1>(columns, body);
  }
  body(Tiles<T, C, std::make_integer_sequence<int, kTileRows>>());
}

// Rows begin .. end, cut into the fewest tiles, of nearly one size.
template <class Body>
HL_INLINE void for_each_tile(Span rows, Body body) {
  const int64_t count = ceil_div(rows.end - rows.begin, kTileRows);
  for (int64_t t = 0; t < count; ++t) {
    const Span tile = share(rows.end - rows.begin, Worker{int(t), int(count)});
    body(rows.begin + tile.begin, int(tile.end - tile.begin));
  }
}

// ---- Shuffles. ----

// a0 b0 a1 b1 .. of the lower (Half = 0) or upper halves.
template <int Half, class Raw, int... I>
HL_INLINE Raw interleave_raw(Raw a, Raw b, std::integer_sequence<int, I...>) {
  constexpr int L = sizeof...(I);
  return HL_SHUFFLE(a, b, (I % 2 * L + I / 2 + Half * L / 2)...);
}
template <int Half, class T>
HL_INLINE Vec<T> interleave(Vec<T> a, Vec<T> b) {
  return Vec<T>(interleave_raw<Half>(a.v, b.v, LaneSequence<T>()));
}

template <class T>
HL_INLINE void transpose(Vec<T> (&v)[Vec<T>::kLanes]) {
  constexpr int L = Vec<T>::kLanes;
  for (int stage = 1; stage < L; stage *= 2) {
    Vec<T> mixed[L];
    unroll<L / 2>([&](auto i) {
      mixed[2 * i] = interleave<0>(v[i], v[i + L / 2]);
      mixed[2 * i + 1] = interleave<1>(v[i], v[i + L / 2]);
    });
    unroll<L>([&](auto i) { v[i] = mixed[i]; });
  }
}
