// One vector of elements: all lanes, or those in `keep` while the others, pads, become zero.
template <class T, int kSlots, bool kMasked, class Rule>
HL_INLINE void update_vector(const Rule& rule, const OptimizerRange& range, int64_t i, typename Vec<T>::Mask keep) {
  using V = Vec<T>;
  T* w = static_cast<T*>(range.w) + i;
  V weight = V::load(w);
  V slots[kSlots + 1];
  for (int s = 0; s < kSlots; ++s) slots[s] = V::load(static_cast<T*>(range.slots[s]) + i);
  rule.update(weight, V::load(static_cast<const T*>(range.g) + i), slots);
  (kMasked ? select(keep, weight, V(0)) : weight).store(w);
  for (int s = 0; s < kSlots; ++s)
    (kMasked ? select(keep, slots[s], V(0)) : slots[s]).store(static_cast<T*>(range.slots[s]) + i);
}

// Work is cut between the NR-column rows of the panels, each at least a cache line: workers share none, and where
// the panels divide evenly each keeps whole ones.
template <class T, int kSlots, class Rule>
HL_INLINE void update_range(const Rule& rule, const OptimizerRange& range, Worker worker) {
  using V = Vec<T>;
  constexpr int64_t NR = panel_columns<T>();
  const int64_t K = range.shape.K, N = range.shape.N, tail = N % NR;
  const Span rows = share(range.shape.panels(NR) * K, worker);
  const int64_t full = N / NR * K;  // rows without pads
  const int64_t middle = rows.end < full ? rows.end : full;
  for (int64_t i = rows.begin * NR; i < middle * NR; i += V::kLanes)
    update_vector<T, kSlots, false>(rule, range, i, V::first(NR));
  for (int64_t row = rows.begin > full ? rows.begin : full; row < rows.end; ++row)
    for (int64_t n = 0; n < tail; n += V::kLanes)
      update_vector<T, kSlots, true>(rule, range, row * NR + n, V::first(tail - n));
}

template <class T>
void optimizer_update(const OptimizerUpdate& a, const RunState& run, Worker worker) noexcept {
  switch (a.optimizer.kind) {
#define HL_OPTIMIZER(name, Functor, slots, ...)                                              \
  case OptimizerKind::name: {                                                                \
    const Functor<Vec<T>> rule(a.optimizer, run.learning_rate, run.step + 1);                \
    for (int64_t r = 0; r < a.count; ++r) update_range<T, slots>(rule, a.ranges[r], worker); \
    break;                                                                                   \
  }
    HL_OPTIMIZERS(HL_OPTIMIZER)
#undef HL_OPTIMIZER
  }
}
