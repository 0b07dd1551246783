// Products by the register tiles of core/tile.h, and what moves weights in and out of panels.

// ---- Shares of the work. ----

// Where worker i begins in (strips, rows), as strip * rows + row: equal numbers of vectors, so a narrow last strip
// counts for what it is, and no slivers of a few rows.
template <class T>
HL_INLINE int64_t share_begin(int64_t N, int64_t rows, int i, int count) {
  constexpr int64_t kGrain = 4;
  const int64_t vectors = ceil_div(N, lanes_of<T>()), at = vectors * rows * i / count;
  if (i == count) return ceil_div(vectors, kStripVectors) * rows;
  const int64_t strip = at / (kStripVectors * rows);
  const int64_t row = (at - strip * kStripVectors * rows) / least(kStripVectors, vectors - strip * kStripVectors);
  return strip * rows + least(rows, (row + kGrain / 2) / kGrain * kGrain);
}

// Calls body(strips, rows) for the rectangles, at most three, of this worker's share of an output of N columns. Strips
// first, so that a worker meets the same weights in forward and backward.
template <class T, class Body>
HL_INLINE void for_each_rectangle(int64_t N, int64_t rows, Worker w, Body body) {
  if (N == 0 || rows == 0) return;
  int64_t at = share_begin<T>(N, rows, w.id, w.count);
  const int64_t end = share_begin<T>(N, rows, w.id + 1, w.count);
  while (at < end) {
    const int64_t strip = at / rows, row = at % rows;
    const int64_t strips = row == 0 ? (end - at) / rows : 0;
    if (strips > 0) {
      body(Span{strip, strip + strips}, Span{0, rows});
      at += strips * rows;
    } else {
      const int64_t last = least(rows, row + end - at);
      body(Span{strip, strip + 1}, Span{row, last});
      at += last - row;
    }
  }
}

// ---- y = x w + b. ----

template <class T>
struct Product {
  const T* x;  // (M,K)
  int64_t ldx;
  const T* w;  // panels of (K,N)
  const T* b;  // panels of (1,N), or null
  T* y;        // (M,N)
  int64_t ldy;
  int64_t M, K, N;
  const T* also = nullptr;  // (M,N), what `finish` reads beside y, or null
  int64_t ld_also = 0;
};

template <class T>
HL_INLINE ProductTile<T> tile_at(const Product<T>& p, int64_t row, int64_t strip, Span k) {
  const int64_t column = strip * strip_columns<T>();
  ProductTile<T> t;
  t.x = p.x + row * p.ldx + k.begin;
  t.ldx = p.ldx;
  t.w = p.w + strip_offset<T>(strip, p.K) + k.begin * panel_columns<T>();
  t.panel_stride = p.K * panel_columns<T>();
  t.K = k.end - k.begin;
  t.y = p.y + row * p.ldy + column;
  t.ldy = p.ldy;
  t.from = k.begin > 0 ? t.y : p.b ? p.b + column : nullptr;
  t.ld_from = k.begin > 0 ? p.ldy : 0;
  t.next = nullptr;
  t.ahead = t.w;
  return t;
}

// Columns of strip s that are no padding.
template <class T>
HL_INLINE int64_t columns_of(int64_t s, int64_t N) {
  return least(strip_columns<T>(), N - s * strip_columns<T>());
}

template <class T, class Tiles>
HL_INLINE void run_tile(Tiles tiles, const ProductTile<T>& t, int rows, int64_t columns) {
  if (columns == Tiles::kColumns) return tiles.product[rows - 1](t);
  edge_tile(tiles.product[rows - 1], t, rows, columns);
}

// A few rows have too few sums to keep the multipliers busy; several panels side by side have more.
constexpr HL_INLINE int wide_vectors(int rows) {
  constexpr bool kManyRegisters = kTileRows * kStripVectors > 16;
  return rows == 1 ? 8 : rows == 2 ? (kManyRegisters ? 8 : 4) : (kManyRegisters ? 4 : 2);
}

