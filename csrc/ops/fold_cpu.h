// The place of element i of some axes, by their strides.
HL_INLINE int64_t place_in(const int64_t* axes, const int64_t* strides, int64_t i) {
  int64_t place = 0;
  for (int k = kFoldAxes - 1; k >= 0 && i > 0; --k) {
    place += i % axes[k] * strides[k];
    i /= axes[k];
  }
  return place;
}

template <class T>
HL_KERNEL_TEXT void fold(const Fold& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  const int64_t batch = a.rows ? a.rows : run.rows;
  const int64_t rows = a.count_blocks ? ceil_div(batch, kFoldRows) : batch;
  const int64_t each = a.rows_a_block ? a.rows_a_block : rows, blocks = ceil_div(rows, each);
  const int64_t runs = a.width ? a.features / a.width : 0;
  const V scale(T(a.mean ? 1.0 / double(batch) : 1.0));
  for_each_piece(blocks * runs, a.width, kPiece, w, [&](int64_t unit, int64_t begin, int64_t end) {
    const int64_t block = unit / runs, first = unit % runs * a.width + begin;
    const int64_t from = block * each, to = least(rows, from + each);
    const int64_t base = place_in(a.kept, a.kept_strides, first);
    for_each_vector<T>(end - begin, [&](int64_t i, auto lanes) {
      V total(0);
      for (int64_t row = from; row < to; ++row) {
        const T* x = row_of<T>(a.x, row) + base + i;
        for (int64_t s = 0; s < a.sums; ++s) total += load_lanes(x + place_in(a.folded, a.folded_strides, s), lanes);
      }
      store_lanes(row_of<T>(a.y, block) + first + i, total * scale, lanes);
    });
  });
}

template <class T>
HL_KERNEL_TEXT void spread_rows(const SpreadRows& a, const RunState& run, Worker w) noexcept {
  const Vec<T> scale(T(a.mean ? 1.0 / double(run.rows) : 1.0));
  for_each_piece(run.rows, a.features, kPiece, w, [&](int64_t row, int64_t begin, int64_t end) {
    for_each_vector<T>(end - begin, [&](int64_t i, auto lanes) {
      store_lanes(row_of<T>(a.dx, row) + begin + i, load_lanes(a.dy.as<T>() + begin + i, lanes) * scale, lanes);
    });
  });
}
