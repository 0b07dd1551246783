// Products on a GPU. A block of threads makes a tile of the output: it brings pieces of both factors into the memory of the
// block, a piece ahead of the one it multiplies, and every thread keeps a square of sums in registers.
//
// A sum is cut in four where it is long, each part one chain of multiply-adds in ascending k, and the parts are added to
// the bias in order. The cut depends on the sum's length alone, so a row's bits depend neither on M nor on the tile.

constexpr int kParts = 4;
constexpr int64_t kShortestSum = 64;  // that is cut

struct Cut {
  int64_t K, parts, length;

  HL_INLINE explicit Cut(int64_t n) : K(n), parts(n >= kShortestSum ? kParts : 1), length(ceil_div(n, parts)) {}
  HL_INLINE Span part(int64_t i) const { return {least(K, i * length), i < parts ? least(K, (i + 1) * length) : K}; }
};

template <class T>
struct alignas(16) Four {
  T v[4];
};

// A tile of Rows x Columns outputs, in steps of Depth of the sum. Groups of threads make the whole tile side by side, each
// for its part of the sum. A thread has TM x TN outputs, as squares of four by four.
template <class T_, int Rows, int Columns, int Depth, int Groups, int TN>
struct Tile {
  using T = T_;
  static constexpr int kRows = Rows, kColumns = Columns, kDepth = Depth, kGroups = Groups, kTN = TN;
  static constexpr int kThreads = kBlockThreads / Groups;  // of a group
  static constexpr int kAcross = Columns / TN;             // threads side by side
  static constexpr int kTM = Rows / (kThreads / kAcross);
  // Rows of these are apart by what keeps threads that read or write together in different banks.
  static constexpr int kLdx = Rows + 4, kLdw = Columns + int(panel_columns<T>());
  static constexpr int kLoadsX = Rows * Depth / kThreads, kLoadsW = Columns * Depth / kThreads;

  static constexpr int kSums = kTM * TN, kRun = 4, kSquareRows = 4, kSquares = kSums / 16;

  struct Stage {
    alignas(32) T x[Depth * kLdx];  // (k, row)
    alignas(32) T w[Depth * kLdw];  // (k, column)

    HL_INLINE void put_x(int depth, int line, T value) { x[depth * kLdx + line] = value; }
    HL_INLINE void put_w(int depth, int line, T value) { w[depth * kLdw + line] = value; }
  };
  union Shared {
    Stage stages[Groups][2];
    T parts[Groups][Groups > 1 ? Rows * Columns : 1];
  };
  struct Own {
    T sum[kSums], x[kLoadsX], w[kLoadsW];
  };

  // Where a thread's output r (of TM) or c (of TN) is.
  static HL_INLINE int row(int lane, int r) { return r / 4 * (Rows / (kTM / 4)) + lane / kAcross * 4 + r % 4; }
  static HL_INLINE int column(int lane, int c) { return c / 4 * (Columns / (TN / 4)) + lane % kAcross * 4 + c % 4; }
  // Four neighbours of sums, from 4 run on; and the first run of a square of four by four.
  static HL_INLINE int row_of_run(int lane, int run) { return row(lane, run / (TN / 4)); }
  static HL_INLINE int column_of_run(int lane, int run) { return column(lane, run % (TN / 4) * 4); }
  static HL_INLINE int run_of_square(int square) { return square / (TN / 4) * TN + square % (TN / 4); }

  static HL_INLINE void multiply(int lane, T* sum, const Stage& stage) {
    HL_TURNS(2)
    for (int d = 0; d < Depth; ++d) {
      Four<T> x[kTM / 4], w[TN / 4];
      unroll<kTM / 4>([&](auto q) { x[q] = *reinterpret_cast<const Four<T>*>(stage.x + d * kLdx + row(lane, q * 4)); });
      unroll<TN / 4>([&](auto q) { w[q] = *reinterpret_cast<const Four<T>*>(stage.w + d * kLdw + column(lane, q * 4)); });
      unroll<kSums>([&](auto i) {
        constexpr int r = i / TN, c = i % TN;
        sum[i] = fma_of(x[r / 4].v[r % 4], w[c / 4].v[c % 4], sum[i]);
      });
    }
  }
};

