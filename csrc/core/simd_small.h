// Small numbers on their way to the multipliers: 16-bit floats, and dot products of 8-bit integers. Included after
// core/simd.h or core/simd_scalar.h, once per row.
//
// Of int8 the row chooses how many rows k lie side by side, and how the other factor is written: as it is, in 16 bits, or
// with 128 added, in 8 bits without sign.

#if defined(HL_ISA_AVX512)
using Int8Input = uint8_t;
constexpr int64_t kInt8Group = 4;
constexpr int kInt8Offset = 128;
#else
using Int8Input = int16_t;
constexpr int64_t kInt8Group = 2;
constexpr int kInt8Offset = 0;
#endif

#if defined(HL_ISA_SCALAR)
template <class T> HL_INLINE Vec<T> load_f16(const uint16_t* p) { return Vec<T>(T(half_to_float(*p))); }

struct Int32s {
  static constexpr int kLanes = 1;
  int32_t v;
  static HL_INLINE Int32s zero() { return {0}; }
  HL_INLINE void store(int32_t* p) const { *p = v; }
  friend HL_INLINE Int32s operator+(Int32s a, Int32s b) { return {a.v + b.v}; }
};
struct Int8Weights {
  int8_t first, second;
  static HL_INLINE Int8Weights load(const int8_t* p) { return {p[0], p[1]}; }
};
struct Int8Inputs {
  int16_t first, second;
  static HL_INLINE Int8Inputs all(const int16_t* p) { return {p[0], p[1]}; }
};
struct Int8Dot {
  static HL_INLINE Int32s add(Int8Inputs a, Int8Weights b, Int32s sum) {
    return {sum.v + int32_t(a.first) * b.first + int32_t(a.second) * b.second};
  }
};
template <class T>
struct BfloatPair {
  Vec<T> first, second;
  static HL_INLINE BfloatPair load(const uint16_t* p) { return {T(bfloat_to_float(p[0])), T(bfloat_to_float(p[1]))}; }
};
#else
typedef int16_t RawI16 __attribute__((vector_size(kVectorBytes)));
typedef int8_t LooseI8 __attribute__((vector_size(kVectorBytes / 2), aligned(1), may_alias));
typedef uint16_t LooseU16 __attribute__((vector_size(kVectorBytes / 2), aligned(2), may_alias));

// As many 16-bit floats as a vector of floats has lanes.
HL_INLINE RawU32 load_halves(const uint16_t* p) {
  return __builtin_convertvector(*reinterpret_cast<const LooseU16*>(p), RawU32);
}
#if defined(HL_ISA_AVX512)
HL_INLINE RawF32 f16_raw(const uint16_t* p) {
  return _mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(p)));
}
#elif defined(HL_ISA_AVX2)
HL_INLINE RawF32 f16_raw(const uint16_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i_u*>(p)));
}
HL_INLINE RawI32 dot_raw(RawI16 a, RawI16 b, RawI32 sum) {
  return sum + (RawI32)_mm256_madd_epi16((__m256i)a, (__m256i)b);
}
#else
HL_INLINE RawF32 f16_raw(const uint16_t* p) {
  const RawU32 h = load_halves(p), size = h & 0x7fff;
  const RawF32 tiny = __builtin_convertvector((RawI32)size, RawF32) * 5.9604644775390625e-8f;  // 2^-24
  const RawU32 is_tiny = (RawU32)(size < 0x400), is_infinite = (RawU32)(size >= 0x7c00);
  const RawU32 normal = (size << 13) + 0x38000000u + (is_infinite & 0x38000000u);
  return (RawF32)((h & 0x8000) << 16 | (is_tiny & (RawU32)tiny) | (~is_tiny & normal));
}
#if defined(__SSE2__)
HL_INLINE RawI32 dot_raw(RawI16 a, RawI16 b, RawI32 sum) { return sum + (RawI32)__builtin_ia32_pmaddwd128(a, b); }
#else
HL_INLINE RawI32 dot_raw(RawI16 a, RawI16 b, RawI32 sum) {  // the first of a pair is the low half
  const RawI32 x = (RawI32)a, y = (RawI32)b;
  return sum + (x << 16 >> 16) * (y << 16 >> 16) + (x >> 16) * (y >> 16);
}
#endif
#endif