template <class T, int R, class Finish>
HL_INLINE void product_of_few_rows(const Product<T>& p, Span strips, int64_t row, Finish finish) {
  constexpr int kVectors = wide_vectors(R);
  constexpr int64_t kColumns = kVectors * lanes_of<T>(), kStrips = kColumns / strip_columns<T>();
  for (int64_t s = strips.begin; s < strips.end;) {
    const int64_t column = s * strip_columns<T>();
    const ProductTile<T> t = tile_at(p, row, s, Span{0, p.K});
    const bool wide = s + kStrips <= strips.end && column + kColumns <= p.N && column % panel_columns<T>() == 0;
    const int64_t columns = wide ? kColumns : columns_of<T>(s, p.N);
    if (wide)
      product_tile<T, R, kVectors>(t);
    else
      with_tiles<T>(columns, [&](auto tiles) { run_tile(tiles, t, R, columns); });
    finish(row, R, column, columns);
    s += wide ? kStrips : 1;
  }
}

constexpr int64_t kBlockK = 512;               // rows of a strip of w: the level-1 cache, or near it
constexpr int64_t kBlockRows = 8 * kTileRows;  // of x, kBlockK wide: the level-2 cache

constexpr int64_t kNearBytes = 1 << 19;  // an output of this size stays in the level-2 cache

// What a tile needs once it has walked down k: the lines it stores to, and what finish reads.
template <class T>
HL_INLINE void fetch_outputs(const Product<T>& p, int64_t row, int rows, int64_t column, int64_t columns, Span k) {
  for (int r = 0; r < rows; ++r) {
    if (k.begin == 0) prefetch_row(p.y + (row + r) * p.ldy + column, columns);
    if (k.end == p.K && p.also) prefetch_row(p.also + (row + r) * p.ld_also + column, columns);
  }
}

// The weights of strip s, a line at every step of k: the first tiles of the strip before it fetch all of them.
template <class T>
HL_INLINE void fetch_weights(const Product<T>& p, int64_t s, int64_t tile, Span k, ProductTile<T>* t) {
  constexpr int64_t NR = panel_columns<T>();
  if (tile * NR < strip_columns<T>()) t->ahead = p.w + strip_offset<T>(s, p.K) + (tile * p.K + k.begin) * NR;
}

// One block of k for one block of rows. finish is called if the sums are complete after it.
template <class T, class Finish>
HL_INLINE void product_of_block(const Product<T>& p, Span strips, Span rows, Span k, Finish finish) {
  const bool far = p.M * p.N * int64_t(sizeof(T)) > kNearBytes;
  for (int64_t s = strips.begin; s < strips.end; ++s) {
    const int64_t column = s * strip_columns<T>(), columns = columns_of<T>(s, p.N);
    int64_t tile = 0;
    with_tiles<T>(columns, [&](auto tiles) {
      for_each_tile(rows, [&](int64_t row, int count) {
        ProductTile<T> t = tile_at(p, row, s, k);
        if (far) {
          fetch_outputs(p, row, count, column, columns, k);
          if (s + 1 < strips.end) fetch_weights(p, s + 1, tile++, k, &t);
        }
        if (k.begin > 0 && row + count < rows.end) t.next = t.y + count * p.ldy;
        run_tile(tiles, t, count, columns);
        if (k.end == p.K) finish(row, count, column, columns);
      });
    });
  }
}

template <class T, class Finish>
HL_INLINE void product_of_rectangle(const Product<T>& p, Span strips, Span rows, Finish finish) {
  const int64_t count = rows.end - rows.begin;
  const bool one_block = count <= kTileRows || p.K == 0;
  const int64_t blocks = one_block ? 1 : ceil_div(p.K, kBlockK + kBlockK / 2), row_blocks = ceil_div(count, kBlockRows);
  for (int64_t kb = 0; kb < blocks; ++kb)
    for (int64_t mb = 0; mb < row_blocks; ++mb) {
      const Span in = share(count, Worker{int(mb), int(row_blocks)});
      product_of_block(p, strips, Span{rows.begin + in.begin, rows.begin + in.end},
                       share(p.K, Worker{int(kb), int(blocks)}), finish);
    }
}

