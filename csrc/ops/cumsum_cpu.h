template <class T>
HL_KERNEL_TEXT void cumsum(const CumSum& a, const RunState& run, Worker w) noexcept {
  const int64_t start = a.backward ? (a.size - 1) * a.inner : 0, step = a.backward ? -a.inner : a.inner;
  for_each_piece(run.rows * a.outer, a.inner, kPiece, w, [&](int64_t unit, int64_t begin, int64_t end) {
    const int64_t row = unit / a.outer, first = unit % a.outer * a.size * a.inner + begin + start;
    const T* x = row_of<T>(a.x, row) + first;
    T* y = row_of<T>(a.y, row) + first;
    if (a.inner == 1) {
      T all = 0;
      for (int64_t i = 0; i < a.size; ++i) y[i * step] = all += x[i * step];
      return;
    }
    for_each_vector<T>(end - begin, [&](int64_t j, auto lanes) {
      Vec<T> all = Vec<T>(0);
      for (int64_t i = 0; i < a.size; ++i)
        store_lanes(y + i * step + j, all = all + load_lanes(x + i * step + j, lanes), lanes);
    });
  });
}
