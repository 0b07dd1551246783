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
  Fetch* fetch = nullptr;  // what else to bring nearer, or null
};

// A sum over k is cut into blocks, each added up on its own and then to the bias, in order. The cut depends on K and N
// alone, so a row's bits do not depend on M. Long sums are cut because a block of w stays in the level-1 cache; those of
// a narrow w, because one row of x would leave the multipliers waiting for one chain after the other.
struct Cut {
  int64_t K, blocks, length;
  bool side_by_side;  // 2, 4 or 8 blocks: one row may add them up at the same time

  HL_INLINE Span block(int64_t b) const { return {b * length, b + 1 == blocks ? K : (b + 1) * length}; }
};

constexpr int64_t kBlockK = 1024;   // rows of a strip of w: the level-1 cache, or near it
constexpr int64_t kChains = 8;      // multiply-adds in flight
constexpr int64_t kShortestK = 64;  // a shorter chain costs more to start than it hides

template <class T>
HL_INLINE Cut cut_of(int64_t K, int64_t N) {
  constexpr int64_t NR = panel_columns<T>();
  const int64_t panels = ceil_div(N, NR);
  int64_t blocks = 1;
  while (blocks * 2 * panels <= kChains && blocks * 2 * kShortestK <= K) blocks *= 2;
  const bool long_blocks = K > blocks * kBlockK;
  if (long_blocks) blocks = ceil_div(K, kBlockK);
  return {K, blocks, blocks == 1 ? K : K / blocks / NR * NR, blocks > 1 && !long_blocks};
}

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
  t.fetch = p.fetch;
  return t;
}

// Columns of strip s that are no padding.
template <class T>
HL_INLINE int64_t columns_of(int64_t s, int64_t N) {
  return least(strip_columns<T>(), N - s * strip_columns<T>());
}

// A few rows have too few sums to keep the multipliers busy; several panels side by side have more.
constexpr HL_INLINE int wide_vectors(int rows) {
  constexpr bool kManyRegisters = kTileRows * kStripVectors > 16;
  return rows == 1 ? 8 : rows == 2 ? (kManyRegisters ? 8 : 4) : (kManyRegisters ? 4 : 2);
}

// Calls body(count as a constant) for 1 .. kFewRows rows.
template <int R = 1, class Body>
HL_INLINE void with_rows(int64_t count, Body body) {
  if constexpr (R < kFewRows) {
    if (count > R) return with_rows<R + 1>(count, body);
  }
  body(Const<R>());
}

template <class T, int R, class Finish>
HL_INLINE void product_of_few_rows(const Product<T>& p, const Cut& cut, Span strips, int64_t row, Finish finish) {
  constexpr int kVectors = wide_vectors(R);
  constexpr int64_t kColumns = kVectors * lanes_of<T>(), kStrips = kColumns / strip_columns<T>();
  for (int64_t s = strips.begin; s < strips.end;) {
    const int64_t column = s * strip_columns<T>();
    const bool wide = s + kStrips <= strips.end && column + kColumns <= p.N && column % panel_columns<T>() == 0;
    const int64_t columns = wide ? kColumns : columns_of<T>(s, p.N);
    for (int64_t b = 0; b < cut.blocks; ++b) {
      const ProductTile<T> t = tile_at(p, row, s, cut.block(b));
      if (wide)
        product_tile<T, R, kVectors>(t);
      else
        with_tiles<T>(columns, [&](auto tiles) { tiles.product[R - 1](t); });
    }
    finish(row, R, column, columns);
    s += wide ? kStrips : 1;
  }
}