#if defined(HL_TENSOR)
template <class T>
struct Tiles {
  using Large = TensorTile<HL_TENSOR, HL_TENSOR::kMostRows, 64, 16, 1, HL_TENSOR::kMostRows / 2, 32>;
  using Middle = TensorTile<HL_TENSOR, 64, 64, 16, 1, 32, 32>;
  using Small = TensorTile<HL_TENSOR, 16, 32, 16, kParts, 16, 32>;
  static constexpr int kBytes = int(sizeof(typename Small::Shared));
  static_assert(kBytes <= 48 << 10 && sizeof(typename Large::Shared) <= size_t(kBytes), "what every GPU gives a block");
};
#else
template <class T>
struct Tiles {
  static constexpr int kWide = sizeof(T) == 4 ? 128 : 64;  // a thread has registers for 64 sums of float, 32 of double
  using Large = Tile<T, kWide, 64, 8, 1, 8>;
  using Middle = Tile<T, 64, 64, 8, 1, 8>;
  using Small = Tile<T, 16, 32, 64 / int(sizeof(T)), kParts, 4>;
  static constexpr int kBytes = int(sizeof(typename Small::Shared));
  static_assert(kBytes <= 48 << 10 && sizeof(typename Large::Shared) <= size_t(kBytes), "what every GPU gives a block");
};
#endif

// ---- Where factors lie. A line is a row of x or a column of w; what is beyond the last one, or the sum's end, is zero.
// Each thread loads elements equally far apart, so that it keeps one address. ----

template <int Lines, int Depth, int Threads>
struct Axis {
  static constexpr int kLines = Lines, kDepth = Depth, kThreads = Threads, kLoads = Lines * Depth / Threads;
  static_assert((Threads % Lines == 0 || Lines % Threads == 0) && Threads % Depth == 0, "every thread has as many");
};
struct Place {
  int line, depth;
};

// How many of the places first, first + apart, .. lie before `end`.
HL_INLINE int count_before(int64_t end, int64_t first, int apart) {
  return first < end ? int(least((end - first + apart - 1) / apart, 1 << 10)) : 0;
}

// Element (line, k) at data[line * ld + k].
template <class T>
struct Lengthwise {
  const T* data;
  int64_t ld, lines;

  template <class A>
  static HL_INLINE Place place(int lane, int i) {
    return {lane / A::kDepth + i * (A::kThreads / A::kDepth), lane % A::kDepth};
  }
  template <class A>
  HL_INLINE void load(T* to, int lane, int64_t first, int64_t k, int64_t end) const {
    constexpr int kApart = A::kThreads / A::kDepth;
    const int64_t line = first + lane / A::kDepth, d = k + lane % A::kDepth;
    const int count = d < end ? count_before(lines, line, kApart) : 0;
    const T* from = data + line * ld + d;
    unroll<A::kLoads>([&](auto i) { to[i] = i < count ? from[i * (kApart * ld)] : T(0); });
  }
};

// Element (line, k) at data[k * ld + line]. With `ones` there is one line more, of ones.
template <class T>
struct Crosswise {
  const T* data;
  int64_t ld, lines;
  bool ones;

  template <class A>
  static HL_INLINE Place place(int lane, int i) {
    return {lane % A::kLines, lane / A::kLines + i * (A::kThreads / A::kLines)};
  }
  template <class A>
  HL_INLINE void load(T* to, int lane, int64_t first, int64_t k, int64_t end) const {
    constexpr int kApart = A::kThreads / A::kLines;
    const int64_t line = first + lane % A::kLines, d = k + lane / A::kLines;
    const int count = line < lines + ones ? count_before(end, d, kApart) : 0;
    const bool one = line == lines;
    const T* from = data + d * ld + line;
    unroll<A::kLoads>([&](auto i) { to[i] = i >= count ? T(0) : one ? T(1) : from[i * (kApart * ld)]; });
  }
};

// Panels of (K,N): line n.
template <class T>
struct Panels {
  static constexpr int NR = int(panel_columns<T>());
  const T* data;
  int64_t K, lines;

  // Threads side by side have a line of a panel, then the next k; where they are more than its lines and Depth of k, the
  // next panel.
  template <class A> static constexpr int kInPanel = A::kDepth * NR > A::kThreads ? A::kDepth * NR / A::kThreads : 1;
  template <class A> static constexpr int kPanels = A::kThreads > A::kDepth * NR ? A::kThreads / (A::kDepth * NR) : 1;

