// The vector primitives of the generic and neon rows, in the compiler's own vector language: SSE2, NEON, and whatever
// else it can target. Included by core/simd.h, which says what each means.

HL_INLINE bool any_lane(RawI64 m) { return (m[0] | m[1]) != 0; }
HL_INLINE bool any_lane(RawI32 m) { return any_lane((RawI64)m); }
HL_INLINE uint32_t lane_bits(RawI64 m) { return uint32_t((m[0] & 1) | (m[1] & 2)); }
HL_INLINE uint32_t lane_bits(RawI32 m) { return uint32_t((m[0] & 1) | (m[1] & 2) | (m[2] & 4) | (m[3] & 8)); }
HL_INLINE RawF32 pick(RawI32 m, RawF32 a, RawF32 b) { return (RawF32)((m & (RawI32)a) | (~m & (RawI32)b)); }
HL_INLINE RawF64 pick(RawI64 m, RawF64 a, RawF64 b) { return (RawF64)((m & (RawI64)a) | (~m & (RawI64)b)); }
HL_INLINE RawF32 load_part(const float* p, int64_t n) {
  if (n >= 4) return *reinterpret_cast<const Loose<float>::Type*>(p);
  return RawF32{n > 0 ? p[0] : 0, n > 1 ? p[1] : 0, n > 2 ? p[2] : 0, 0};
}
HL_INLINE RawF64 load_part(const double* p, int64_t n) {
  if (n >= 2) return *reinterpret_cast<const Loose<double>::Type*>(p);
  return RawF64{n > 0 ? p[0] : 0, 0};
}
HL_INLINE void store_part(float* p, RawF32 v, int64_t n) {
  if (n > 0) p[0] = v[0];
  if (n > 1) p[1] = v[1];
  if (n > 2) p[2] = v[2];
  if (n > 3) p[3] = v[3];
}
HL_INLINE void store_part(double* p, RawF64 v, int64_t n) {
  if (n > 0) p[0] = v[0];
  if (n > 1) p[1] = v[1];
}
HL_INLINE RawF32 load_ints(const int32_t* p, int64_t n, float) {
  return RawF32{n > 0 ? float(p[0]) : 0, n > 1 ? float(p[1]) : 0, n > 2 ? float(p[2]) : 0, n > 3 ? float(p[3]) : 0};
}
HL_INLINE RawF64 load_ints(const int32_t* p, int64_t n, double) {
  return RawF64{n > 0 ? double(p[0]) : 0, n > 1 ? double(p[1]) : 0};
}
HL_INLINE RawF32 sqrt_raw(RawF32 a) {
  return RawF32{__builtin_sqrtf(a[0]), __builtin_sqrtf(a[1]), __builtin_sqrtf(a[2]), __builtin_sqrtf(a[3])};
}
HL_INLINE RawF64 sqrt_raw(RawF64 a) { return RawF64{__builtin_sqrt(a[0]), __builtin_sqrt(a[1])}; }
HL_INLINE RawF32 min_raw(RawF32 a, RawF32 b) { return pick(a < b, a, b); }
HL_INLINE RawF64 min_raw(RawF64 a, RawF64 b) { return pick(a < b, a, b); }
HL_INLINE RawF32 max_raw(RawF32 a, RawF32 b) { return pick(a > b, a, b); }
HL_INLINE RawF64 max_raw(RawF64 a, RawF64 b) { return pick(a > b, a, b); }
#if defined(__SSE2__)
HL_INLINE RawU64 multiply_even(RawU32 a, RawU32 b) { return (RawU64)__builtin_ia32_pmuludq128((RawI32)a, (RawI32)b); }
#elif defined(HL_ISA_NEON)
HL_INLINE RawU64 multiply_even(RawU32 a, RawU32 b) {
  return (RawU64)vmull_u32(vmovn_u64((uint64x2_t)(RawU64)a), vmovn_u64((uint64x2_t)(RawU64)b));
}
#else
HL_INLINE RawU64 multiply_even(RawU32 a, RawU32 b) { return ((RawU64)a & 0xffffffffu) * ((RawU64)b & 0xffffffffu); }
#endif

#if defined(HL_ISA_NEON)
HL_INLINE RawF32 fma_raw(RawF32 a, RawF32 b, RawF32 c) { return vfmaq_f32(c, a, b); }
HL_INLINE RawF64 fma_raw(RawF64 a, RawF64 b, RawF64 c) { return vfmaq_f64(c, a, b); }
HL_INLINE RawF32 fnma_raw(RawF32 a, RawF32 b, RawF32 c) { return vfmsq_f32(c, a, b); }
HL_INLINE RawF64 fnma_raw(RawF64 a, RawF64 b, RawF64 c) { return vfmsq_f64(c, a, b); }
#else
HL_INLINE RawF32 fma_raw(RawF32 a, RawF32 b, RawF32 c) { return a * b + c; }
HL_INLINE RawF64 fma_raw(RawF64 a, RawF64 b, RawF64 c) { return a * b + c; }
HL_INLINE RawF32 fnma_raw(RawF32 a, RawF32 b, RawF32 c) { return c - a * b; }
HL_INLINE RawF64 fnma_raw(RawF64 a, RawF64 b, RawF64 c) { return c - a * b; }
#endif

// Adding and taking away 2^23 (2^52) leaves the nearest integer; larger numbers are integers already.
template <class R, class I>
HL_INLINE R round_by_adding(R a, R big, I sign_bit) {
  const I sign = (I)a & sign_bit;
  const R magnitude = (R)((I)a & ~sign_bit);
  const R rounded = (R)((I)((magnitude + big) - big) | sign);
  return pick(magnitude < big, rounded, a);
}
HL_INLINE RawF32 round_raw(RawF32 a) { return round_by_adding(a, RawF32{} + 8388608.0f, RawI32{} + INT32_MIN); }
HL_INLINE RawF64 round_raw(RawF64 a) { return round_by_adding(a, RawF64{} + 4503599627370496.0, RawI64{} + INT64_MIN); }
template <class R>
HL_INLINE R floor_by_rounding(R a, R one) {
  const R rounded = round_raw(a);
  return pick(rounded > a, rounded - one, rounded);
}
HL_INLINE RawF32 floor_raw(RawF32 a) { return floor_by_rounding(a, RawF32{} + 1.0f); }
HL_INLINE RawF64 floor_raw(RawF64 a) { return floor_by_rounding(a, RawF64{} + 1.0); }
