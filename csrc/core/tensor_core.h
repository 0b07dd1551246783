// Tiles whose sums are made by the tensor cores of a GPU (`mma.sync`, since compute capability 8.0), from numbers rounded
// on their way into the block's memory: to 10 bits behind the point (tf32) or to 7 (bfloat16). Sums are floats.
//
// 32 threads, a warp, multiply 16 rows by 8 columns together. Where there are no tensor cores, on the host and on older
// GPUs, each thread computes the same outputs from the same rounded numbers, so tests reach all but the instruction.

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
#define HL_TENSOR_CORES
#endif

// A word of the block's memory holds kTogether neighbours along the sum; a tile with more than kMostRows rows would not
// find registers for its sums.
struct Tf32 {
  static constexpr int kTogether = 1, kMostRows = 128;

  static HL_INLINE void put(uint32_t* word, int, float x) { *word = rounded(x); }
  static HL_INLINE float get(uint32_t word, int) { return float_of_bits(word); }

#if defined(HL_TENSOR_CORES)
  static HL_INLINE uint32_t rounded(float x) {
    uint32_t u;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(u) : "f"(x));
    return u;
  }
  static HL_INLINE void multiply(float* sum, const uint32_t* x, const uint32_t* w) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(w[0]), "r"(w[1]));
  }
#else
  static HL_INLINE uint32_t rounded(float x) {
    const uint32_t u = bits_of_float(x);
    return (u & 0x7f800000u) == 0x7f800000u ? u : (u + 0x1000) & 0xffffe000u;
  }
#endif
};

struct Bf16 {
  static constexpr int kTogether = 2, kMostRows = 64;

  static HL_INLINE void put(uint32_t* word, int part, float x) {
    const uint16_t h = rounded(x);
    memcpy(reinterpret_cast<char*>(word) + 2 * part, &h, 2);
  }
  static HL_INLINE float get(uint32_t word, int part) { return bfloat_to_float(uint16_t(word >> (16 * part))); }

#if defined(HL_TENSOR_CORES)
  static HL_INLINE uint16_t rounded(float x) {
    uint16_t h;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(h) : "f"(x));
    return h;
  }
  static HL_INLINE void multiply(float* sum, const uint32_t* x, const uint32_t* w) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(w[0]), "r"(w[1]));
  }
#else
  static HL_INLINE uint16_t rounded(float x) { return float_to_bfloat(x); }
#endif
};

// As `Tile` of ops/gemm_cuda.h; a warp makes WarpRows x WarpColumns of it.
template <class Format, int Rows, int Columns, int Depth, int Groups, int WarpRows, int WarpColumns>
struct TensorTile {
  using T = float;
  static constexpr int kRows = Rows, kColumns = Columns, kDepth = Depth, kGroups = Groups;
  static constexpr int kThreads = kBlockThreads / Groups;  // of a group
  static constexpr int kWarp = 32, kWarpsAcross = Columns / WarpColumns;
  static constexpr int kM = WarpRows / 16, kN = WarpColumns / 8;  // what an instruction makes
  static constexpr int kSums = kM * kN * 4, kRun = 2, kSquareRows = 1, kSquares = kSums / kRun;
  static constexpr int kWords = Depth / Format::kTogether;
  // Rows of these are apart by what keeps a warp's threads in different banks.
  static constexpr int kLdx = Rows + 8, kLdw = Columns + 8;
  static constexpr int kLoadsX = Rows * Depth / kThreads, kLoadsW = Columns * Depth / kThreads;
  static_assert(kThreads / kWarp == Rows / WarpRows * kWarpsAcross && kWords % 8 == 0, "warps and steps cover the tile");

  struct Stage {
    uint32_t x[kWords * kLdx];  // (word, row)
    uint32_t w[kWords * kLdw];  // (word, column)

    HL_INLINE void put_x(int depth, int line, float value) {
      Format::put(x + depth / Format::kTogether * kLdx + line, depth % Format::kTogether, value);
    }
    HL_INLINE void put_w(int depth, int line, float value) {
      Format::put(w + depth / Format::kTogether * kLdw + line, depth % Format::kTogether, value);
    }
  };
  union Shared {
    Stage stages[Groups][2];
    float parts[Groups][Groups > 1 ? Rows * Columns : 1];
  };
  struct Own {
    float sum[kSums], x[kLoadsX], w[kLoadsW];
  };

  static HL_INLINE int warp_row(int lane) { return lane / kWarp / kWarpsAcross * WarpRows; }
  static HL_INLINE int warp_column(int lane) { return lane / kWarp % kWarpsAcross * WarpColumns; }
  // Two neighbours of sums, from 2 run on.
  static HL_INLINE int row_of_run(int lane, int run) {
    return warp_row(lane) + run / 2 / kN * 16 + run % 2 * 8 + lane % kWarp / 4;
  }
  static HL_INLINE int column_of_run(int lane, int run) {
    return warp_column(lane) + run / 2 % kN * 8 + lane % 4 * 2;
  }
  static HL_INLINE int run_of_square(int square) { return square; }

  static HL_INLINE void multiply(int lane, float* sum, const Stage& stage) {
#if defined(HL_TENSOR_CORES)
    const uint32_t* x = stage.x + lane % 4 * kLdx + warp_row(lane) + lane % kWarp / 4;
    const uint32_t* w = stage.w + lane % 4 * kLdw + warp_column(lane) + lane % kWarp / 4;
    HL_TURNS(1)
    for (int step = 0; step < kWords / 8; ++step, x += 8 * kLdx, w += 8 * kLdw) {
      uint32_t b[kN][2];
      unroll<kN * 2>([&](auto i) { b[i / 2][i % 2] = w[i % 2 * 4 * kLdw + i / 2 * 8]; });
      unroll<kM>([&](auto m) {
        uint32_t a[4];
        unroll<4>([&](auto i) { a[i] = x[i / 2 * 4 * kLdx + m * 16 + i % 2 * 8]; });
        unroll<kN>([&](auto n) { Format::multiply(sum + (m * kN + n) * 4, a, b[n]); });
      });
    }
#else
    for (int i = 0; i < kSums; ++i) {
      const int row = row_of_run(lane, i / kRun), column = column_of_run(lane, i / kRun) + i % kRun;
      for (int d = 0; d < Depth; ++d) {
        const int word = d / Format::kTogether, part = d % Format::kTogether;
        const float x = Format::get(stage.x[word * kLdx + row], part), w = Format::get(stage.w[word * kLdw + column], part);
        sum[i] = fma_of(x, w, sum[i]);
      }
    }
#endif
  }
};
