// Where the keep bits of columns c, c + 1, .. lie in a row's words, see ops/dropout.h.
HL_INLINE uint32_t* kept_words(const Tensor& kept, int64_t row, int64_t c) {
  return row_of<uint32_t>(kept, row) + c / kMaskColumns * kMaskWords + c % kMaskWords;
}
HL_INLINE VecU32 kept_bit(int64_t c) { return VecU32(uint32_t(1) << (c / kMaskWords % 32)); }

// y = keep ? x * scale : 0 for as many columns as VecU32 has lanes, or the `left` that are in the row.
template <class T>
HL_INLINE void scale_kept(Mask<float> keep, T scale, const T* x, T* y, int64_t left) {
  using V = Vec<T>;
  if constexpr (std::is_same<T, float>::value) {
    select(keep, V::load(x) * V(scale), V(0)).store(y);
  } else {
    select(half<0>(keep), V::load(x) * V(scale), V(0)).store(y);
    if (left <= V::kLanes) return;  // the second half may lie beyond the row's end
    select(half<1>(keep), V::load(x + V::kLanes) * V(scale), V(0)).store(y + V::kLanes);
  }
}

template <class T>
void dropout_forward(const DropoutForward& a, const RunState& run, Worker w) noexcept {
  const RandomKey key = random_key(run.seed, run.step, a.stream, Purpose::dropout);
  const VecU32 last_dropped(a.last_dropped);
  const T scale = T(a.scale);
  for_each_piece(run.rows, a.features, kMaskColumns, w, [&](int64_t row, int64_t begin, int64_t end) {
    const T* x = row_of<T>(a.x, row);
    T* y = row_of<T>(a.y, row);
    alignas(kAlignment) uint32_t words[kRandomBlock];
    for (int64_t c = begin; c < end; c += VecU32::kLanes) {
      if (c % kRandomBlock == 0) random_block(key, random_row(run, row), c / kRandomBlock, words);
      const Mask<float> keep = VecU32::load(words + c % kRandomBlock) > last_dropped;
      uint32_t* kept = kept_words(a.kept, row, c);
      const VecU32 others = c % kMaskColumns < kMaskWords ? VecU32(0) : VecU32::load(kept);
      (others | bits(select(keep, from_bits(kept_bit(c)), Vec<float>(0)))).store(kept);
      scale_kept(keep, scale, x + c, y + c, end - c);
    }
  });
}

template <class T>
void dropout_backward(const DropoutBackward& a, const RunState& run, Worker w) noexcept {
  const T scale = T(a.scale);
  for_each_piece(run.rows, a.features, kMaskColumns, w, [&](int64_t row, int64_t begin, int64_t end) {
    const T* dy = row_of<T>(a.dy, row);
    T* dx = row_of<T>(a.dx, row);
    for (int64_t c = begin; c < end; c += VecU32::kLanes) {
      const Mask<float> keep = (VecU32::load(kept_words(a.kept, row, c)) & kept_bit(c)) != VecU32(0);
      scale_kept(keep, scale, dy + c, dx + c, end - c);
    }
    if (a.below.kind != ActivationKind::identity)
      chain_activation(a.below, row_of<T>(a.x, row) + begin, dx + begin, end - begin);
  });
}