// finish(row, rows, column, columns) follows when a tile's sums are complete.
template <class T, class Finish>
HL_INLINE void product(const Product<T>& p, Worker w, Finish finish) {
  for_each_rectangle<T>(p.N, p.M, w, [&](Span strips, Span rows) {
    const int64_t count = rows.end - rows.begin;
    if (count == 1) return product_of_few_rows<T, 1>(p, strips, rows.begin, finish);
    if (count == 2) return product_of_few_rows<T, 2>(p, strips, rows.begin, finish);
    if (count == 3) return product_of_few_rows<T, 3>(p, strips, rows.begin, finish);
    product_of_rectangle(p, strips, rows, finish);
  });
}

// ---- dw = x^T dz. ----

template <class T>
struct Outer {
  const T* x;  // (M,K)
  int64_t ldx;
  const T* dz;  // (M,N)
  int64_t lddz;
  T* dw;  // panels of (K,N), or null
  T* db;  // panels of (1,N), or null: the sums of dz
  int64_t M, K, N;
};

constexpr int64_t kOuterRows = 256;  // of dz a strip wide, and a tile's piece of x: the level-1 cache

// Rows of a strip whose last vector is not whole, made whole with zeros.
template <class T>
HL_INLINE void copy_strip(const T* from, int64_t ld, int64_t rows, int64_t columns, T* to) {
  using V = Vec<T>;
  for (int64_t m = 0; m < rows; ++m)
    unroll<kStripVectors>([&](auto c) {
      constexpr int64_t i = c * V::kLanes;
      V::load(from + m * ld + i, columns - i).store(to + m * strip_columns<T>() + i);
    });
}

template <class T>
HL_INLINE void outer_of_strip(const Outer<T>& o, int64_t s, Span k, Span m) {
  constexpr int64_t NR = panel_columns<T>(), kColumns = strip_columns<T>();
  alignas(64) T copy[kOuterRows * kColumns];
  const int64_t columns = columns_of<T>(s, o.N);
  OuterTile<T> t;
  t.M = m.end - m.begin;
  t.dz = o.dz + m.begin * o.lddz + s * kColumns;
  t.lddz = o.lddz;
  t.panel_stride = o.K * NR;
  t.columns = columns;
  if (columns < kColumns) {
    copy_strip(t.dz, t.lddz, t.M, columns, copy);
    t.dz = copy;
    t.lddz = kColumns;
  }
  with_tiles<T>(columns, [&](auto tiles) {
    if (o.dw) {
      t.ldx = o.ldx;
      for_each_tile(k, [&](int64_t row, int count) {
        t.x = o.x + m.begin * o.ldx + row;
        t.dw = o.dw + strip_offset<T>(s, o.K) + row * NR;
        t.from = m.begin > 0 ? t.dw : nullptr;
        tiles.outer[count - 1](t);
      });
    }
    if (o.db && k.begin == 0) {  // the same sum with a column of ones
      const T one = 1;
      t.x = &one;
      t.ldx = 0;
      t.dw = o.db + s * kColumns;
      t.panel_stride = NR;
      t.from = m.begin > 0 ? t.dw : nullptr;
      tiles.outer[0](t);
    }
  });
}

// The strips that a narrow last panel leaves empty.
template <class T>
HL_INLINE void clear_empty_strips(const Outer<T>& o, Worker w) {
  constexpr int64_t NR = panel_columns<T>(), kColumns = strip_columns<T>();
  for (int64_t s = ceil_div(o.N, kColumns); s * kColumns < ceil_div(o.N, NR) * NR; ++s) {
    const Span rows = share(o.dw ? o.K : 0, w);
    for (int64_t i = rows.begin * kStripVectors; i < rows.end * kStripVectors; ++i)
      Vec<T>(0).store(o.dw + strip_offset<T>(s, o.K) + i / kStripVectors * NR + i % kStripVectors * Vec<T>::kLanes);
    for (int64_t i = 0; o.db && w.id == 0 && i < kStripVectors; ++i)
      Vec<T>(0).store(o.db + s * kColumns + i * Vec<T>::kLanes);
  }
}

