// The vector primitives of the avx2 row (AVX2, FMA): included by core/simd.h, which says what each means.

HL_INLINE bool any_lane(RawMask32 m) { return _mm256_movemask_ps((__m256)m) != 0; }
HL_INLINE bool any_lane(RawMask64 m) { return _mm256_movemask_pd((__m256d)m) != 0; }
HL_INLINE uint32_t lane_bits(RawMask32 m) { return uint32_t(_mm256_movemask_ps((__m256)m)); }
HL_INLINE uint32_t lane_bits(RawMask64 m) { return uint32_t(_mm256_movemask_pd((__m256d)m)); }
HL_INLINE RawF32 pick(RawMask32 m, RawF32 a, RawF32 b) { return _mm256_blendv_ps(b, a, (__m256)m); }
HL_INLINE RawF64 pick(RawMask64 m, RawF64 a, RawF64 b) { return _mm256_blendv_pd(b, a, (__m256d)m); }
HL_INLINE RawF32 load_part(const float* p, int64_t n) { return _mm256_maskload_ps(p, (__m256i)first_lanes<float>(n)); }
HL_INLINE RawF64 load_part(const double* p, int64_t n) {
  return _mm256_maskload_pd(p, (__m256i)first_lanes<double>(n));
}
HL_INLINE void store_part(float* p, RawF32 v, int64_t n) { _mm256_maskstore_ps(p, (__m256i)first_lanes<float>(n), v); }
HL_INLINE void store_part(double* p, RawF64 v, int64_t n) {
  _mm256_maskstore_pd(p, (__m256i)first_lanes<double>(n), v);
}
HL_INLINE RawF32 load_ints(const int32_t* p, int64_t n, float) {
  return _mm256_cvtepi32_ps(_mm256_maskload_epi32(p, (__m256i)first_lanes<float>(n)));
}
HL_INLINE RawF64 load_ints(const int32_t* p, int64_t n, double) {
  const __m128i first = _mm_cmplt_epi32(_mm_setr_epi32(0, 1, 2, 3), _mm_set1_epi32(int(clamp_lanes<double>(n))));
  return _mm256_cvtepi32_pd(_mm_maskload_epi32(p, first));
}
HL_INLINE RawF32 fma_raw(RawF32 a, RawF32 b, RawF32 c) { return _mm256_fmadd_ps(a, b, c); }
HL_INLINE RawF64 fma_raw(RawF64 a, RawF64 b, RawF64 c) { return _mm256_fmadd_pd(a, b, c); }
HL_INLINE RawF32 fnma_raw(RawF32 a, RawF32 b, RawF32 c) { return _mm256_fnmadd_ps(a, b, c); }
HL_INLINE RawF64 fnma_raw(RawF64 a, RawF64 b, RawF64 c) { return _mm256_fnmadd_pd(a, b, c); }
HL_INLINE RawF32 sqrt_raw(RawF32 a) { return _mm256_sqrt_ps(a); }
HL_INLINE RawF64 sqrt_raw(RawF64 a) { return _mm256_sqrt_pd(a); }
HL_INLINE RawF32 min_raw(RawF32 a, RawF32 b) { return _mm256_min_ps(a, b); }
HL_INLINE RawF64 min_raw(RawF64 a, RawF64 b) { return _mm256_min_pd(a, b); }
HL_INLINE RawF32 max_raw(RawF32 a, RawF32 b) { return _mm256_max_ps(a, b); }
HL_INLINE RawF64 max_raw(RawF64 a, RawF64 b) { return _mm256_max_pd(a, b); }
HL_INLINE RawF32 floor_raw(RawF32 a) { return _mm256_floor_ps(a); }
HL_INLINE RawF64 floor_raw(RawF64 a) { return _mm256_floor_pd(a); }
HL_INLINE RawF32 round_raw(RawF32 a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
HL_INLINE RawF64 round_raw(RawF64 a) { return _mm256_round_pd(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
HL_INLINE RawU64 multiply_even(RawU32 a, RawU32 b) { return (RawU64)_mm256_mul_epu32((__m256i)a, (__m256i)b); }
