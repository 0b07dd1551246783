// Philox by whole vectors. Included after core/simd.h and core/philox.h, once per instruction set.

// Words of the 64 columns of one block of a row, in column order.
HL_INLINE void random_block(RandomKey key, uint32_t row, int64_t block, uint32_t* HL_RESTRICT words) {
  for (int e = 0; e < 16; e += VecU32::kLanes) {
    VecU32 c0 = VecU32::iota() + VecU32(uint32_t(block * 16 + e));
    VecU32 c1(row), c2(key.step), c3(key.stream);
    uint32_t key0 = key.key0, key1 = key.key1;
    for (int round = 0; round < kPhiloxRounds; ++round) {
      VecU32 hi0, lo0, hi1, lo1;
      mulhilo(c0, VecU32(kPhiloxMultiplier0), &hi0, &lo0);
      mulhilo(c2, VecU32(kPhiloxMultiplier1), &hi1, &lo1);
      c0 = hi1 ^ c1 ^ VecU32(key0);
      c1 = lo1;
      c2 = hi0 ^ c3 ^ VecU32(key1);
      c3 = lo0;
      key0 += kPhiloxWeyl0;
      key1 += kPhiloxWeyl1;
    }
    c0.store(words + e);
    c1.store(words + e + 16);
    c2.store(words + e + 32);
    c3.store(words + e + 48);
  }
}
