// Vec<T>: the widest vector of the row being compiled, for T = float or double. Intrinsics live in simd_*.h only.
//
// Included by backend/cpu_row.inc, once per instruction set, inside that row's unnamed namespace; every name here is
// local to its object. The row defines one of HL_ISA_AVX512, HL_ISA_AVX2, HL_ISA_NEON, HL_ISA_GENERIC.
// In general:  V::kLanes   V(scalar)   V::load(p)   V::load(p, n)   v.store(p)   v.store(p, n)   + - * / < <= ...
// A count n is the number of elements left: more than kLanes is a whole vector, less than 1 none; memory past n is not
// touched.

#if defined(HL_ISA_AVX512)
constexpr int kVectorBytes = 64;
#elif defined(HL_ISA_AVX2)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

typedef float RawF32 __attribute__((vector_size(kVectorBytes)));
typedef double RawF64 __attribute__((vector_size(kVectorBytes)));
typedef int32_t RawI32 __attribute__((vector_size(kVectorBytes)));
typedef int64_t RawI64 __attribute__((vector_size(kVectorBytes)));
typedef uint32_t RawU32 __attribute__((vector_size(kVectorBytes)));
typedef uint64_t RawU64 __attribute__((vector_size(kVectorBytes)));

#if defined(HL_ISA_AVX512)
using RawMask32 = __mmask16;
using RawMask64 = __mmask8;
#else
using RawMask32 = RawI32;
using RawMask64 = RawI64;
#endif

template <class T> struct Lane;
template <> struct Lane<float> {
  using Raw = RawF32;
  using RawInt = RawI32;
  using RawBits = RawU32;
  using RawMask = RawMask32;
  using Int = int32_t;
  using Unsigned = uint32_t;
};
template <> struct Lane<double> {
  using Raw = RawF64;
  using RawInt = RawI64;
  using RawBits = RawU64;
  using RawMask = RawMask64;
  using Int = int64_t;
  using Unsigned = uint64_t;
};

// A load or store of a user's or arena's memory, of any alignment and element type. (memcpy of 32 bytes goes through
// the stack in two halves with GCC 12: 7-13 times slower.)
template <class T> struct Loose;
#define HL_LOOSE(T)                                                                           \
  template <> struct Loose<T> {                                                               \
    typedef T Type __attribute__((vector_size(kVectorBytes), aligned(sizeof(T)), may_alias)); \
  };
HL_LOOSE(float)
HL_LOOSE(double)
HL_LOOSE(uint32_t)
HL_LOOSE(uint64_t)
#undef HL_LOOSE

// Constants: the functions of std::numeric_limits would be emitted by an unoptimised build, once per instruction set.
template <class T> constexpr T kInfinity = std::numeric_limits<T>::infinity();
template <class T> constexpr T kNaN = std::numeric_limits<T>::quiet_NaN();
template <class T> constexpr T kSmallestNormal = std::numeric_limits<T>::min();
template <class T> constexpr T kLargest = std::numeric_limits<T>::max();

template <class T>
constexpr HL_INLINE int lanes_of() {
  return kVectorBytes / int(sizeof(T));
}

// Lanes of a and b by number, b's after a's. GCC before 12 has a function of its own for it, which keeps the width.
#if defined(__clang__) || __GNUC__ >= 12
#define HL_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define HL_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, decltype(a < b){__VA_ARGS__})
#define HL_SHUFFLE_KEEPS_WIDTH
#endif

template <int S, class V, int... I>
HL_INLINE V rotate_lanes(V v, std::integer_sequence<int, I...>) {
  return HL_SHUFFLE(v, v, ((I + S) % int(sizeof...(I)))...);
}
// The low (Half = 0) or high half of the lanes, as integers of twice the width.
template <class To, int Half, class From, int... I>
HL_INLINE To widen_half(From a, std::integer_sequence<int, I...>) {
  constexpr int first = Half * int(sizeof...(I));
#if defined(HL_SHUFFLE_KEEPS_WIDTH)
  return To{a[first + I]...};
#else
  return __builtin_convertvector(HL_SHUFFLE(a, a, (first + I)...), To);
#endif
}
template <class T, int... I>
HL_INLINE typename Lane<T>::RawInt count_up(std::integer_sequence<int, I...>) {
  return typename Lane<T>::RawInt{I...};
}
// (Zero plus x would turn -0 into 0.)
template <class R, class T, int... I>
HL_INLINE R broadcast(T x, std::integer_sequence<int, I...>) {
  return R{(void(I), x)...};
}
template <class T>
using LaneSequence = std::make_integer_sequence<int, lanes_of<T>()>;

