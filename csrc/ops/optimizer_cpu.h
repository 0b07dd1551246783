// One vector of elements by its gradient g: all lanes, or those in `keep` while the others, pads, become zero.
template <class T, int kSlots, bool kMasked, class Rule>
HL_INLINE void update_vector(const Rule& rule, const OptimizerRange& range, int64_t i, Vec<T> g,
                             typename Vec<T>::Mask keep) {
  using V = Vec<T>;
  T* w = static_cast<T*>(range.w) + i;
  V weight = V::load(w);
  V slots[kSlots + 1];
  for (int s = 0; s < kSlots; ++s) slots[s] = V::load(static_cast<T*>(range.slots[s]) + i);
  rule.update(weight, g, slots);
  (kMasked ? select(keep, weight, V(0)) : weight).store(w);
  for (int s = 0; s < kSlots; ++s)
    (kMasked ? select(keep, slots[s], V(0)) : slots[s]).store(static_cast<T*>(range.slots[s]) + i);
}

// Work is cut between the NR-column rows of the panels, each a cache line: workers share none, and where the panels
// divide evenly each keeps whole ones. gradient(panel, k, n, i) makes the vector of g at element i, column n of a panel.
template <class T, int kSlots, class Rule, class Gradient>
HL_INLINE void update_range(const Rule& rule, const OptimizerRange& range, Worker worker, Gradient gradient) {
  using V = Vec<T>;
  constexpr int64_t NR = panel_columns<T>();
  const int64_t K = range.shape.K, N = range.shape.N;
  const Span rows = share(range.shape.panels(NR) * K, worker);
  if (rows.begin == rows.end) return;
  int64_t panel = rows.begin / K, k = rows.begin - panel * K;
  for (int64_t row = rows.begin; row < rows.end; ++panel, k = 0) {
    const int64_t last = least(rows.end, row + K - k), columns = N - panel * NR;
    if (columns >= NR)
      for (; row < last; ++row, ++k)
        for (int64_t n = 0; n < NR; n += V::kLanes)
          update_vector<T, kSlots, false>(rule, range, row * NR + n, gradient(panel, k, n, row * NR + n), V::first(NR));
    else
      for (; row < last; ++row, ++k)
        for (int64_t n = 0; n < columns; n += V::kLanes)
          update_vector<T, kSlots, true>(rule, range, row * NR + n, gradient(panel, k, n, row * NR + n),
                                         V::first(columns - n));
  }
}

// Calls body(rule of this step, its slots as a constant).
template <class T, class Body>
HL_INLINE void with_rule(const Optimizer& optimizer, const RunState& run, Body body) {
  switch (optimizer.kind) {
#define HL_OPTIMIZER(name, Functor, slots, ...) \
  case OptimizerKind::name: return body(Functor<Vec<T>>(optimizer, run.learning_rate, run.step + 1), Const<slots>());
    HL_OPTIMIZERS(HL_OPTIMIZER)
#undef HL_OPTIMIZER
  }
}

template <class T>
void optimizer_update(const OptimizerUpdate& a, const RunState& run, Worker worker) noexcept {
  with_rule<T>(a.optimizer, run, [&](const auto& rule, auto slots) {
    for (int64_t r = 0; r < a.count; ++r) {
      const T* g = static_cast<const T*>(a.ranges[r].g);
      update_range<T, slots>(rule, a.ranges[r], worker,
                             [&](int64_t, int64_t, int64_t, int64_t i) { return Vec<T>::load(g + i); });
    }
  });
}