  template <class A>
  static HL_INLINE Place place(int lane, int i) {
    const int panel = i / kInPanel<A> * kPanels<A> + lane / (A::kDepth * NR);
    return {panel * NR + lane % NR, lane / NR % A::kDepth + i % kInPanel<A> * (A::kThreads / NR)};
  }
  template <class A>
  HL_INLINE void load(T* to, int lane, int64_t first, int64_t k, int64_t end) const {
    const Place at = place<A>(lane, 0);
    const int panels = count_before(ceil_div(lines, NR), (first + at.line) / NR, kPanels<A>);
    const int left = int(least(end - k, A::kDepth)) - at.depth;
    const T* from = data + ((first + at.line) / NR * K + k + at.depth) * NR + lane % NR;
    unroll<A::kLoads>([&](auto i) {
      constexpr int panel = i / kInPanel<A>, d = i % kInPanel<A> * (A::kThreads / NR);
      to[i] = panel < panels && d < left ? from[panel * (kPanels<A> * NR * K) + d * NR] : T(0);
    });
  }
};

// Panels of (N,K), the transpose: line n.
template <class T>
struct PanelsAcross {
  static constexpr int NR = int(panel_columns<T>());
  const T* data;
  int64_t lines;

  template <class A>
  static HL_INLINE Place place(int lane, int i) { return Lengthwise<T>::template place<A>(lane, i); }
  template <class A>
  HL_INLINE void load(T* to, int lane, int64_t first, int64_t k, int64_t end) const {
    constexpr int kApart = A::kThreads / A::kDepth;
    const int64_t line = first + lane / A::kDepth, d = k + lane % A::kDepth;
    const int count = d < end ? count_before(lines, line, kApart) : 0;
    const T* from = data + (d / NR * lines + line) * NR + d % NR;
    unroll<A::kLoads>([&](auto i) { to[i] = i < count ? from[i * (kApart * NR)] : T(0); });
  }
};

// The factors of a product: lines of x and of w.
template <class X_, class W_>
struct Factors {
  using X = X_;
  using W = W_;
  X x;
  W w;
};

// ---- Tiles. ----

// A block at the tile that begins at (row, column).
template <class S, class In>
struct TileOfBlock {
  using T = typename S::T;
  using Own = typename S::Own;
  using AxisX = Axis<S::kRows, S::kDepth, S::kThreads>;
  using AxisW = Axis<S::kColumns, S::kDepth, S::kThreads>;
  Block<typename S::Shared, Own, Tiles<T>::kBytes>& block;
  const In& in;
  int64_t row, column;

  // The factors of a step that begins at k, on their way to the stage.
  HL_INLINE void load(int lane, Own& own, int64_t k, int64_t end) const {
    in.x.template load<AxisX>(own.x, lane, row, k, end);
    in.w.template load<AxisW>(own.w, lane, column, k, end);
  }
  HL_INLINE void put(int lane, const Own& own, typename S::Stage& stage) const {
    unroll<S::kLoadsX>([&](auto i) {
      const Place at = In::X::template place<AxisX>(lane, i);
      stage.put_x(at.depth, at.line, own.x[i]);
    });
    unroll<S::kLoadsW>([&](auto i) {
      const Place at = In::W::template place<AxisW>(lane, i);
      stage.put_w(at.depth, at.line, own.w[i]);
    });
  }

  // Every thread's sums: of part `first`, or of the part that its group has from there on.
  HL_INLINE void add_up(const Cut& cut, int64_t first) const {
    const auto part_of = [&](int thread) { return cut.part(first + thread / S::kThreads); };
    const auto stage = [&](int thread, int64_t step) -> typename S::Stage& {
      return block.shared().stages[thread / S::kThreads][step % 2];
    };
    const int64_t steps = ceil_div(cut.length, S::kDepth);
    block.phase([&](int thread, Own& own) {
      const Span k = part_of(thread);
      unroll<S::kSums>([&](auto i) { own.sum[i] = T(0); });
      load(thread % S::kThreads, own, k.begin, k.end);
      put(thread % S::kThreads, own, stage(thread, 0));
    });
    HL_TURNS(1)
    for (int64_t step = 0; step < steps; ++step)
      block.phase([&](int thread, Own& own) {
        const Span k = part_of(thread);
        const int lane = thread % S::kThreads;
        const bool more = step + 1 < steps;
        if (more) load(lane, own, k.begin + (step + 1) * S::kDepth, k.end);
        if (k.begin + step * S::kDepth < k.end) S::multiply(lane, own.sum, stage(thread, step));
        if (more) put(lane, own, stage(thread, step + 1));
      });
  }

