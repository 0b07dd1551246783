// Sums that leave out zeros. Included after core/tile.h, once per instruction set.
//
// Pixels, one-hot columns, words of a text, draws of 0 or 1, what a relu or a dropout lets through: where most numbers
// of a matrix are zeros, a product by it need not add them. A sum over the others in the same order is one chain of
// multiply-adds with the same bits as the whole one (a weight that is not finite times zero is left out, too), so who
// computes it may choose by a look at the numbers. A row of positions is found once for all columns of the result.

constexpr int64_t kBitsTogether = 16;

// Of p[0 .. min(n, 16) - 1]: bit i tells whether p[i] is not zero.
template <class T>
HL_INLINE uint32_t nonzero_bits(const T* p, int64_t n) {
  using V = Vec<T>;
  uint32_t bits = 0;
  for (int64_t i = 0; i < kBitsTogether; i += V::kLanes)
    bits |= packed((n >= kBitsTogether ? V::load(p + i) : V::load(p + i, n - i)) != V(0)) << i;
  return bits;
}

// Writes first + i for every bit i that is set, in order; up to 16 places are overwritten. Returns how many there are.
HL_INLINE int64_t append_positions(uint32_t bits, int32_t first, int32_t* at) {
#if defined(HL_ISA_AVX512)
  VecU32(compress(VecU32::iota().v + uint32_t(first), RawMask32(bits))).store(reinterpret_cast<uint32_t*>(at));
#else
  int32_t* next = at;
  for (uint32_t left = bits; left != 0; left &= left - 1) *next++ = first + __builtin_ctz(left);
#endif
  return __builtin_popcount(bits);
}

// The same for the elements of a row that are not zero; at has places for n + 16.
template <class T>
HL_INLINE int64_t nonzero_positions(const T* p, int64_t n, int32_t* at) {
  int64_t count = 0;
  for (int64_t i = 0; i < n; i += kBitsTogether)
    count += append_positions(nonzero_bits(p + i, n - i), int32_t(i), at + count);
  return count;
}

// Whether so few numbers of x (M,K) are not zero, by a look at some rows, that it pays to leave the zeros out. At a half,
// as behind a relu, it would not: who cannot foresee where a row of positions ends waits once a row.
template <class T>
HL_NOINLINE bool mostly_zeros(const T* x, int64_t ldx, int64_t M, int64_t K) noexcept {
  constexpr int64_t kRowsSeen = 4, kMostPercent = 33;
  const int64_t rows = least(kRowsSeen, M);
  int64_t count = 0;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t k = 0; k < K; k += kBitsTogether)
      count += __builtin_popcount(nonzero_bits(x + M * r / rows * ldx + k, K - k));
  return count * 100 <= rows * K * kMostPercent;
}

// ---- A row of sums. ----

// to = from + the sum over i of factors[at[i]] rows[at[i]], C vectors of panels; or, if it continues, the sum goes on
// from `from`.
template <class T>
struct ChosenSum {
  const T* factors;
  int64_t factor_stride;
  const T* rows;
  int64_t row_stride, panel_stride;  // of the rows
  const int32_t* at;
  int64_t count;
  const T* from;  // null for zero; laid out like `to`
  T* to;
  int64_t to_stride;  // from panel to panel
};

#if defined(HL_ISA_AVX512) || defined(HL_ISA_NEON)
constexpr int kChosenVectors = 16;  // and a factor, in 32 registers
#else
constexpr int kChosenVectors = 8;
#endif
constexpr int kChosenPanels = 8;  // panels may lie a power of 2 apart: more would drive each other out of the cache

template <class T, int C, bool kContinues>
HL_NOINLINE void chosen_sum(const ChosenSum<T>& chosen) noexcept {
  using V = Vec<T>;
  constexpr int kPanelVectors = int(panel_columns<T>()) / V::kLanes;
  constexpr int64_t L = V::kLanes;
  const ChosenSum<T> s = chosen;
  V sum[C];
  if (kContinues && s.from)
    unroll<C>([&](auto c) { sum[c] = V::load(s.from + vector_offset<T>(c, s.to_stride)); });
  else
    unroll<C>([&](auto c) { sum[c] = V(0); });
  for (const int32_t *at = s.at, *end = s.at + s.count; at < end; ++at) {
    const V factor(s.factors[*at * s.factor_stride]);
    const T* row = s.rows + *at * s.row_stride;
    unroll<C>([&](auto c) {
      if (c > 0 && c % (3 * kPanelVectors) == 0) row += 3 * s.panel_stride;  // addresses are base + 0, 1, 2 strides
      sum[c] = fma(factor, V::load(row + c % (3 * kPanelVectors) / kPanelVectors * s.panel_stride + c % kPanelVectors * L),
                   sum[c]);
    });
  }
  if (!kContinues && s.from) unroll<C>([&](auto c) { sum[c] = V::load(s.from + vector_offset<T>(c, s.to_stride)) + sum[c]; });
  unroll<C>([&](auto c) { sum[c].store(s.to + vector_offset<T>(c, s.to_stride)); });
}