template <class T>
HL_INLINE void outer(const Outer<T>& o, Worker w) {
  for_each_rectangle<T>(o.N, o.dw ? o.K : 1, w, [&](Span strips, Span k) {
    const int64_t blocks = o.M > 0 ? ceil_div(o.M, kOuterRows) : 1;
    for (int64_t b = 0; b < blocks; ++b) {
      const Span m = share(o.M, Worker{int(b), int(blocks)});
      for (int64_t s = strips.begin; s < strips.end; ++s) outer_of_strip(o, s, k, m);
    }
  });
  clear_empty_strips(o, w);
}

// ---- dx = dz w^T for a few rows: dot products along the rows of w as they lie. ----

// L outputs k .. k + L of one row; rows of w past K stand in for themselves and are not stored by the caller.
template <class T>
HL_INLINE Vec<T> dots(const T* dz, const T* w, int64_t k, int64_t K, int64_t N) {
  using V = Vec<T>;
  constexpr int64_t L = V::kLanes, NR = panel_columns<T>();
  V sum[L];
  const T* rows[L];
  unroll<L>([&](auto i) {
    sum[i] = V(0);
    rows[i] = w + least(k + i, K - 1) * NR;
  });
  for (int64_t n = 0; n < N; n += L) {
    const int64_t offset = n / NR * K * NR + n % NR;
    const V factor = V::load(dz + n, N - n);
    unroll<L>([&](auto i) { sum[i] = fma(factor, V::load(rows[i] + offset), sum[i]); });
  }
  return sums_of(sum);
}

// finish as in `product`.
template <class T, class Finish>
HL_INLINE void product_by_dots(const Product<T>& p, Worker w, Finish finish) {
  constexpr int64_t L = Vec<T>::kLanes;
  const Span blocks = share(ceil_div(p.N, L), w);
  for (int64_t i = blocks.begin; i < blocks.end; ++i)
    for (int64_t m = 0; m < p.M; ++m) {
      dots(p.x + m * p.ldx, p.w, i * L, p.N, p.K).store(p.y + m * p.ldy + i * L, p.N - i * L);
      finish(m, 1, i * L, least(L, p.N - i * L));
    }
}

// ---- Panels. ----

template <class T>
void panel_pack(const PanelCopy& a, const RunState&, Worker w) noexcept {
  constexpr int64_t NR = panel_columns<T>();
  const int64_t K = a.shape.K, N = a.shape.N;
  const Span rows = share(a.shape.panels(NR) * K, w);
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const int64_t column = r / K * NR, row = r % K;
    const T* from = static_cast<const T*>(a.matrix) + row * N + column;
    for (int64_t i = 0; i < NR; i += Vec<T>::kLanes)
      Vec<T>::load(from + i, N - column - i).store(static_cast<T*>(a.panels) + r * NR + i);
  }
}

template <class T>
void panel_unpack(const PanelCopy& a, const RunState&, Worker w) noexcept {
  constexpr int64_t NR = panel_columns<T>();
  const int64_t K = a.shape.K, N = a.shape.N;
  const Span rows = share(a.shape.panels(NR) * K, w);
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const int64_t column = r / K * NR, row = r % K;
    T* to = static_cast<T*>(a.matrix) + row * N + column;
    for (int64_t i = 0; i < NR; i += Vec<T>::kLanes)
      Vec<T>::load(static_cast<const T*>(a.panels) + r * NR + i).store(to + i, N - column - i);
  }
}

template <class T>
void panel_transpose(const PanelTranspose& a, const RunState&, Worker w) noexcept {
  using V = Vec<T>;
  constexpr int64_t L = V::kLanes, NR = panel_columns<T>();
  const int64_t K = a.shape.K, N = a.shape.N, across = ceil_div(N, L);
  const Span blocks = share(ceil_div(K, NR) * NR / L * across, w);
  for (int64_t b = blocks.begin; b < blocks.end; ++b) {
    const int64_t k = b / across * L, n = b % across * L;
    const T* from = static_cast<const T*>(a.src) + n / NR * K * NR + n % NR;
    T* to = static_cast<T*>(a.dst) + k / NR * N * NR + k % NR;
    V v[L];
    unroll<L>([&](auto i) { v[i] = k + i < K ? V::load(from + (k + i) * NR) : V(0); });
    transpose(v);
    unroll<L>([&](auto i) {
      if (n + i < N) v[i].store(to + (n + i) * NR);
    });
  }
}