  // All threads are one group: the parts are added up in the output.
  template <class Out>
  HL_INLINE void make_alone(const Cut& cut, const Out& out) const {
    HL_TURNS(1)
    for (int64_t part = 0; part < cut.parts; ++part) {
      add_up(cut, part);
      block.phase([&](int lane, Own& own) {
        int64_t first_row = row, first_column = column;
        HL_JUST_HERE(first_row);
        HL_JUST_HERE(first_column);
        unroll<S::kSums / S::kRun>([&](auto run) {  // neighbours, of one panel
          const int64_t r = first_row + S::row_of_run(lane, run), c = first_column + S::column_of_run(lane, run);
          if (r >= out.rows || c >= out.columns) return;
          T* y = &out.at(r, c);
          const int count = int(least(S::kRun, out.columns - c));
          unroll<S::kRun>([&](auto j) {
            if (j < count) y[j] = (part > 0 ? y[j] : out.start(r, c + j)) + own.sum[run * S::kRun + j];
          });
        });
        if (part + 1 < cut.parts) return;
        for (int q = 0; q < S::kSquares; ++q) {
          const int64_t r = first_row + S::row_of_run(lane, S::run_of_square(q));
          const int64_t c = first_column + S::column_of_run(lane, S::run_of_square(q));
          if (r < out.rows && c < out.columns)
            out.finish(r, least(S::kSquareRows, out.rows - r), c, least(S::kRun, out.columns - c));
        }
      });
    }
  }

  // A group has one part.
  template <class Out>
  HL_INLINE void make_by_groups(const Cut& cut, const Out& out) const {
    add_up(cut, 0);
    auto& parts = block.shared().parts;
    block.phase([&](int thread, Own& own) {
      const int lane = thread % S::kThreads;
      unroll<S::kSums>([&](auto i) {
        const int r = S::row_of_run(lane, i / S::kRun), c = S::column_of_run(lane, i / S::kRun) + i % S::kRun;
        parts[thread / S::kThreads][r * S::kColumns + c] = own.sum[i];
      });
    });
    block.phase([&](int thread, Own&) {
      constexpr int kEach = S::kRows * S::kColumns / kBlockThreads;  // neighbours in a row
      const int at = thread * kEach;
      const int64_t r = row + at / S::kColumns, c = column + at % S::kColumns;
      if (r >= out.rows || c >= out.columns) return;
      for (int i = 0; i < kEach && c + i < out.columns; ++i) {
        T total = out.start(r, c + i);
        for (int64_t part = 0; part < cut.parts; ++part) total += parts[part][at + i];
        out.at(r, c + i) = total;
      }
      out.finish(r, 1, c, least(kEach, out.columns - c));
    });
  }
};

template <class S, class In, class Out>
HL_INLINE void make_tiles(const Cut& cut, const In& in, const Out& out, Worker w) {
  using T = typename S::T;
  Block<typename S::Shared, typename S::Own, Tiles<T>::kBytes> block(w);
  if (!block.takes_part()) return;
  const int64_t across = ceil_div(out.columns, S::kColumns), count = across * ceil_div(out.rows, S::kRows);
  for (int64_t i = w.id / kBlockThreads; i < count; i += w.count / kBlockThreads) {
    const TileOfBlock<S, In> tile{block, in, i / across * S::kRows, i % across * S::kColumns};
    if constexpr (S::kGroups == 1)
      tile.make_alone(cut, out);
    else
      tile.make_by_groups(cut, out);
  }
}

// Whether there are tiles enough for the processors of a large GPU, and rows to fill them.
template <class S, class Out>
HL_INLINE bool fills(const Out& out, int64_t tiles) {
  return out.rows > S::kRows / 2 && ceil_div(out.rows, S::kRows) * ceil_div(out.columns, S::kColumns) >= tiles;
}

template <class T, class In, class Out>
HL_INLINE void make_by_shape(const Cut& cut, const In& in, const Out& out, Worker w) {
  using All = Tiles<T>;
  if (fills<typename All::Large>(out, 200)) return make_tiles<typename All::Large>(cut, in, out, w);
  if (fills<typename All::Middle>(out, 100)) return make_tiles<typename All::Middle>(cut, in, out, w);
  make_tiles<typename All::Small>(cut, in, out, w);
}

// ---- y = x w + b. ----

// A GPU hides the way to memory behind other threads: nothing is fetched ahead.
struct Fetch {
  int64_t rows = 0;
};

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
  Fetch* fetch = nullptr;
};

template <class T>
HL_INLINE Fetch fetch_of(const Upcoming&, const RunState&, const Product<T>&, Worker) {
  return {};
}