// One row of a strip with B blocks of k side by side, each a chain of its own.
template <class T, int B, int C>
HL_NOINLINE void row_of_blocks(const ProductTile<T>& tile, int64_t length) noexcept {
  using V = Vec<T>;
  constexpr int64_t L = V::kLanes, NR = panel_columns<T>();
  const ProductTile<T> t = tile;
  V sum[B * C];
  unroll<B * C>([&](auto i) { sum[i] = V(0); });
  const auto step = [&](auto b, int64_t k) {
    const V factor(t.x[k]);
    unroll<C>([&](auto c) {
      sum[b * C + c] = fma(factor, V::load(t.w + k * NR + vector_offset<T>(c, t.panel_stride)), sum[b * C + c]);
    });
  };
  for (int64_t k = 0; k < length; ++k) unroll<B>([&](auto b) { step(b, b * length + k); });
  for (int64_t k = B * length; k < t.K; ++k) step(Const<B - 1>(), k);
  unroll<C>([&](auto c) {
    V total = t.from ? V::load(t.from + c * L) : V(0);
    unroll<B>([&](auto b) { total += sum[b * C + c]; });
    total.store(t.y + c * L);
  });
}

// One row by a narrow w.
template <class T, int B, class Finish>
HL_INLINE void product_of_blocks(const Product<T>& p, const Cut& cut, Span strips, int64_t row, Finish finish) {
  if constexpr (B < kChains) {
    if (cut.blocks > B) return product_of_blocks<T, 2 * B>(p, cut, strips, row, finish);
  }
  for (int64_t s = strips.begin; s < strips.end; ++s) {
    const int64_t columns = columns_of<T>(s, p.N);
    with_tiles<T>(columns, [&](auto tiles) {
      row_of_blocks<T, B, decltype(tiles)::kVectors>(tile_at(p, row, s, Span{0, p.K}), cut.length);
    });
    finish(row, 1, s * strip_columns<T>(), columns);
  }
}

constexpr int64_t kBlockRows = 8 * kTileRows;  // of x, kBlockK wide: the level-2 cache
constexpr int64_t kNearBytes = 1 << 19;        // an output of this size stays in the level-2 cache

// What a tile needs once it has walked down k: the lines it stores to, and what finish reads.
template <class T>
HL_INLINE void fetch_outputs(const Product<T>& p, int64_t row, int rows, int64_t column, int64_t columns, Span k) {
  for (int r = 0; r < rows; ++r) {
    prefetch_row(p.y + (row + r) * p.ldy + column, columns);
    if (k.end == p.K && p.also) prefetch_row(p.also + (row + r) * p.ld_also + column, columns);
  }
}

// One block of k for one block of rows. finish is called if the sums are complete after it.
template <class T, class Finish>
HL_INLINE void product_of_block(const Product<T>& p, Span strips, Span rows, Span k, Finish finish) {
  constexpr int64_t NR = panel_columns<T>();
  const bool far = p.M * p.N * int64_t(sizeof(T)) > kNearBytes;
  for (int64_t s = strips.begin; s < strips.end; ++s) {
    const int64_t column = s * strip_columns<T>(), columns = columns_of<T>(s, p.N);
    int64_t panel = 0;
    with_tiles<T>(columns, [&](auto tiles) {
      for_each_tile(rows, [&](int64_t row, int count) {
        ProductTile<T> t = tile_at(p, row, s, k);
        Fetch weights{reinterpret_cast<const char*>(t.w)};
        if (far) {
          fetch_outputs(p, row, count, column, columns, k);
          // The first tiles of a strip bring the panels of the next one.
          if (s + 1 < strips.end && panel * NR < strip_columns<T>()) {
            weights.at = reinterpret_cast<const char*>(p.w + strip_offset<T>(s + 1, p.K) + (panel++ * p.K + k.begin) * NR);
            weights.left = t.K;
          }
        }
        if (far || !t.fetch) t.fetch = &weights;  // far: much work a row, and w is what it waits for
        tiles.product[count - 1](t);
        if (k.end == p.K) finish(row, count, column, columns);
      });
    });
  }
}

