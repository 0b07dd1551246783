template <class T>
HL_KERNEL_TEXT void state_read(const StateCopy& a, const RunState&, Worker w) noexcept {
  const Span mine = share(a.features, w);
  for (int64_t i = mine.begin; i < mine.end; ++i) a.value.as<T>()[i] = T(a.accumulator[4 * i]);
}

template <class T>
HL_KERNEL_TEXT void state_keep(const StateCopy& a, const RunState&, Worker w) noexcept {
  const Span mine = share(a.features, w);
  for (int64_t i = mine.begin; i < mine.end; ++i) a.accumulator[4 * i] = double(a.value.as<T>()[i]);
}
