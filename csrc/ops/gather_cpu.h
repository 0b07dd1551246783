// A number of the source as a number of the batch.
template <class D>
struct Convert {
  template <class S>
  static HL_INLINE D from(S x) {
    return D(x);
  }
};
// Labels: what int32 cannot hold, NaN included, becomes -1.
template <>
struct Convert<int32_t> {
  static HL_INLINE int32_t from(double x) { return x > -2147483649.0 && x < 2147483648.0 ? int32_t(x) : -1; }
  static HL_INLINE int32_t from(float x) { return x >= -2147483648.0f && x < 2147483648.0f ? int32_t(x) : -1; }
  static HL_INLINE int32_t from(int64_t x) { return int32_t(x) == x ? int32_t(x) : -1; }
  static HL_INLINE int32_t from(uint64_t x) { return x <= uint64_t(INT32_MAX) ? int32_t(x) : -1; }
  static HL_INLINE int32_t from(uint32_t x) { return x <= uint32_t(INT32_MAX) ? int32_t(x) : -1; }
  template <class S>
  static HL_INLINE int32_t from(S x) {
    return x;
  }
};

struct Half {
  uint16_t bits;
};
struct Bool {
  uint8_t byte;
};
template <class S>
HL_INLINE S as_number(S x) {
  return x;
}
HL_INLINE float as_number(Half x) { return half_to_float(x.bits); }
HL_INLINE uint8_t as_number(Bool x) { return x.byte != 0; }

// `S` at any address: NumPy's views and packed records need not be aligned.
template <class S>
struct __attribute__((packed, may_alias)) Unaligned {
  S value;
};

template <class S, class D>
HL_NOINLINE void convert_run(const char* HL_RESTRICT src, D* HL_RESTRICT dst, int64_t n) noexcept {
  const Unaligned<S>* from = reinterpret_cast<const Unaligned<S>*>(src);
  for (int64_t i = 0; i < n; ++i) dst[i] = Convert<D>::from(as_number(S(from[i].value)));
}

template <class D>
using ConvertRun = void (*)(const char*, D*, int64_t) noexcept;

template <class D>
HL_INLINE ConvertRun<D> converter(DType source) {
  switch (source) {
    case DType::f32: return convert_run<float, D>;
    case DType::f64: return convert_run<double, D>;
    case DType::f16: return convert_run<Half, D>;
    case DType::i8: return convert_run<int8_t, D>;
    case DType::i16: return convert_run<int16_t, D>;
    case DType::i32: return convert_run<int32_t, D>;
    case DType::i64: return convert_run<int64_t, D>;
    case DType::u8: return convert_run<uint8_t, D>;
    case DType::u16: return convert_run<uint16_t, D>;
    case DType::u32: return convert_run<uint32_t, D>;
    case DType::u64: return convert_run<uint64_t, D>;
    case DType::b8: case DType::bf16: break;
  }
  return convert_run<Bool, D>;
}

// Shuffled rows defeat the hardware's prefetcher at every row's start.
HL_INLINE void prefetch_run(const char* p, int64_t bytes) {
  constexpr int64_t kMost = 4096;
  for (int64_t i = 0; i < bytes && i < kMost; i += kAlignment) prefetch(p + i);
}

template <class D>
HL_INLINE void gather_as(const GatherRows& a, const RunState& run, Worker w) {
  constexpr int64_t kPieceColumns = 1024;  // long rows are cut, so that a small batch occupies the team
  const Source source = *a.source;
  const ConvertRun<D> convert = converter<D>(source.dtype);
  const int64_t size = size_of(source.dtype);
  const auto start_of = [&](int64_t r) {
    return source.data + (run.index ? run.index[r] : run.first_row + r) * source.row_bytes;
  };
  for_each_piece(run.rows, a.features, kPieceColumns, w, [&](int64_t r, int64_t begin, int64_t end) {
    if (r + 1 < run.rows) prefetch_run(start_of(r + 1) + begin * size, (end - begin) * size);
    convert(start_of(r) + begin * size, row_of<D>(a.dst, r) + begin, end - begin);
  });
}

template <class T>
HL_KERNEL_TEXT void gather_rows(const GatherRows& a, const RunState& run, Worker w) noexcept {
  a.labels ? gather_as<int32_t>(a, run, w) : gather_as<T>(a, run, w);
}

template <class T>
HL_KERNEL_TEXT void scatter_rows(const ScatterRows& a, const RunState& run, Worker w) noexcept {
  if (!a.sink->data) return;
  const Span rows = share(run.rows, w);
  for (int64_t r = rows.begin; r < rows.end; ++r)
    std::memcpy(a.sink->data + (run.first_row + r) * a.sink->row_bytes, row_of<T>(a.src, r),
                size_t(a.features) * sizeof(T));
}

template <class T>
HL_KERNEL_TEXT void one_hot(const OneHot& a, const RunState& run, Worker w) noexcept {
  const Span rows = share(run.rows, w);
  for (int64_t r = rows.begin; r < rows.end; ++r)
    for (int64_t g = 0; g < a.groups; ++g) {
      const int32_t* codes = row_of<int32_t>(a.x, r) + g * a.codes;
      T* y = row_of<T>(a.y, r) + g * a.tokens;
      for (int64_t t = 0; t < a.tokens; ++t) y[t] = 0;
      for (int64_t c = 0; c < a.codes; ++c)
        if (codes[c] >= 0 && codes[c] < a.tokens) y[codes[c]] = a.count ? y[codes[c]] + 1 : T(1);
    }
}