template <class T, class Finish>
HL_INLINE void product_of_rectangle(const Product<T>& p, const Cut& cut, Span strips, Span rows, Finish finish) {
  const int64_t count = rows.end - rows.begin, row_blocks = ceil_div(count, kBlockRows);
  for (int64_t b = 0; b < cut.blocks; ++b)
    for (int64_t mb = 0; mb < row_blocks; ++mb) {
      const Span in = share(count, Worker{int(mb), int(row_blocks)});
      product_of_block(p, strips, Span{rows.begin + in.begin, rows.begin + in.end}, cut.block(b), finish);
    }
}

// ---- The same where x is mostly zeros (core/nonzero.h). ----

constexpr int64_t kMostPositions = 2048;  // of a block of k
constexpr int64_t kChosenRows = 8;        // of y, finished together

// Whether it pays to leave zeros of x (M,K) out; fewer columns N would not pay the search for the others.
template <class T>
HL_INLINE bool skips_zeros(const T* x, int64_t ldx, int64_t M, int64_t K, int64_t N) {
  constexpr bool kWholePanels = strip_columns<T>() % panel_columns<T>() == 0;
  return kWholePanels && K >= kBitsTogether && N > 2 * panel_columns<T>() && mostly_zeros(x, ldx, M, K);
}

template <class T>
HL_INLINE void product_of_row(const Product<T>& p, const Cut& cut, Span strips, int64_t row) {
  alignas(kAlignment) int32_t at[kMostPositions + kBitsTogether];
  const int64_t column = strips.begin * strip_columns<T>();
  const int64_t columns = least(p.N, strips.end * strip_columns<T>()) - column;
  for (int64_t b = 0; b < cut.blocks; ++b) {
    const ProductTile<T> t = tile_at(p, row, strips.begin, cut.block(b));
    const int64_t count = nonzero_positions(t.x, t.K, at);
    chosen_sums<false>(ChosenSum<T>{t.x, 1, t.w, panel_columns<T>(), t.panel_stride, at, count, t.from, t.y, panel_columns<T>()},
                       ceil_div(columns, lanes_of<T>()));
  }
}

template <class T, class Finish>
HL_INLINE void product_without_zeros(const Product<T>& p, const Cut& cut, Worker w, Finish finish) {
  const int64_t lines = p.fetch ? p.fetch->rows * p.fetch->row_lines : 0;
  if (p.fetch) p.fetch->pace = 1;
  for_each_rectangle<T>(p.N, p.M, w, [&](Span strips, Span rows) {
    const int64_t column = strips.begin * strip_columns<T>();
    for (int64_t row = rows.begin; row < rows.end; row += kChosenRows) {
      const int64_t count = least(kChosenRows, rows.end - row);
      for (int64_t r = row; r < row + count; ++r) product_of_row(p, cut, strips, r);
      finish(row, count, column, least(p.N, strips.end * strip_columns<T>()) - column);
      for (int64_t i = ceil_div(lines * count, p.M); i > 0; --i) p.fetch->step();
    }
  });
}

// finish(row, rows, column, columns) follows when a tile's sums are complete.
template <class T, class Finish>
HL_INLINE void product(const Product<T>& p, Worker w, Finish finish) {
  const Cut cut = cut_of<T>(p.K, p.N);
  const Span last = cut.block(cut.blocks - 1);
  if (last.end - last.begin <= kMostPositions && skips_zeros(p.x, p.ldx, p.M, p.K, p.N))
    return product_without_zeros(p, cut, w, finish);
  for_each_rectangle<T>(p.N, p.M, w, [&](Span strips, Span rows) {
    const int64_t count = rows.end - rows.begin;
    if (count > kFewRows) return product_of_rectangle(p, cut, strips, rows, finish);
    // Two rows have chains enough, and read w once.
    if (cut.side_by_side && count == 1) return product_of_blocks<T, 2>(p, cut, strips, rows.begin, finish);
    with_rows(count, [&](auto R) { product_of_few_rows<T, R>(p, cut, strips, rows.begin, finish); });
  });
}

