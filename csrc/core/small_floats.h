// Floats of 16 bits, as their bits.
#pragma once
#include <cstdint>

#include "core/macros.h"

namespace hl {

// Rounding is to nearest, ties to even; NaN stays NaN.
HL_INLINE uint32_t bits_of_float(float x) {
  uint32_t u;
  __builtin_memcpy(&u, &x, sizeof u);
  return u;
}
HL_INLINE float float_of_bits(uint32_t u) {
  float x;
  __builtin_memcpy(&x, &u, sizeof x);
  return x;
}
HL_INLINE uint16_t float_to_bfloat(float x) {
  const uint32_t u = bits_of_float(x);
  if ((u & 0x7fffffffu) > 0x7f800000u) return uint16_t(u >> 16 | 0x40);
  return uint16_t((u + 0x7fff + (u >> 16 & 1)) >> 16);
}
HL_INLINE float bfloat_to_float(uint16_t h) { return float_of_bits(uint32_t(h) << 16); }
HL_INLINE uint16_t float_to_half(float x) {
  const uint32_t u = bits_of_float(x), sign = u >> 16 & 0x8000, size = u & 0x7fffffffu;
  if (size > 0x7f800000u) return uint16_t(sign | 0x7e00);
  if (size >= 0x477ff000u) return uint16_t(sign | 0x7c00);  // rounds to infinity
  if (size < 0x38800000u) {  // below the normal numbers: a multiple of 2^-24, which adding 1/2 rounds to
    const float shifted = float_of_bits(size) + 0.5f;
    return uint16_t(sign | (bits_of_float(shifted) - 0x3f000000u));
  }
  const uint32_t rounded = size + 0xfff + (size >> 13 & 1);
  return uint16_t(sign | ((rounded - 0x38000000u) >> 13));
}

// IEEE half precision to float, without F16C: shifts the bits into place, then corrects the two odd exponents.
HL_INLINE float half_to_float(uint16_t half) {
  constexpr uint32_t kBias = (127 - 15) << 23, kExponent = 0x1fu << 23;
  const uint32_t shifted = uint32_t(half & 0x7fff) << 13, exponent = shifted & kExponent;
  union {
    uint32_t bits;
    float value;
  } whole = {shifted + kBias};
  union {
    uint32_t bits;
    float value;
  } small = {shifted + kBias + (1u << 23)};
  small.value -= 6.103515625e-05f;  // 2^-14: half's subnormals become normal floats
  whole.bits += exponent == kExponent ? kBias : 0;
  whole.bits = exponent == 0 ? small.bits : whole.bits;
  whole.bits |= uint32_t(half & 0x8000) << 16;
  return whole.value;
}

}  // namespace hl
