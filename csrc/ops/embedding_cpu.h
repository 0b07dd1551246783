// Calls body(place in the panels, place in the row, elements) for the pieces of row `code` of a table.
template <class T, class Body>
HL_INLINE void for_each_part(const PanelShape& s, int64_t code, Body body) {
  constexpr int64_t NR = panel_columns<T>();
  for (int64_t n = 0; n < s.N; n += NR) body(n * s.K + code * NR, n, least(NR, s.N - n));
}

template <class T>
HL_KERNEL_TEXT void embedding_forward(const EmbeddingForward& a, const RunState& run, Worker w) noexcept {
  const T* table = static_cast<const T*>(a.table);
  for_each_piece(run.rows, a.codes, 1, w, [&](int64_t row, int64_t begin, int64_t end) {
    const int32_t* codes = row_of<int32_t>(a.x, row);
    for (int64_t s = begin; s < end; ++s) {
      T* y = row_of<T>(a.y, row) + s * a.shape.N;
      const bool inside = codes[s] >= 0 && codes[s] < a.shape.K;
      for_each_part<T>(a.shape, inside ? codes[s] : 0, [&](int64_t from, int64_t to, int64_t n) {
        for_each_vector<T>(n, [&](int64_t i, auto lanes) {
          store_lanes(y + to + i, inside ? load_lanes(table + from + i, lanes) : Vec<T>(0), lanes);
        });
      });
    }
  });
}

template <class T>
HL_KERNEL_TEXT void embedding_backward(const EmbeddingBackward& a, const RunState& run, Worker w) noexcept {
  constexpr int64_t NR = panel_columns<T>();
  T* table = static_cast<T*>(a.table);
  const Span mine = share(a.shape.K, w);
  for (int64_t panel = 0; panel < a.shape.panels(NR); ++panel)
    for (int64_t i = mine.begin * NR; i < mine.end * NR; i += Vec<T>::kLanes)
      Vec<T>(0).store(table + panel * a.shape.K * NR + i);
  for (int64_t row = 0; row < run.rows; ++row)
    for (int64_t s = 0; s < a.codes; ++s) {
      const int64_t code = row_of<int32_t>(a.x, row)[s];
      if (code < mine.begin || code >= mine.end) continue;
      const T* dy = row_of<T>(a.dy, row) + s * a.shape.N;
      for_each_part<T>(a.shape, code, [&](int64_t to, int64_t from, int64_t n) {
        for_each_vector<T>(n, [&](int64_t i, auto lanes) {
          store_lanes(table + to + i, load_lanes(table + to + i, lanes) + load_lanes(dy + from + i, lanes), lanes);
        });
      });
    }
}

template <class T>
HL_KERNEL_TEXT void to_codes(const ToCodes& a, const RunState& run, Worker w) noexcept {
  for_each_piece(run.rows, a.features, kPiece, w, [&](int64_t row, int64_t begin, int64_t end) {
    const T* x = row_of<T>(a.x, row);
    int32_t* y = row_of<int32_t>(a.y, row);
    for (int64_t i = begin; i < end; ++i) y[i] = Convert<int32_t>::from(x[i]);
  });
}