template <class T>
HL_INLINE Vec<T> load_f16(const uint16_t* p) {
  if constexpr (sizeof(T) == sizeof(float)) return Vec<T>(f16_raw(p));
  T values[lanes_of<T>()];
  for (int i = 0; i < lanes_of<T>(); ++i) values[i] = T(half_to_float(p[i]));
  return Vec<T>::load(values);
}

struct Int32s {
  static constexpr int kLanes = lanes_of<float>();
  RawI32 v;
  static HL_INLINE Int32s zero() { return {RawI32{}}; }
  HL_INLINE void store(int32_t* p) const { __builtin_memcpy(p, &v, sizeof v); }
  friend HL_INLINE Int32s operator+(Int32s a, Int32s b) { return {a.v + b.v}; }
};
// Of two rows k, which are the halves of 32 bits.
template <class T>
struct BfloatPair {
  Vec<T> first, second;
  static HL_INLINE BfloatPair load(const uint16_t* p) {
    if constexpr (sizeof(T) == sizeof(float)) {
      const VecU32 pairs = VecU32::load(reinterpret_cast<const uint32_t*>(p));
      return {from_bits<T>(pairs << 16), from_bits<T>(pairs & VecU32(0xffff0000u))};
    }
    T first[lanes_of<T>()], second[lanes_of<T>()];
    for (int i = 0; i < lanes_of<T>(); ++i) {
      first[i] = T(bfloat_to_float(p[2 * i]));
      second[i] = T(bfloat_to_float(p[2 * i + 1]));
    }
    return {Vec<T>::load(first), Vec<T>::load(second)};
  }
};

// A lane's integers. Sums are exact while nothing leaves 32 bits.
#if defined(HL_ISA_AVX512)
struct Int8Weights {
  __m512i v;
  static HL_INLINE Int8Weights load(const int8_t* p) { return {_mm512_loadu_si512(p)}; }
};
struct Int8Inputs {
  __m512i v;
  static HL_INLINE Int8Inputs all(const uint8_t* p) {
    int32_t four;
    __builtin_memcpy(&four, p, sizeof four);
    return {_mm512_set1_epi32(four)};
  }
};
// With VNNI one instruction; it is named here because the row is not compiled for it.
struct VnniDot {
  static HL_INLINE Int32s add(Int8Inputs a, Int8Weights b, Int32s sum) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum.v) : "v"(a.v), "v"(b.v));
    return sum;
  }
};
struct Int8Dot {
  static HL_INLINE Int32s add(Int8Inputs a, Int8Weights b, Int32s sum) {
    const __m512i even = _mm512_madd_epi16(_mm512_and_si512(a.v, _mm512_set1_epi16(0xff)),
                                           _mm512_srai_epi16(_mm512_slli_epi16(b.v, 8), 8));
    const __m512i odd = _mm512_madd_epi16(_mm512_srli_epi16(a.v, 8), _mm512_srai_epi16(b.v, 8));
    return {sum.v + (RawI32)even + (RawI32)odd};
  }
};
#else
struct Int8Weights {
  RawI16 v;
  static HL_INLINE Int8Weights load(const int8_t* p) {
    return {__builtin_convertvector(*reinterpret_cast<const LooseI8*>(p), RawI16)};
  }
};
struct Int8Inputs {
  RawI16 v;
  static HL_INLINE Int8Inputs all(const int16_t* p) {
    int32_t pair;
    __builtin_memcpy(&pair, p, sizeof pair);
    return {(RawI16)broadcast<RawI32>(pair, LaneSequence<float>())};
  }
};
struct Int8Dot {
  static HL_INLINE Int32s add(Int8Inputs a, Int8Weights b, Int32s sum) { return {dot_raw(a.v, b.v, sum.v)}; }
};
#endif
#endif
