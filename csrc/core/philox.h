// Random words as a function of where they are used, so masks and noise do not depend on threads, batches or devices.
//
//     Philox4x32-10:   4 words = philox(counter of 4 words, key of 2 words)
//     key      seed, with the high half of the step folded in
//     counter  (column group, row, step, 8 * stream + purpose)
// A row's columns come in blocks of 64: column c of block c / 64, with e = c % 64, reads output word e / 16 of column
// group (c / 64) * 16 + e % 16, so a vector of any width takes its words side by side.
//
// Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.
#pragma once
#include "core/macros.h"
#include "core/run_state.h"

namespace hl {

enum class Purpose : uint32_t { dropout = 0, initial_values = 1, shuffle = 2, noise = 3, augment = 4 };

struct Words4 {
  uint32_t w[4];
};

constexpr uint32_t kPhiloxMultiplier0 = 0xD2511F53u, kPhiloxMultiplier1 = 0xCD9E8D57u;
constexpr uint32_t kPhiloxWeyl0 = 0x9E3779B9u, kPhiloxWeyl1 = 0xBB67AE85u;
constexpr int kPhiloxRounds = 10;
constexpr int64_t kRandomBlock = 64;                // columns that share 16 counters
constexpr int64_t kMostStreams = int64_t(1) << 29;  // a stream and a purpose share one word

constexpr HL_INLINE Words4 philox(Words4 counter, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const uint64_t p0 = uint64_t(kPhiloxMultiplier0) * counter.w[0], p1 = uint64_t(kPhiloxMultiplier1) * counter.w[2];
    counter = {{uint32_t(p1 >> 32) ^ counter.w[1] ^ key0, uint32_t(p1), uint32_t(p0 >> 32) ^ counter.w[3] ^ key1,
                uint32_t(p0)}};
    key0 += kPhiloxWeyl0;
    key1 += kPhiloxWeyl1;
  }
  return counter;
}

// All of the key and counter that is one for a whole batch.
struct RandomKey {
  uint32_t key0, key1, step, stream;
};

constexpr HL_INLINE RandomKey random_key(uint64_t seed, int64_t step, int64_t stream, Purpose purpose) {
  const uint64_t s = uint64_t(step);
  return {uint32_t(seed), uint32_t(seed >> 32) ^ uint32_t(s >> 32), uint32_t(s),
          uint32_t(stream) * 8 + uint32_t(purpose)};
}

// A row's number counts from the first row of the whole call, so splitting a prediction does not change its masks.
HL_INLINE uint32_t random_row(const RunState& run, int64_t r) { return uint32_t(run.first_row + r); }

// The word of one column.
constexpr HL_INLINE uint32_t random_word(RandomKey key, uint32_t row, int64_t column) {
  const int64_t e = column % kRandomBlock;
  const uint32_t group = uint32_t(column / kRandomBlock * 16 + e % 16);
  return philox({{group, row, key.step, key.stream}}, key.key0, key.key1).w[e / 16];
}

}  // namespace hl
