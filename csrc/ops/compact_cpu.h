// Where element (k, n) of the panels is.
HL_INLINE int64_t compact_place(const CompactWeights& w, int64_t k, int64_t n) {
  const int64_t group = w.dtype == DType::i8 ? kInt8Group : w.dtype == DType::bf16 ? 2 : 1;
  const int64_t panel = n / kCompactColumns * w.rows() * kCompactColumns;
  return panel + (k / group * kCompactColumns + n % kCompactColumns) * group + k % group;
}
HL_INLINE int32_t* column_sums(const CompactWeights& w) {
  return reinterpret_cast<int32_t*>(static_cast<int8_t*>(const_cast<void*>(w.w)) + w.elements());
}
template <class T>
HL_INLINE T compact_element(const CompactWeights& w, int64_t k, int64_t n) {
  const int64_t at = compact_place(w, k, n);
  switch (w.dtype) {
    case DType::i8: return T(static_cast<const int8_t*>(w.w)[at]);
    case DType::bf16: return T(bfloat_to_float(static_cast<const uint16_t*>(w.w)[at]));
    default: return T(half_to_float(static_cast<const uint16_t*>(w.w)[at]));
  }
}

template <class T>
HL_KERNEL_TEXT void compact_pack(const CompactCopy& a, const RunState&, Worker worker) noexcept {
  const CompactWeights& w = a.panels;
  void* to = const_cast<void*>(w.w);
  for_each_own(w.rows() * w.panels() * kCompactColumns, worker, [&](int64_t i) {
    const int64_t k = i / (w.panels() * kCompactColumns), n = i % (w.panels() * kCompactColumns);
    const int64_t at = compact_place(w, k, n), from = k * w.N + n;
    const bool pad = k >= w.K || n >= w.N;
    if (w.dtype == DType::i8) {
      static_cast<int8_t*>(to)[at] = pad ? int8_t(0) : static_cast<const int8_t*>(a.matrix)[from];
    } else {
      const float x = pad ? 0 : float(static_cast<const T*>(a.matrix)[from]);
      static_cast<uint16_t*>(to)[at] = w.dtype == DType::bf16 ? float_to_bfloat(x) : float_to_half(x);
    }
  });
  if (w.dtype != DType::i8) return;
  for_each_own(w.panels() * kCompactColumns, worker, [&](int64_t n) {
    int32_t sum = 0;
    for (int64_t k = 0; k < w.K && n < w.N; ++k) sum += static_cast<const int8_t*>(a.matrix)[k * w.N + n];
    column_sums(w)[n] = sum;
  });
}

template <class T>
HL_KERNEL_TEXT void compact_unpack(const CompactCopy& a, const RunState&, Worker worker) noexcept {
  const CompactWeights& w = a.panels;
  for_each_own(w.K * w.N, worker, [&](int64_t i) {
    const int64_t k = i / w.N, n = i % w.N;
    if (w.dtype == DType::i8)
      static_cast<int8_t*>(a.matrix)[i] = static_cast<const int8_t*>(w.w)[compact_place(w, k, n)];
    else
      static_cast<T*>(a.matrix)[i] = compact_element<T>(w, k, n);
  });
}

template <class T>
HL_KERNEL_TEXT void compact_expand(const CompactExpand& a, const RunState&, Worker worker) noexcept {
  constexpr int64_t NR = panel_columns<T>();
  const CompactWeights& w = a.from;
  const T* scales = static_cast<const T*>(a.scales);
  for_each_own(ceil_div(w.N, NR) * w.K, worker, [&](int64_t row) {
    const int64_t panel = row / w.K, k = row % w.K;
    T* to = static_cast<T*>(a.panels) + row * NR;
    for (int64_t c = 0; c < NR; ++c) {
      const int64_t n = panel * NR + c;
      to[c] = n < w.N ? compact_element<T>(w, k, n) / (scales ? scales[n] : T(1)) : T(0);
    }
  });
}

template <class T>
HL_KERNEL_TEXT void quantize_rows(const QuantizeRows& a, const RunState& run, Worker worker) noexcept {
  using V = Vec<T>;
  constexpr int64_t L = V::kLanes;
  for_each_own(run.rows * a.rows_per_sample, worker, [&](int64_t m) {
    const T* x = row_of<T>(a.x, m);
    V largest(0);
    for_each_vector<T>(a.K, [&](int64_t i, auto lanes) {
      const V size = fill_lanes(abs(load_lanes(x + i, lanes)), V(0), lanes);
      largest = select((size > largest) | (size != size), size, largest);  // NaN stays NaN
    });
    const T top = any(largest != largest) ? kNaN<T> : max_of(largest);
    const T scale = T(127) / (top + T(1e-7));
    *row_of<T>(a.s, m) = scale;
    Int8Input* q = reinterpret_cast<Int8Input*>(row_of<int16_t>(a.q, m));
    const int64_t padded = (a.K + 3) / 4 * 4;
    for (int64_t i = 0; i < padded; i += L) {
      T values[L];
      const V rounded = round_even(V::load(x + i, a.K - i) * V(scale));
      select(rounded == rounded, max(V(-127), min(V(127), rounded)), V(0)).store(values);
      for (int64_t l = 0; l < least(L, padded - i); ++l) q[i + l] = Int8Input(int(values[l]) + kInt8Offset);
    }
  });
}

