template <class T>
HL_KERNEL_TEXT void add(const AddRows& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  for_each_piece(a.rows ? a.rows : run.rows, a.features, kPiece, w, [&](int64_t row, int64_t begin, int64_t end) {
    const T *left = row_of<T>(a.a, row), *right = row_of<T>(a.b, row);
    T* y = row_of<T>(a.y, row);
    for (int64_t i = begin; i < end; i += V::kLanes) (V::load(left + i) + V::load(right + i)).store(y + i);
  });
}
