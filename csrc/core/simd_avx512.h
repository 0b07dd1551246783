// The vector primitives of the avx512 row (F, BW, DQ, VL): included by core/simd.h, which says what each means.

template <class T>
HL_INLINE typename Lane<T>::RawMask first_lanes(int64_t n) {
  return typename Lane<T>::RawMask((uint32_t(1) << clamp_lanes<T>(n)) - 1);
}
HL_INLINE bool any_lane(RawMask32 m) { return m != 0; }
HL_INLINE bool any_lane(RawMask64 m) { return m != 0; }
HL_INLINE uint32_t lane_bits(RawMask32 m) { return m; }
HL_INLINE uint32_t lane_bits(RawMask64 m) { return m; }
HL_INLINE RawU32 compress(RawU32 a, RawMask32 m) { return (RawU32)_mm512_maskz_compress_epi32(m, (__m512i)a); }
HL_INLINE RawF32 pick(RawMask32 m, RawF32 a, RawF32 b) { return _mm512_mask_blend_ps(m, b, a); }
HL_INLINE RawF64 pick(RawMask64 m, RawF64 a, RawF64 b) { return _mm512_mask_blend_pd(m, b, a); }
HL_INLINE RawF32 load_part(const float* p, int64_t n) { return _mm512_maskz_loadu_ps(first_lanes<float>(n), p); }
HL_INLINE RawF64 load_part(const double* p, int64_t n) { return _mm512_maskz_loadu_pd(first_lanes<double>(n), p); }
HL_INLINE void store_part(float* p, RawF32 v, int64_t n) { _mm512_mask_storeu_ps(p, first_lanes<float>(n), v); }
HL_INLINE void store_part(double* p, RawF64 v, int64_t n) { _mm512_mask_storeu_pd(p, first_lanes<double>(n), v); }
HL_INLINE RawF32 load_ints(const int32_t* p, int64_t n, float) {
  return _mm512_maskz_cvtepi32_ps(0xffff, _mm512_maskz_loadu_epi32(first_lanes<float>(n), p));
}
HL_INLINE RawF64 load_ints(const int32_t* p, int64_t n, double) {
  return _mm512_maskz_cvtepi32_pd(0xff, _mm256_maskz_loadu_epi32(first_lanes<double>(n), p));
}
HL_INLINE RawF32 fma_raw(RawF32 a, RawF32 b, RawF32 c) { return _mm512_fmadd_ps(a, b, c); }
HL_INLINE RawF64 fma_raw(RawF64 a, RawF64 b, RawF64 c) { return _mm512_fmadd_pd(a, b, c); }
HL_INLINE RawF32 fnma_raw(RawF32 a, RawF32 b, RawF32 c) { return _mm512_fnmadd_ps(a, b, c); }
HL_INLINE RawF64 fnma_raw(RawF64 a, RawF64 b, RawF64 c) { return _mm512_fnmadd_pd(a, b, c); }
HL_INLINE RawF32 sqrt_raw(RawF32 a) { return _mm512_sqrt_ps(a); }
HL_INLINE RawF64 sqrt_raw(RawF64 a) { return _mm512_sqrt_pd(a); }
HL_INLINE RawF32 min_raw(RawF32 a, RawF32 b) { return _mm512_min_ps(a, b); }
HL_INLINE RawF64 min_raw(RawF64 a, RawF64 b) { return _mm512_min_pd(a, b); }
HL_INLINE RawF32 max_raw(RawF32 a, RawF32 b) { return _mm512_max_ps(a, b); }
HL_INLINE RawF64 max_raw(RawF64 a, RawF64 b) { return _mm512_max_pd(a, b); }
HL_INLINE RawF32 floor_raw(RawF32 a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
HL_INLINE RawF64 floor_raw(RawF64 a) { return _mm512_roundscale_pd(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
HL_INLINE RawF32 round_raw(RawF32 a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
HL_INLINE RawF64 round_raw(RawF64 a) { return _mm512_roundscale_pd(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
HL_INLINE RawU64 multiply_even(RawU32 a, RawU32 b) { return (RawU64)_mm512_mul_epu32((__m512i)a, (__m512i)b); }
template <int Half>
HL_INLINE RawMask64 half_mask(RawMask32 m) {
  return RawMask64(m >> (8 * Half));
}
#define HL_COMPARE(name, op, predicate, integer_predicate)                                     \
  HL_INLINE RawMask32 name(RawF32 a, RawF32 b) { return _mm512_cmp_ps_mask(a, b, predicate); } \
  HL_INLINE RawMask64 name(RawF64 a, RawF64 b) { return _mm512_cmp_pd_mask(a, b, predicate); } \
  HL_INLINE RawMask32 name(RawU32 a, RawU32 b) {                                               \
    return _mm512_cmp_epu32_mask((__m512i)a, (__m512i)b, integer_predicate);                   \
  }                                                                                            \
  HL_INLINE RawMask64 name(RawU64 a, RawU64 b) {                                               \
    return _mm512_cmp_epu64_mask((__m512i)a, (__m512i)b, integer_predicate);                   \
  }
