template <class T>
HL_KERNEL_TEXT void constant(const Constant& a, const RunState&, Worker w) noexcept {
  for_each_piece(1, a.features, kPiece, w, [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) a.y.as<T>()[i] = T(a.values[i]);
  });
}
