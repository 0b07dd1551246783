// A place from an index; -1 for one outside.
HL_INLINE int64_t place_from(int32_t i, int64_t size) {
  if (i < -size || i >= size) return -1;
  return i < 0 ? i + size : i;
}
template <class T>
HL_INLINE int64_t place_from(T i, int64_t size) {
  if (!(i >= T(-size) && i < T(size))) return -1;  // a NaN too
  const int64_t whole = int64_t(i);
  return whole < 0 ? whole + size : whole;
}

// Calls body(element of a row of x or -1, element of a row of y) for the picks of a unit.
template <class I, class Body>
HL_INLINE void for_each_pick(const Take& a, int64_t row, int64_t o, Body body) {
  const I* index = row_of<I>(a.index, row);
  for (int64_t k = 0; k < a.picked; ++k)
    for (int64_t i = 0; i < a.inner; ++i) {
      const int64_t at = (o * a.picked + k) * a.inner + i, place = place_from(index[at], a.size);
      body(place < 0 ? -1 : (o * a.size + place) * a.inner + i, at);
    }
}

template <class T, class I>
HL_INLINE void take_by(const Take& a, const RunState& run, Worker w) {
  const Span units = share(run.rows * a.outer, w);
  for (int64_t unit = units.begin; unit < units.end; ++unit) {
    const int64_t row = unit / a.outer;
    const T* x = row_of<T>(a.x, row);
    T* y = row_of<T>(a.y, row);
    for_each_pick<I>(a, row, unit % a.outer, [&](int64_t from, int64_t at) {
      y[at] = from < 0 ? kNaN<T> : x[from];
    });
  }
}

template <class T, class I>
HL_INLINE void give_back_by(const Take& a, const RunState& run, Worker w) {
  const Span units = share(run.rows * a.outer, w);
  const int64_t wide = a.size * a.inner;
  for (int64_t unit = units.begin; unit < units.end; ++unit) {
    const int64_t row = unit / a.outer, o = unit % a.outer;
    T* dx = row_of<T>(a.x, row);
    const T* dy = row_of<T>(a.y, row);
    for_each_vector<T>(wide, [&](int64_t i, auto lanes) { store_lanes(dx + o * wide + i, Vec<T>(0), lanes); });
    for_each_pick<I>(a, row, o, [&](int64_t to, int64_t at) {
      if (to >= 0) dx[to] += dy[at];
    });
  }
}

template <class T>
HL_KERNEL_TEXT void take_forward(const Take& a, const RunState& run, Worker w) noexcept {
  a.codes ? take_by<T, int32_t>(a, run, w) : take_by<T, T>(a, run, w);
}

template <class T>
HL_KERNEL_TEXT void take_backward(const Take& a, const RunState& run, Worker w) noexcept {
  a.codes ? give_back_by<T, int32_t>(a, run, w) : give_back_by<T, T>(a, run, w);
}