// ---- What differs between instruction sets: masks, partial memory, fma, rounding, square root. ----

template <class T>
HL_INLINE int64_t clamp_lanes(int64_t n) {
  return n < 0 ? 0 : n < lanes_of<T>() ? n : lanes_of<T>();
}

#if defined(HL_ISA_AVX512)
#include "core/simd_avx512.h"
#else
template <class T>
HL_INLINE typename Lane<T>::RawMask first_lanes(int64_t n) {
  return count_up<T>(LaneSequence<T>()) < typename Lane<T>::Int(clamp_lanes<T>(n));
}
#define HL_COMPARE(name, op, predicate, integer_predicate)        \
  HL_INLINE RawMask32 name(RawF32 a, RawF32 b) { return a op b; } \
  HL_INLINE RawMask64 name(RawF64 a, RawF64 b) { return a op b; } \
  HL_INLINE RawMask32 name(RawU32 a, RawU32 b) { return a op b; } \
  HL_INLINE RawMask64 name(RawU64 a, RawU64 b) { return a op b; }

template <int Half>
HL_INLINE RawMask64 half_mask(RawMask32 m) {
  return widen_half<RawI64, Half>(m, LaneSequence<double>());
}

#if defined(HL_ISA_AVX2)
#include "core/simd_avx2.h"
#else
#include "core/simd_portable.h"
#endif
#endif

HL_COMPARE(less, <, _CMP_LT_OQ, _MM_CMPINT_LT)
HL_COMPARE(less_equal, <=, _CMP_LE_OQ, _MM_CMPINT_LE)
HL_COMPARE(equal, ==, _CMP_EQ_OQ, _MM_CMPINT_EQ)
HL_COMPARE(not_equal, !=, _CMP_NEQ_UQ, _MM_CMPINT_NE)
#undef HL_COMPARE

// ---- The types kernels use. ----

// One truth value per lane.
template <class T>
struct Mask {
  using Raw = typename Lane<T>::RawMask;
  Raw m;

  static HL_INLINE Mask first(int64_t n) { return {first_lanes<T>(n)}; }  // lanes 0 .. n - 1
  friend HL_INLINE Mask operator&(Mask a, Mask b) { return {Raw(a.m & b.m)}; }
  friend HL_INLINE Mask operator|(Mask a, Mask b) { return {Raw(a.m | b.m)}; }
  friend HL_INLINE Mask operator^(Mask a, Mask b) { return {Raw(a.m ^ b.m)}; }
  friend HL_INLINE Mask operator!(Mask a) { return {Raw(~a.m)}; }
  friend HL_INLINE bool any(Mask a) { return any_lane(a.m); }
  friend HL_INLINE bool all(Mask a) { return !any_lane(Raw(~a.m)); }
  friend HL_INLINE uint32_t packed(Mask a) { return lane_bits(a.m); }  // bit i is lane i
};

// Unsigned integers as wide as T, one per lane: a float's bits, or words of random numbers. Wraps around.
template <class T>
struct Bits {
  using Raw = typename Lane<T>::RawBits;
  using Int = typename Lane<T>::Unsigned;
  static constexpr int kLanes = lanes_of<T>();
  Raw v;

  Bits() = default;
  HL_INLINE Bits(Int all) : v(broadcast<Raw>(all, LaneSequence<T>())) {}
  HL_INLINE explicit Bits(Raw raw) : v(raw) {}
  static HL_INLINE Bits load(const Int* p) { return Bits(*reinterpret_cast<const typename Loose<Int>::Type*>(p)); }
  static HL_INLINE Bits iota() { return Bits((Raw)count_up<T>(LaneSequence<T>())); }  // 0, 1, 2, ..
  HL_INLINE void store(Int* p) const { *reinterpret_cast<typename Loose<Int>::Type*>(p) = v; }