// This worker's share of the rows of the next batch, spread over its steps of k.
template <class T>
HL_INLINE Fetch fetch_of(const Upcoming& next, const RunState& run, const Product<T>& p, Worker w) {
  Fetch fetch{nullptr};
  const Span rows = share(next.source && run.next_index ? run.next_rows : 0, w);
  if (rows.begin == rows.end) return fetch;
  fetch.rows = rows.end - rows.begin;
  fetch.index = run.next_index + rows.begin;
  fetch.data = next.source->data;
  fetch.row_bytes = next.source->row_bytes;
  fetch.row_lines = next.features * size_of(next.source->dtype) / kAlignment + 1;
  const int64_t steps = ceil_div(p.N, strip_columns<T>()) * ceil_div(p.M, kTileRows) * p.K / w.count;
  fetch.pace = steps / (fetch.rows * fetch.row_lines);
  return fetch;
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
  bool adds_dw, adds_db;  // to what is there
};

constexpr int64_t kOuterRows = 256;  // of dz a strip wide, and a tile's piece of x: the level-1 cache

template <class T>
HL_INLINE void outer_of_strip(const Outer<T>& o, int64_t s, Span k, Span m) {
  constexpr int64_t NR = panel_columns<T>(), kColumns = strip_columns<T>();
  const int64_t columns = columns_of<T>(s, o.N);
  OuterTile<T> t;
  t.M = m.end - m.begin;
  t.dz = o.dz + m.begin * o.lddz + s * kColumns;
  t.lddz = o.lddz;
  t.panel_stride = o.K * NR;
  t.columns = columns;
  with_tiles<T>(columns, [&](auto tiles) {
    if (o.dw) {
      t.ldx = o.ldx;
      for_each_tile(k, [&](int64_t row, int count) {
        t.x = o.x + m.begin * o.ldx + row;
        t.dw = o.dw + strip_offset<T>(s, o.K) + row * NR;
        t.from = m.begin > 0 || o.adds_dw ? t.dw : nullptr;
        tiles.outer[count - 1](t);
      });
    }
    if (o.db && k.begin == 0) {  // the same sum with a column of ones
      const T one = 1;
      t.x = &one;
      t.ldx = 0;
      t.dw = o.db + s * kColumns;
      t.panel_stride = NR;
      t.from = m.begin > 0 || o.adds_db ? t.dw : nullptr;
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

static_assert(kOuterRows <= kColumnRows, "a column's bits are found together");

// dw for some strips, 16 rows of it and a block of m, where x is mostly zeros.
template <class T>
HL_INLINE void outer_without_zeros(const Outer<T>& o, Span strips, Span k, Span m) {
  constexpr int64_t L = lanes_of<T>(), NR = panel_columns<T>();
  const int64_t M = m.end - m.begin, column = strips.begin * strip_columns<T>();
  const int64_t columns = least(o.N, strips.end * strip_columns<T>()) - column;
  const T* x = o.x + m.begin * o.ldx + k.begin;
  ColumnBits found;
  find_nonzero_columns(x, o.ldx, M, k.end - k.begin, &found);
  for (int64_t i = 0; i < k.end - k.begin; ++i) {
    alignas(kAlignment) int32_t at[kOuterRows + kBitsTogether];
    T* to = o.dw + strip_offset<T>(strips.begin, o.K) + (k.begin + i) * NR;
    const int64_t count = column_positions(found, i, M, at);
    chosen_sums<true>(ChosenSum<T>{x + i, o.ldx, o.dz + m.begin * o.lddz + column, o.lddz, NR, at, count,
                                   m.begin > 0 || o.adds_dw ? to : nullptr, to, o.K * NR},
                      ceil_div(columns, L));
    T* last = to + columns / NR * o.K * NR;
    for (int64_t c = columns % NR / L * L; columns % NR > 0 && c < NR; c += L)
      select(Vec<T>::first(columns % NR - c), Vec<T>::load(last + c), Vec<T>(0)).store(last + c);
  }
}

constexpr int64_t kLeastChosenRows = 8;  // of x: fewer would not pay the search

template <class T>
HL_INLINE void outer(Outer<T> o, Worker w) {
  if (o.dw && o.M >= kLeastChosenRows && skips_zeros(o.x, o.ldx, o.M, o.K, o.N)) {
    for_each_rectangle<T>(o.N, o.K, w, [&](Span strips, Span k) {
      const int64_t blocks = ceil_div(o.M, kOuterRows);
      for (int64_t row = k.begin; row < k.end; row += kBitsTogether)
        for (int64_t b = 0; b < blocks; ++b)
          outer_without_zeros(o, strips, Span{row, least(k.end, row + kBitsTogether)}, share(o.M, Worker{int(b), int(blocks)}));
    });
    clear_empty_strips(o, w);
    if (!o.db) return;
    o.dw = nullptr;
  }
  for_each_rectangle<T>(o.N, o.dw ? o.K : 1, w, [&](Span strips, Span k) {
    const int64_t blocks = o.M > 0 ? ceil_div(o.M, kOuterRows) : 1;
    for (int64_t b = 0; b < blocks; ++b) {
      const Span m = share(o.M, Worker{int(b), int(blocks)});
      for (int64_t s = strips.begin; s < strips.end; ++s) outer_of_strip(o, s, k, m);
    }
  });
  clear_empty_strips(o, w);
}

// ---- dx = dz w^T for a few rows, w transposed a square at a time on the way. ----

// y (R,L) += x (R, k) w^T, for the outputs n .. n + L of one block of k. w is panels of (N,K), as it lies.
template <class T, int R>
HL_INLINE void transposed_sums(const Product<T>& p, int64_t n, Span k, Vec<T> (&sum)[R]) {
  using V = Vec<T>;
  constexpr int64_t L = V::kLanes, NR = panel_columns<T>();
  for (int64_t at = k.begin; at < k.end; at += L) {
    V v[L];
    const T* w = p.w + at / NR * p.N * NR + at % NR;
    unroll<L>([&](auto i) { v[i] = V::load(w + least(n + i, p.N - 1) * NR); });
    transpose(v);
    const int64_t count = least(L, k.end - at);
    const auto add = [&](auto i) {
      unroll<R>([&](auto r) { sum[r] = fma(V(p.x[r * p.ldx + at + i]), v[i], sum[r]); });
    };
    if (count == L)
      unroll<L>(add);
    else
      unroll<L>([&](auto i) {
        if (i < count) add(i);
      });
  }
}

// At most kFewRows rows; finish as in `product`, and the same sums.
template <class T, class Finish>
HL_INLINE void product_transposed(const Product<T>& p, Worker w, Finish finish) {
  using V = Vec<T>;
  constexpr int64_t L = V::kLanes;
  const Cut cut = cut_of<T>(p.K, p.N);
  const Span squares = share(p.M > 0 ? ceil_div(p.N, L) : 0, w);
  with_rows(p.M, [&](auto R) {
    for (int64_t n = squares.begin * L; n < least(p.N, squares.end * L); n += L) {
      V total[R];
      unroll<R>([&](auto r) { total[r] = V(0); });
      for (int64_t b = 0; b < cut.blocks; ++b) {
        V sum[R];
        unroll<R>([&](auto r) { sum[r] = V(0); });
        transposed_sums<T, R>(p, n, cut.block(b), sum);
        unroll<R>([&](auto r) { total[r] += sum[r]; });
      }
      unroll<R>([&](auto r) { total[r].store(p.y + r * p.ldy + n); });
      finish(0, R, n, least(L, p.N - n));
    }
  });
}

// ---- Panels. ----

template <class T>
HL_KERNEL_TEXT void panel_pack(const PanelCopy& a, const RunState&, Worker w) noexcept {
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
HL_KERNEL_TEXT void panel_unpack(const PanelCopy& a, const RunState&, Worker w) noexcept {
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
HL_KERNEL_TEXT void panel_transpose(const PanelTranspose& a, const RunState&, Worker w) noexcept {
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