template <class T>
using ChosenFn = void (*)(const ChosenSum<T>&) noexcept;
template <class T, bool kContinues, class Vectors> struct ChosenTable;
template <class T, bool kContinues, int... C>
struct ChosenTable<T, kContinues, std::integer_sequence<int, C...>> {
  static constexpr ChosenFn<T> sum[] = {&chosen_sum<T, C + 1, kContinues>...};
};

// `vectors` of them, in the fewest groups, of nearly one size.
template <bool kContinues, class T>
HL_INLINE void chosen_sums(ChosenSum<T> s, int64_t vectors) {
  constexpr int64_t kPanelVectors = panel_columns<T>() / Vec<T>::kLanes;
  const bool together = s.panel_stride == panel_columns<T>();
  const int64_t most = together ? kChosenVectors : least(kChosenVectors, kChosenPanels * kPanelVectors);
  const int64_t panels = ceil_div(vectors, kPanelVectors), groups = ceil_div(vectors, most);
  const T *rows = s.rows, *from = s.from;
  T* to = s.to;
  for (int64_t g = 0; g < groups; ++g) {
    const Span group = share(panels, Worker{int(g), int(groups)});
    const int64_t count = least(vectors, group.end * kPanelVectors) - group.begin * kPanelVectors;
    s.rows = rows + group.begin * s.panel_stride;
    s.from = from ? from + group.begin * s.to_stride : nullptr;
    s.to = to + group.begin * s.to_stride;
    ChosenTable<T, kContinues, std::make_integer_sequence<int, kChosenVectors>>::sum[count - 1](s);
  }
}

// ---- Positions by columns. ----

// Where the numbers of 16 columns of x are not zero, by column.
constexpr int64_t kColumnRows = 256;  // at most

struct ColumnBits {
  alignas(8) uint8_t rows[2][kColumnRows];                     // of 8 columns each, byte by row
  alignas(8) uint8_t columns[kBitsTogether][kColumnRows / 8];  // bit by row
};

// Byte i, bit j of x  ->  byte j, bit i.
HL_INLINE uint64_t transpose_bits(uint64_t x) {
  uint64_t t = (x ^ (x >> 7)) & 0x00aa00aa00aa00aaull;
  x ^= t ^ (t << 7);
  t = (x ^ (x >> 14)) & 0x0000cccc0000ccccull;
  x ^= t ^ (t << 14);
  t = (x ^ (x >> 28)) & 0x00000000f0f0f0f0ull;
  return x ^ t ^ (t << 28);
}

template <class T>
HL_INLINE void find_nonzero_columns(const T* x, int64_t ldx, int64_t M, int64_t columns, ColumnBits* found) {
  const int64_t whole = ceil_div(M, kBitsTogether) * kBitsTogether;
  for (int64_t m = 0; m < whole; ++m) {
    const uint32_t bits = m < M ? nonzero_bits(x + m * ldx, columns) : 0;
    found->rows[0][m] = uint8_t(bits);
    found->rows[1][m] = uint8_t(bits >> 8);
  }
  for (int half = 0; half < 2; ++half)
    for (int64_t m = 0; m < whole; m += 8) {
      uint64_t square;
      memcpy(&square, &found->rows[half][m], 8);
      square = transpose_bits(square);
      for (int i = 0; i < 8; ++i) found->columns[8 * half + i][m / 8] = uint8_t(square >> (8 * i));
    }
}

HL_INLINE int64_t column_positions(const ColumnBits& found, int64_t column, int64_t M, int32_t* at) {
  int64_t count = 0;
  for (int64_t m = 0; m < M; m += kBitsTogether) {
    uint16_t bits;
    memcpy(&bits, &found.columns[column][m / 8], 2);
    count += append_positions(bits, int32_t(m), at + count);
  }
  return count;
}