  friend HL_INLINE Bits operator+(Bits a, Bits b) { return Bits(a.v + b.v); }
  friend HL_INLINE Bits operator-(Bits a, Bits b) { return Bits(a.v - b.v); }
  friend HL_INLINE Bits operator*(Bits a, Bits b) { return Bits(a.v * b.v); }
  friend HL_INLINE Bits operator&(Bits a, Bits b) { return Bits(a.v & b.v); }
  friend HL_INLINE Bits operator|(Bits a, Bits b) { return Bits(a.v | b.v); }
  friend HL_INLINE Bits operator^(Bits a, Bits b) { return Bits(a.v ^ b.v); }
  friend HL_INLINE Bits operator~(Bits a) { return Bits(~a.v); }
  friend HL_INLINE Bits operator<<(Bits a, int n) { return Bits(a.v << n); }
  friend HL_INLINE Bits operator>>(Bits a, int n) { return Bits(a.v >> n); }
  friend HL_INLINE Mask<T> operator<(Bits a, Bits b) { return {less(a.v, b.v)}; }
  friend HL_INLINE Mask<T> operator<=(Bits a, Bits b) { return {less_equal(a.v, b.v)}; }
  friend HL_INLINE Mask<T> operator>(Bits a, Bits b) { return {less(b.v, a.v)}; }
  friend HL_INLINE Mask<T> operator>=(Bits a, Bits b) { return {less_equal(b.v, a.v)}; }
  friend HL_INLINE Mask<T> operator==(Bits a, Bits b) { return {equal(a.v, b.v)}; }
  friend HL_INLINE Mask<T> operator!=(Bits a, Bits b) { return {not_equal(a.v, b.v)}; }
};
using VecU32 = Bits<float>;

template <class T>
struct Vec {
  using Raw = typename Lane<T>::Raw;
  using Scalar = T;
  using Mask = hl::HL_ROW::Mask<T>;
  using Bits = hl::HL_ROW::Bits<T>;
  static constexpr int kLanes = lanes_of<T>();
  Raw v;

  Vec() = default;
  HL_INLINE Vec(T all) : v(broadcast<Raw>(all, LaneSequence<T>())) {}
  HL_INLINE explicit Vec(Raw raw) : v(raw) {}
  static HL_INLINE Vec load(const T* p) { return Vec(*reinterpret_cast<const typename Loose<T>::Type*>(p)); }
  static HL_INLINE Vec load(const T* p, int64_t n) { return Vec(load_part(p, n)); }  // the other lanes are 0
  static HL_INLINE Vec load_i32(const int32_t* p, int64_t n) { return Vec(load_ints(p, n, T())); }  // converted
  static HL_INLINE Vec iota() { return Vec(__builtin_convertvector(count_up<T>(LaneSequence<T>()), Raw)); }
  static HL_INLINE Mask first(int64_t n) { return Mask::first(n); }
  HL_INLINE void store(T* p) const { *reinterpret_cast<typename Loose<T>::Type*>(p) = v; }
  HL_INLINE void store(T* p, int64_t n) const { store_part(p, v, n); }

  friend HL_INLINE Vec operator+(Vec a, Vec b) { return Vec(a.v + b.v); }
  friend HL_INLINE Vec operator-(Vec a, Vec b) { return Vec(a.v - b.v); }
  friend HL_INLINE Vec operator*(Vec a, Vec b) { return Vec(a.v * b.v); }
  friend HL_INLINE Vec operator/(Vec a, Vec b) { return Vec(a.v / b.v); }
  friend HL_INLINE Vec operator-(Vec a) { return Vec(-a.v); }
  HL_INLINE Vec& operator+=(Vec b) {
    v += b.v;
    return *this;
  }
  HL_INLINE Vec& operator-=(Vec b) {
    v -= b.v;
    return *this;
  }
  HL_INLINE Vec& operator*=(Vec b) {
    v *= b.v;
    return *this;
  }
  HL_INLINE Vec& operator/=(Vec b) {
    v /= b.v;
    return *this;
  }
  // False where either is NaN, but != is true.
  friend HL_INLINE Mask operator<(Vec a, Vec b) { return {less(a.v, b.v)}; }
  friend HL_INLINE Mask operator<=(Vec a, Vec b) { return {less_equal(a.v, b.v)}; }
  friend HL_INLINE Mask operator>(Vec a, Vec b) { return {less(b.v, a.v)}; }
  friend HL_INLINE Mask operator>=(Vec a, Vec b) { return {less_equal(b.v, a.v)}; }
  friend HL_INLINE Mask operator==(Vec a, Vec b) { return {equal(a.v, b.v)}; }
  friend HL_INLINE Mask operator!=(Vec a, Vec b) { return {not_equal(a.v, b.v)}; }

