template <class T>
HL_KERNEL_TEXT void noise_forward(const NoiseForward& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  const RandomKey key = random_key(run.seed, run.step, a.stream, Purpose::noise);
  for_each_block(run.rows, a.features, kRandomBlock, w, [&](int64_t row, int64_t begin, int64_t end) {
    alignas(kAlignment) uint32_t words[kRandomBlock];
    double z[kRandomBlock];
    T noise[kRandomBlock];
    random_block(key, random_row(run, row), begin / kRandomBlock, words);
    standard_block(RandomKind::normal, words, z);
    for (int64_t i = 0; i < kRandomBlock; ++i) noise[i] = T(double(a.multiply) + a.stddev * z[i]);
    const T* x = row_of<T>(a.x, row) + begin;
    T* y = row_of<T>(a.y, row) + begin;
    T* factor = a.factor ? row_of<T>(a.factor, row) + begin : nullptr;
    for_each_vector<T>(end - begin, [&](int64_t i, auto lanes) {
      const V f = V::load(noise + i), v = load_lanes(x + i, lanes);
      store_lanes(y + i, a.multiply ? v * f : v + f, lanes);
      if (factor) store_lanes(factor + i, f, lanes);
    });
  });
}

template <class T>
HL_KERNEL_TEXT void noise_backward(const NoiseBackward& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  for_each_piece(run.rows, a.features, kPiece, w, [&](int64_t row, int64_t begin, int64_t end) {
    const T *dy = row_of<T>(a.dy, row), *factor = row_of<T>(a.factor, row);
    T* dx = row_of<T>(a.dx, row);
    for (int64_t i = begin; i < end; i += V::kLanes) (V::load(dy + i) * V::load(factor + i)).store(dx + i);
  });
}