// ---- What a tile multiplies: rows of x by a strip of a panel, in four chains. ----

constexpr int kCompactChains = 4;
#if defined(HL_ISA_SCALAR)
constexpr int kCompactRows = 1;  // a thread an output
#elif defined(HL_ISA_AVX512)
constexpr int kCompactRows = 8;
#elif defined(HL_ISA_AVX2)
constexpr int kCompactRows = 4;
#else
constexpr int kCompactRows = 2;
#endif

// Integers: a step is a group of rows k. One chain or four, the sums are the same.
template <class Dot>
struct Int8Steps {
  using Input = Int8Input;
  using Weight = int8_t;
  using Sum = Int32s;
  static constexpr int kLanes = Int32s::kLanes, kVectors = kLanes == 1 ? 1 : int(kCompactColumns) / kLanes;
  static constexpr int64_t kStep = kInt8Group;  // inputs
  static constexpr bool kExact = true;

  static HL_INLINE Sum zero() { return Sum::zero(); }
  static HL_INLINE auto weight(const Weight* w) { return Int8Weights::load(w); }
  static HL_INLINE auto input(const Input* x) { return Int8Inputs::all(x); }
  template <class X, class W>
  static HL_INLINE Sum add(X x, W w, Sum sum) { return Dot::add(x, w, sum); }
};

template <class T>
struct HalfSteps {
  using Input = T;
  using Weight = uint16_t;
  using Sum = Vec<T>;
  // No more columns than a cache line has: to those rows of y are padded.
  static constexpr int kLanes = Sum::kLanes, kVectors = kLanes == 1 ? 1 : int(panel_columns<T>()) / kLanes;
  static constexpr int64_t kStep = 1;
  static constexpr bool kExact = false;

  static HL_INLINE Sum zero() { return Sum(0); }
  static HL_INLINE Sum weight(const Weight* w) { return load_f16<T>(w); }
  static HL_INLINE Sum input(const Input* x) { return Sum(*x); }
  static HL_INLINE Sum add(Sum x, Sum w, Sum sum) { return fma(x, w, sum); }
};

// Two rows k a step.
template <class T>
struct BrainSteps : HalfSteps<T> {
  using Sum = Vec<T>;
  static constexpr int64_t kStep = 2;

  static HL_INLINE BfloatPair<T> weight(const uint16_t* w) { return BfloatPair<T>::load(w); }
  static HL_INLINE BfloatPair<T> input(const T* x) { return {Sum(x[0]), Sum(x[1])}; }
  static HL_INLINE Sum add(BfloatPair<T> x, BfloatPair<T> w, Sum sum) {
    return fma(x.second, w.second, fma(x.first, w.first, sum));
  }
};

// sums[chain][r][c] of R rows by a strip of C vectors; a chain is each fourth step, or where sums are exact any.
template <class Steps, int R, int C, int Chains, class Out>
HL_INLINE void compact_tile(const typename Steps::Input* x, int64_t ldx, const typename Steps::Weight* w, int64_t steps,
                            int64_t first, int64_t stride, Out out) {
  constexpr int64_t kWide = Steps::kStep;
  typename Steps::Sum sum[Chains * R * C];
  unroll<Chains * R * C>([&](auto i) { sum[i] = Steps::zero(); });
  const auto step = [&](auto chain, int64_t j) {
    decltype(Steps::weight(w)) weight[C];
    unroll<C>([&](auto c) { weight[c] = Steps::weight(w + (j * kCompactColumns + c * Steps::kLanes) * kWide); });
    unroll<R>([&](auto r) {
      const auto factor = Steps::input(x + r * ldx + j * kWide);
      unroll<C>([&](auto c) {
        auto& s = sum[(chain * R + r) * C + c];
        s = Steps::add(factor, weight[c], s);
      });
    });
  };
  int64_t j = first;
  for (; j + (Chains - 1) * stride < steps; j += Chains * stride)
    unroll<Chains>([&](auto chain) { step(chain, j + chain * stride); });
  unroll<Chains>([&](auto chain) {
    if (Chains > 1 && j + chain * stride < steps) step(chain, j + chain * stride);
  });
  unroll<R * C>([&](auto i) {
    unroll<Chains>([&](auto chain) { out(i / C, i % C, chain, sum[chain * R * C + i]); });
  });
}

// Rows of integers are as far apart as QuantizeRows puts them, in pairs of bytes.
template <class T, class Steps>
HL_INLINE const typename Steps::Input* input_row(const Tensor& x, int64_t row) {
  if constexpr (Steps::kExact)
    return reinterpret_cast<const typename Steps::Input*>(row_of<int16_t>(x, row));
  else
    return row_of<T>(x, row);
}