  friend HL_INLINE Vec select(Mask m, Vec a, Vec b) { return Vec(pick(m.m, a.v, b.v)); }  // m ? a : b
  friend HL_INLINE Vec min(Vec a, Vec b) { return Vec(min_raw(a.v, b.v)); }  // a < b ? a : b, so b where one is NaN
  friend HL_INLINE Vec max(Vec a, Vec b) { return Vec(max_raw(a.v, b.v)); }  // a > b ? a : b, so b where one is NaN
  friend HL_INLINE Vec sqrt(Vec a) { return Vec(sqrt_raw(a.v)); }
  friend HL_INLINE Vec floor(Vec a) { return Vec(floor_raw(a.v)); }
  friend HL_INLINE Vec round_even(Vec a) { return Vec(round_raw(a.v)); }
  friend HL_INLINE Vec fma(Vec a, Vec b, Vec c) { return Vec(fma_raw(a.v, b.v, c.v)); }    // a * b + c
  friend HL_INLINE Vec fnma(Vec a, Vec b, Vec c) { return Vec(fnma_raw(a.v, b.v, c.v)); }  // c - a * b
  friend HL_INLINE Bits bits(Vec a) { return Bits((typename Bits::Raw)a.v); }
  friend HL_INLINE Vec abs(Vec a) { return from_bits(bits(a) & ~bits(Vec(T(-0.0)))); }
  friend HL_INLINE Vec copysign(Vec magnitude, Vec sign) {
    const Bits top = bits(Vec(T(-0.0)));
    return from_bits((bits(magnitude) & ~top) | (bits(sign) & top));
  }

  // Horizontal, in one fixed tree: lane i with lane i + kLanes / 2, then kLanes / 4, .. 1.
  friend HL_INLINE T sum(Vec a) {
    if constexpr (kLanes >= 16) a.v += rotate_lanes<8>(a.v, LaneSequence<T>());
    if constexpr (kLanes >= 8) a.v += rotate_lanes<4>(a.v, LaneSequence<T>());
    if constexpr (kLanes >= 4) a.v += rotate_lanes<2>(a.v, LaneSequence<T>());
    return a.v[0] + a.v[1];
  }
  friend HL_INLINE T max_of(Vec a) {
    if constexpr (kLanes >= 16) a.v = max_raw(a.v, rotate_lanes<8>(a.v, LaneSequence<T>()));
    if constexpr (kLanes >= 8) a.v = max_raw(a.v, rotate_lanes<4>(a.v, LaneSequence<T>()));
    if constexpr (kLanes >= 4) a.v = max_raw(a.v, rotate_lanes<2>(a.v, LaneSequence<T>()));
    return a.v[0] > a.v[1] ? a.v[0] : a.v[1];
  }
  friend HL_INLINE T min_of(Vec a) { return -max_of(-a); }
  friend HL_INLINE T first_of(Vec a) { return a.v[0]; }
};

template <class T>
HL_INLINE Vec<T> from_bits(Bits<T> b) {
  return Vec<T>((typename Lane<T>::Raw)b.v);
}

// Full 64-bit products of 32-bit words: the round of Philox.
HL_INLINE void mulhilo(VecU32 a, VecU32 b, VecU32* hi, VecU32* lo) {
  const RawU64 even = multiply_even(a.v, b.v);
  const RawU64 odd = multiply_even((RawU32)((RawU64)a.v >> 32), (RawU32)((RawU64)b.v >> 32));
  *lo = VecU32((RawU32)((even & 0xffffffffu) | (odd << 32)));
  *hi = VecU32((RawU32)((even >> 32) | (odd & 0xffffffff00000000u)));
}

HL_INLINE Vec<float> to_float(VecU32 a) {  // of words below 2^31
  return Vec<float>(__builtin_convertvector((RawI32)a.v, RawF32));
}

// The low (Half = 0) or high half of a float-wide vector, widened to double.
template <int Half>
HL_INLINE Vec<double> to_double(VecU32 a) {  // exact for every word
  const RawU64 words = widen_half<RawU64, Half>(a.v, LaneSequence<double>());
  return Vec<double>((RawF64)(words | 0x4330000000000000u) - 4503599627370496.0);
}
template <int Half>
HL_INLINE Mask<double> half(Mask<float> m) {
  return {half_mask<Half>(m.m)};
}

// Columns of one weight panel (ops/gemm.h): a cache line, which is one vector of the widest row.
template <class T>
constexpr HL_INLINE int64_t panel_columns() {
  return kAlignment / int64_t(sizeof(T));
}

HL_INLINE void prefetch(const void* p) { __builtin_prefetch(p); }