template <class T>
HL_INLINE int64_t panel_offset(int64_t k, int64_t n, int64_t K) {
  constexpr int64_t NR = panel_columns<T>();
  return (n / NR * K + k) * NR + n % NR;
}

template <class T, class Finish>
struct ProductOut {
  const Product<T>& p;
  const Finish& finish;
  int64_t rows, columns;

  HL_INLINE T& at(int64_t row, int64_t n) const { return p.y[row * p.ldy + n]; }
  HL_INLINE T start(int64_t, int64_t n) const { return p.b ? p.b[n] : T(0); }
};

// finish(row, rows, column, columns) follows when sums are complete.
template <class T, class Finish>
HL_INLINE void product(const Product<T>& p, Worker w, Finish finish) {
  const Factors<Lengthwise<T>, Panels<T>> in{{p.x, p.ldx, p.M}, {p.w, p.K, p.N}};
  make_by_shape<T>(Cut(p.K), in, ProductOut<T, Finish>{p, finish, p.M, p.N}, w);
}

// The same for w as panels of (N,K), and few rows.
template <class T, class Finish>
HL_INLINE void product_transposed(const Product<T>& p, Worker w, Finish finish) {
  const Factors<Lengthwise<T>, PanelsAcross<T>> in{{p.x, p.ldx, p.M}, {p.w, p.N}};
  make_tiles<typename Tiles<T>::Small>(Cut(p.K), in, ProductOut<T, Finish>{p, finish, p.M, p.N}, w);
}

// ---- dw = x^T dz and db = 1^T dz; pads become zero. ----

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

// Below the last row of dw is db: its x is ones.
template <class T>
struct OuterOut {
  const Outer<T>& o;
  int64_t of_dw, rows, columns;

  HL_INLINE T& at(int64_t row, int64_t n) const { return row < of_dw ? o.dw[panel_offset<T>(row, n, o.K)] : o.db[n]; }
  HL_INLINE T start(int64_t row, int64_t n) const { return (row < of_dw ? o.adds_dw : o.adds_db) ? at(row, n) : T(0); }
  HL_INLINE void finish(int64_t, int64_t, int64_t, int64_t) const {}
};

template <class T>
HL_INLINE void outer(const Outer<T>& o, Worker w) {
  constexpr int64_t NR = panel_columns<T>();
  const int64_t rows = o.dw ? o.K : 0;
  const Factors<Crosswise<T>, Crosswise<T>> in{{o.x, o.ldx, rows, o.db != nullptr}, {o.dz, o.lddz, o.N, false}};
  make_by_shape<T>(Cut(o.M), in, OuterOut<T>{o, rows, rows + (o.db ? 1 : 0), ceil_div(o.N, NR) * NR}, w);
}

// ---- Panels. ----

template <class T>
HL_KERNEL_TEXT void panel_pack(const PanelCopy& a, const RunState&, Worker w) noexcept {
  constexpr int64_t NR = panel_columns<T>();
  const int64_t K = a.shape.K, N = a.shape.N;
  for_each_own(a.shape.panels(NR) * K * NR, w, [&](int64_t i) {
    const int64_t row = i / NR % K, n = i / NR / K * NR + i % NR;
    static_cast<T*>(a.panels)[i] = n < N ? static_cast<const T*>(a.matrix)[row * N + n] : T(0);
  });
}

template <class T>
HL_KERNEL_TEXT void panel_unpack(const PanelCopy& a, const RunState&, Worker w) noexcept {
  const int64_t K = a.shape.K, N = a.shape.N;
  for_each_own(K * N, w, [&](int64_t i) {
    static_cast<T*>(a.matrix)[i] = static_cast<const T*>(a.panels)[panel_offset<T>(i / N, i % N, K)];
  });
}

template <class T>
HL_KERNEL_TEXT void panel_transpose(const PanelTranspose& a, const RunState&, Worker w) noexcept {
  constexpr int64_t NR = panel_columns<T>();
  const int64_t K = a.shape.K, N = a.shape.N, columns = ceil_div(K, NR) * NR;
  for_each_own(N * columns, w, [&](int64_t i) {  // of the transpose, panels of (N,K)
    const int64_t n = i / NR % N, k = i / NR / N * NR + i % NR;
    static_cast<T*>(a.dst)[i] = k < K ? static_cast<const T*>(a.src)[panel_offset<T>(k, n, K)] : T(0);
  });
}