template <class T, class Steps, int R>
HL_NOINLINE void compact_strip(const CompactForward& a, int64_t row, int64_t n) noexcept {
  using V = Vec<T>;
  using Input = typename Steps::Input;
  constexpr int C = Steps::kVectors, L = V::kLanes;
  const Input* x = input_row<T, Steps>(a.x, row);
  const auto* w = static_cast<const typename Steps::Weight*>(a.w.w) +
                  (n / kCompactColumns * (a.w.rows() / Steps::kStep) * kCompactColumns + n % kCompactColumns) * Steps::kStep;
  const int64_t ldx = Steps::kExact ? a.x.ld * 2 / int64_t(sizeof(Input)) : a.x.ld;
  const int64_t steps = (Steps::kExact ? a.w.rows() : a.w.K) / Steps::kStep;
  const T* b = a.b ? static_cast<const T*>(a.b) + n : nullptr;
  T* y = row_of<T>(a.y, row) + n;
  if constexpr (Steps::kExact) {
    alignas(kAlignment) int32_t sums[R][C * Steps::kLanes];
    constexpr int kChains = R == 1 ? kCompactChains : 1;
    typename Steps::Sum total[R * C];
    compact_tile<Steps, R, C, kChains>(x, ldx, w, steps, 0, 1, [&](auto r, auto c, auto chain, auto sum) {
      total[r * C + c] = chain == 0 ? sum : total[r * C + c] + sum;
    });
    unroll<R * C>([&](auto i) { total[i].store(&sums[i / C][i % C * Steps::kLanes]); });
    const T* scales = static_cast<const T*>(a.scales) + n;
    for (int i = 0; kInt8Offset != 0 && i < C * Steps::kLanes; ++i)
      for (int r = 0; r < R; ++r) sums[r][i] -= kInt8Offset * column_sums(a.w)[n + i];
    for (int r = 0; r < R; ++r) {
      const V s(*row_of<T>(a.s, row + r));
      for (int i = 0; i < C * Steps::kLanes && n + i < a.w.N; i += L) {
        const V value = V::load_i32(&sums[r][i], L) / (s * V::load(scales + i));
        (b ? value + V::load(b + i) : value).store(y + r * a.y.ld + i);
      }
    }
  } else if constexpr (R == 1) {
    V total[C];
    unroll<C>([&](auto c) { total[c] = b ? V::load(b + c * L) : V(0); });
    compact_tile<Steps, 1, C, kCompactChains>(x, ldx, w, steps, 0, 1,
                                              [&](auto, auto c, auto, auto sum) { total[c] += sum; });
    unroll<C>([&](auto c) { total[c].store(y + c * L); });
  } else {
    for (int chain = 0; chain < kCompactChains; ++chain)
      compact_tile<Steps, R, C, 1>(x, ldx, w, steps, chain, kCompactChains, [&](auto r, auto c, auto, auto sum) {
        T* to = y + r * a.y.ld + c * L;
        const V before = chain > 0 ? V::load(to) : b ? V::load(b + c * L) : V(0);
        (before + sum).store(to);
      });
  }
  if constexpr (Steps::kStep == 2 && !Steps::kExact) {  // the last of an odd number of rows k
    if (a.w.K % 2 == 0) return;
    for (int r = 0; r < R; ++r)
      unroll<C>([&](auto c) {
        T* to = y + r * a.y.ld + c * L;
        const V last = Steps::weight(w + (steps * kCompactColumns + c * L) * 2).first;
        fma(V(x[r * ldx + a.w.K - 1]), last, V::load(to)).store(to);
      });
  }
}

template <class T, class Steps>
HL_INLINE void compact_product(const CompactForward& a, const RunState& run, Worker worker) {
  constexpr int R = kCompactRows;
  constexpr int64_t kStrip = Steps::kVectors * Steps::kLanes;
  const int64_t M = run.rows * a.rows_per_sample;
  for_each_piece(ceil_div(M, R), a.w.N, kStrip, worker, [&](int64_t tile, int64_t begin, int64_t end) {
    const int64_t row = tile * R, rows = least(R, M - row);
    for (int64_t n = begin; n < end; n += kStrip) {
      if (rows == R) {
        compact_strip<T, Steps, R>(a, row, n);
        continue;
      }
      for (int64_t r = 0; r < rows; ++r) compact_strip<T, Steps, 1>(a, row + r, n);
    }
    if (a.activation.kind != ActivationKind::identity)
      activate(a.activation, row_of<T>(a.y, row) + begin, a.y.ld, rows, end - begin);
  });
}

template <class T>
HL_KERNEL_TEXT void compact_forward(const CompactForward& a, const RunState& run, Worker worker) noexcept {
  switch (a.w.dtype) {
    case DType::i8:
#if defined(HL_ISA_AVX512)
      if (__builtin_cpu_supports("avx512vnni")) return compact_product<T, Int8Steps<VnniDot>>(a, run, worker);
#endif
      return compact_product<T, Int8Steps<Int8Dot>>(a, run, worker);
    case DType::bf16: return compact_product<T, BrainSteps<T>>(a, run, worker);
    default: return compact_product<T, HalfSteps<T>>(a, run, worker);
  }
}
