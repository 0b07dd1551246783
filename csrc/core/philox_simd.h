// Philox by whole vectors. Included after core/simd.h and core/philox.h, once per instruction set.

#if defined(HL_ISA_SCALAR)
HL_INLINE void random_block(RandomKey key, uint32_t row, int64_t block, uint32_t* HL_RESTRICT words) {
  for (int e = 0; e < 16; ++e) {
    const Words4 four = philox({{uint32_t(block * 16 + e), row, key.step, key.stream}}, key.key0, key.key1);
    for (int w = 0; w < 4; ++w) words[e + 16 * w] = four.w[w];
  }
}
#else
// Words of the 64 columns of one block of a row, in column order. A counter has a 64-bit lane to itself: products read
// only the low half of a lane, so a product's high and low words are a shift of it and it itself, and what is left in
// the high halves does no harm. Even and odd counters run side by side, which hides the multiplications' latency.
HL_INLINE void random_block(RandomKey key, uint32_t row, int64_t block, uint32_t* HL_RESTRICT words) {
  using Wide = Bits<double>;
  const auto product = [](Wide a, uint32_t b) { return Wide(multiply_even((RawU32)a.v, (RawU32)Wide(b).v)); };
  for (int e = 0; e < 16; e += VecU32::kLanes) {
    Wide c[4][2];
    for (int odd = 0; odd < 2; ++odd) {
      c[0][odd] = Wide::iota() + Wide::iota() + Wide(uint64_t(block * 16 + e + odd));
      c[1][odd] = Wide(row);
      c[2][odd] = Wide(key.step);
      c[3][odd] = Wide(key.stream);
    }
    Wide key0(key.key0), key1(key.key1);
#pragma GCC unroll 10
    for (int round = 0; round < kPhiloxRounds; ++round) {
      for (int odd = 0; odd < 2; ++odd) {
        const Wide p0 = product(c[0][odd], kPhiloxMultiplier0), p1 = product(c[2][odd], kPhiloxMultiplier1);
        c[0][odd] = (p1 >> 32) ^ c[1][odd] ^ key0;
        c[1][odd] = p1;
        c[2][odd] = (p0 >> 32) ^ c[3][odd] ^ key1;
        c[3][odd] = p0;
      }
      key0 = key0 + Wide(kPhiloxWeyl0);
      key1 = key1 + Wide(kPhiloxWeyl1);
    }
    for (int w = 0; w < 4; ++w)
      VecU32((RawU32)((c[w][0] & Wide(0xffffffffu)) | (c[w][1] << 32)).v).store(words + e + 16 * w);
  }
}
#endif
