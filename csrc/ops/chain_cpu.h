// Where element (chain, 0) of a panel's columns begins.
template <class T>
HL_INLINE T* chain_at(const ChainCopy& a, int64_t panel, int64_t chain) {
  return static_cast<T*>(a.state) + (panel * a.shape.K + chain) * panel_columns<T>();
}

template <class T>
HL_KERNEL_TEXT void chain_read(const ChainCopy& a, const RunState& run, Worker w) noexcept {
  constexpr int64_t NR = panel_columns<T>();
  for_each_block(run.rows, a.shape.N, NR, w, [&](int64_t row, int64_t begin, int64_t end) {
    const T* from = chain_at<T>(a, begin / NR, row % a.shape.K);
    T* y = row_of<T>(a.rows, row) + begin;
    for (int64_t i = 0; i < end - begin; ++i) y[i] = from[i];
  });
}

template <class T>
HL_KERNEL_TEXT void chain_keep(const ChainCopy& a, const RunState& run, Worker w) noexcept {
  constexpr int64_t NR = panel_columns<T>();
  for_each_block(least(run.rows, a.shape.K), a.shape.N, NR, w, [&](int64_t row, int64_t begin, int64_t end) {
    T* to = chain_at<T>(a, begin / NR, row);
    const T* value = row_of<T>(a.rows, row) + begin;
    for (int64_t i = 0; i < end - begin; ++i) to[i] = value[i];
  });
}
