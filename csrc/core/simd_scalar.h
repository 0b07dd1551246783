// The types of core/simd.h with one lane: a worker is a thread of a GPU, and its neighbours are the other lanes. The
// same text runs on the host as the row `cuda_emulated`, for tests. Numbers, masks and words are what they say.

// Constants, as in core/simd.h.
template <class T> constexpr T kInfinity = std::numeric_limits<T>::infinity();
template <class T> constexpr T kNaN = std::numeric_limits<T>::quiet_NaN();
template <class T> constexpr T kSmallestNormal = std::numeric_limits<T>::min();
template <class T> constexpr T kLargest = std::numeric_limits<T>::max();

template <class T> struct Lane;
template <> struct Lane<float> {
  using Int = int32_t;
  using Unsigned = uint32_t;
};
template <> struct Lane<double> {
  using Int = int64_t;
  using Unsigned = uint64_t;
};

template <class T>
constexpr HL_INLINE int lanes_of() {
  return 1;
}

template <class T>
struct Mask {
  bool m;

  static HL_INLINE Mask first(int64_t n) { return {n > 0}; }
  friend HL_INLINE Mask operator&(Mask a, Mask b) { return {a.m && b.m}; }
  friend HL_INLINE Mask operator|(Mask a, Mask b) { return {a.m || b.m}; }
  friend HL_INLINE Mask operator^(Mask a, Mask b) { return {a.m != b.m}; }
  friend HL_INLINE Mask operator!(Mask a) { return {!a.m}; }
  friend HL_INLINE bool any(Mask a) { return a.m; }
  friend HL_INLINE bool all(Mask a) { return a.m; }
};

template <class T>
struct Bits {
  using Int = typename Lane<T>::Unsigned;
  static constexpr int kLanes = 1;
  Int v;

  Bits() = default;
  HL_INLINE Bits(Int all) : v(all) {}
  static HL_INLINE Bits load(const Int* p) { return *p; }
  static HL_INLINE Bits iota() { return 0; }
  HL_INLINE void store(Int* p) const { *p = v; }

  friend HL_INLINE Bits operator+(Bits a, Bits b) { return a.v + b.v; }
  friend HL_INLINE Bits operator-(Bits a, Bits b) { return a.v - b.v; }
  friend HL_INLINE Bits operator*(Bits a, Bits b) { return a.v * b.v; }
  friend HL_INLINE Bits operator&(Bits a, Bits b) { return a.v & b.v; }
  friend HL_INLINE Bits operator|(Bits a, Bits b) { return a.v | b.v; }
  friend HL_INLINE Bits operator^(Bits a, Bits b) { return a.v ^ b.v; }
  friend HL_INLINE Bits operator~(Bits a) { return ~a.v; }
  friend HL_INLINE Bits operator<<(Bits a, int n) { return a.v << n; }
  friend HL_INLINE Bits operator>>(Bits a, int n) { return a.v >> n; }
  friend HL_INLINE Mask<T> operator<(Bits a, Bits b) { return {a.v < b.v}; }
  friend HL_INLINE Mask<T> operator<=(Bits a, Bits b) { return {a.v <= b.v}; }
  friend HL_INLINE Mask<T> operator>(Bits a, Bits b) { return {a.v > b.v}; }
  friend HL_INLINE Mask<T> operator>=(Bits a, Bits b) { return {a.v >= b.v}; }
  friend HL_INLINE Mask<T> operator==(Bits a, Bits b) { return {a.v == b.v}; }
  friend HL_INLINE Mask<T> operator!=(Bits a, Bits b) { return {a.v != b.v}; }
};
using VecU32 = Bits<float>;

// A number's bits and back.
template <class To, class From>
HL_INLINE To same_bits(From from) {
  static_assert(sizeof(To) == sizeof(From), "of one size");
  To to;
  memcpy(&to, &from, sizeof(to));
  return to;
}

// sqrt, fma, floor and round of either type: CUDA's own on the device, the compiler's on the host.
HL_INLINE float sqrt_of(float x) { return HL_ON_DEVICE(__fsqrt_rn(x), __builtin_sqrtf(x)); }
HL_INLINE double sqrt_of(double x) { return HL_ON_DEVICE(__dsqrt_rn(x), __builtin_sqrt(x)); }
HL_INLINE float fma_of(float a, float b, float c) { return HL_ON_DEVICE(__fmaf_rn(a, b, c), __builtin_fmaf(a, b, c)); }
HL_INLINE double fma_of(double a, double b, double c) { return HL_ON_DEVICE(__fma_rn(a, b, c), __builtin_fma(a, b, c)); }
HL_INLINE float floor_of(float x) { return HL_ON_DEVICE(floorf(x), __builtin_floorf(x)); }
HL_INLINE double floor_of(double x) { return HL_ON_DEVICE(::floor(x), __builtin_floor(x)); }
HL_INLINE float round_of(float x) { return HL_ON_DEVICE(rintf(x), __builtin_rintf(x)); }
HL_INLINE double round_of(double x) { return HL_ON_DEVICE(::rint(x), __builtin_rint(x)); }

