// Where the keep bits of columns c, c + 1, .. lie in a row's words, see ops/dropout.h.
HL_INLINE uint32_t* kept_words(const Tensor& kept, int64_t row, int64_t c) {
  return row_of<uint32_t>(kept, row) + c / kMaskColumns * kMaskWords + c % kMaskWords;
}
HL_INLINE VecU32 kept_bit(int64_t c) { return VecU32(uint32_t(1) << (c / kMaskWords % 32)); }

template <class T>
struct FateOf {
  using V = Vec<T>;
  V scale, shift, dropped;
  HL_INLINE FateOf(const Fate& f) : scale(V(T(f.scale))), shift(V(T(f.shift))), dropped(V(T(f.dropped))) {}
  HL_INLINE V of(typename V::Mask keep, V x) const { return select(keep, fma(x, scale, shift), dropped); }
};

// As many columns as VecU32 has lanes, or the `left` that are in the row.
template <class T>
HL_INLINE void drop(Mask<float> keep, const FateOf<T>& fate, const T* x, T* y, int64_t left) {
  using V = Vec<T>;
  if constexpr (std::is_same<T, float>::value) {
    fate.of(keep, V::load(x)).store(y);
  } else {
    fate.of(half<0>(keep), V::load(x)).store(y);
    if (V::kLanes == VecU32::kLanes || left <= V::kLanes) return;  // the second half may lie beyond the row's end
    fate.of(half<1>(keep), V::load(x + V::kLanes)).store(y + V::kLanes);
  }
}

template <class T>
HL_KERNEL_TEXT void dropout_forward(const DropoutForward& a, const RunState& run, Worker w) noexcept {
  const RandomKey key = random_key(run.seed, run.step, a.stream, Purpose::dropout);
  const VecU32 last_dropped(a.last_dropped);
  const FateOf<T> fate(a.fate);
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
      drop(keep, fate, x + c, y + c, end - c);
    }
  });
}

template <class T>
HL_KERNEL_TEXT void dropout_backward(const DropoutBackward& a, const RunState& run, Worker w) noexcept {
  const FateOf<T> fate(Fate{a.scale, 0, 0});
  for_each_piece(run.rows, a.features, kMaskColumns, w, [&](int64_t row, int64_t begin, int64_t end) {
    const T* dy = row_of<T>(a.dy, row);
    T* dx = row_of<T>(a.dx, row);
    for (int64_t c = begin; c < end; c += VecU32::kLanes) {
      const Mask<float> keep = (VecU32::load(kept_words(a.kept, row, c)) & kept_bit(c)) != VecU32(0);
      drop(keep, fate, dy + c, dx + c, end - c);
    }
    if (a.below.kind != ActivationKind::identity)
      chain_activation(a.below, row_of<T>(a.x, row) + begin, dx + begin, end - begin);
  });
}

template <class T>
HL_KERNEL_TEXT void dropout_mask(const DropoutMask& a, const RunState& run, Worker w) noexcept {
  const RandomKey key = random_key(run.seed, run.step, a.stream, Purpose::dropout);
  for_each_block(a.one_row ? 1 : run.rows, a.columns, kRandomBlock, w, [&](int64_t row, int64_t begin, int64_t end) {
    alignas(kAlignment) uint32_t words[kRandomBlock];
    random_block(key, a.one_row ? 0 : random_row(run, row), begin / kRandomBlock, words);
    T* mask = row_of<T>(a.mask, row);
    for (int64_t c = begin; c < end; ++c) mask[c] = T(words[c - begin] > a.last_dropped ? 1 : 0);
  });
}

template <class T>
HL_KERNEL_TEXT void dropout_shared(const DropoutShared& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  const FateOf<T> fate(a.fate);
  const int64_t last = a.axes - 1, run_length = a.sizes[last];
  const Span rows = share(run.rows, w);
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const T *x = row_of<T>(a.x, row), *mask = row_of<T>(a.mask, a.one_row ? 0 : row);
    T* y = row_of<T>(a.y, row);
    int64_t index[kMaskAxes] = {};
    for (int64_t place = 0;;) {
      for_each_vector<T>(run_length, [&](int64_t i, auto lanes) {
        const V kept = a.strides[last] ? load_lanes(mask + place + i, lanes) : V(mask[place]);
        store_lanes(y + i, fate.of(kept != V(0), load_lanes(x + i, lanes)), lanes);
      });
      x += run_length;
      y += run_length;
      int64_t axis = last - 1;
      for (; axis >= 0; --axis) {  // the next index of the outer axes
        place += a.strides[axis];
        if (++index[axis] < a.sizes[axis]) break;
        place -= a.strides[axis] * a.sizes[axis];
        index[axis] = 0;
      }
      if (axis < 0) break;
    }
  }
}

template <class T>
HL_KERNEL_TEXT void drop_weights(const DropWeights& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  constexpr int64_t NR = panel_columns<T>();
  const RandomKey key = random_key(run.seed, run.step, a.stream, Purpose::dropout);
  const int64_t K = a.shape.K;
  for_each_block(K, a.shape.N, kRandomBlock, w, [&](int64_t k, int64_t begin, int64_t end) {
    alignas(kAlignment) uint32_t words[kRandomBlock];
    random_block(key, uint32_t(k), begin / kRandomBlock, words);
    alignas(kAlignment) T factor[kRandomBlock];
    for (int64_t i = 0; i < kRandomBlock; ++i) factor[i] = words[i] > a.last_dropped ? T(a.scale) : T(0);
    for (int64_t n = begin; n < end; n += NR) {
      const int64_t at = (n / NR * K + k) * NR;
      const T* src = static_cast<const T*>(a.src) + at;
      T* dst = static_cast<T*>(a.dst) + at;
      for (int64_t i = 0; i < NR; i += V::kLanes) (V::load(src + i) * V::load(factor + n - begin + i)).store(dst + i);
    }
  });
}