template <class T>
struct Vec {
  using Scalar = T;
  using Mask = hl::HL_ROW::Mask<T>;
  using Bits = hl::HL_ROW::Bits<T>;
  static constexpr int kLanes = 1;
  T v;

  Vec() = default;
  HL_INLINE Vec(T all) : v(all) {}
  static HL_INLINE Vec load(const T* p) { return *p; }
  static HL_INLINE Vec load(const T* p, int64_t n) { return n > 0 ? *p : T(0); }
  static HL_INLINE Vec load_i32(const int32_t* p, int64_t n) { return n > 0 ? T(*p) : T(0); }
  static HL_INLINE Vec iota() { return T(0); }
  static HL_INLINE Mask first(int64_t n) { return Mask::first(n); }
  HL_INLINE void store(T* p) const { *p = v; }
  HL_INLINE void store(T* p, int64_t n) const {
    if (n > 0) *p = v;
  }

  friend HL_INLINE Vec operator+(Vec a, Vec b) { return a.v + b.v; }
  friend HL_INLINE Vec operator-(Vec a, Vec b) { return a.v - b.v; }
  friend HL_INLINE Vec operator*(Vec a, Vec b) { return a.v * b.v; }
  friend HL_INLINE Vec operator/(Vec a, Vec b) { return a.v / b.v; }
  friend HL_INLINE Vec operator-(Vec a) { return -a.v; }
  HL_INLINE Vec& operator+=(Vec b) { return v += b.v, *this; }
  HL_INLINE Vec& operator-=(Vec b) { return v -= b.v, *this; }
  HL_INLINE Vec& operator*=(Vec b) { return v *= b.v, *this; }
  HL_INLINE Vec& operator/=(Vec b) { return v /= b.v, *this; }
  friend HL_INLINE Mask operator<(Vec a, Vec b) { return {a.v < b.v}; }
  friend HL_INLINE Mask operator<=(Vec a, Vec b) { return {a.v <= b.v}; }
  friend HL_INLINE Mask operator>(Vec a, Vec b) { return {a.v > b.v}; }
  friend HL_INLINE Mask operator>=(Vec a, Vec b) { return {a.v >= b.v}; }
  friend HL_INLINE Mask operator==(Vec a, Vec b) { return {a.v == b.v}; }
  friend HL_INLINE Mask operator!=(Vec a, Vec b) { return {a.v != b.v}; }

  friend HL_INLINE Vec select(Mask m, Vec a, Vec b) { return m.m ? a.v : b.v; }
  friend HL_INLINE Vec min(Vec a, Vec b) { return a.v < b.v ? a.v : b.v; }
  friend HL_INLINE Vec max(Vec a, Vec b) { return a.v > b.v ? a.v : b.v; }
  friend HL_INLINE Vec sqrt(Vec a) { return sqrt_of(a.v); }
  friend HL_INLINE Vec floor(Vec a) { return floor_of(a.v); }
  friend HL_INLINE Vec round_even(Vec a) { return round_of(a.v); }
  friend HL_INLINE Vec fma(Vec a, Vec b, Vec c) { return fma_of(a.v, b.v, c.v); }
  friend HL_INLINE Vec fnma(Vec a, Vec b, Vec c) { return fma_of(-a.v, b.v, c.v); }
  friend HL_INLINE Bits bits(Vec a) { return same_bits<typename Bits::Int>(a.v); }
  friend HL_INLINE Vec abs(Vec a) { return from_bits(bits(a) & ~bits(Vec(T(-0.0)))); }
  friend HL_INLINE Vec copysign(Vec magnitude, Vec sign) {
    const Bits top = bits(Vec(T(-0.0)));
    return from_bits((bits(magnitude) & ~top) | (bits(sign) & top));
  }
  friend HL_INLINE T sum(Vec a) { return a.v; }
  friend HL_INLINE T max_of(Vec a) { return a.v; }
  friend HL_INLINE T min_of(Vec a) { return a.v; }
  friend HL_INLINE T first_of(Vec a) { return a.v; }
};

template <class T>
HL_INLINE Vec<T> from_bits(Bits<T> b) {
  return same_bits<T>(b.v);
}

HL_INLINE Vec<float> to_float(VecU32 a) { return float(int32_t(a.v)); }

// There is one half, the whole.
template <int Half>
HL_INLINE Vec<double> to_double(VecU32 a) {
  return double(a.v);
}
template <int Half>
HL_INLINE Mask<double> half(Mask<float> m) {
  return {m.m};
}

template <class T>
constexpr HL_INLINE int64_t panel_columns() {
  return kAlignment / int64_t(sizeof(T));
}

HL_INLINE void prefetch(const void*) {}
template <class T>
HL_INLINE void transpose(Vec<T> (&)[1]) {}
