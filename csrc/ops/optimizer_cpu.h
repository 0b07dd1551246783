// One vector of elements by its gradient g: all lanes, or those in `keep` while the others, pads, become zero.
template <class T, int kSlots, bool kMasked, class Rule>
HL_INLINE void update_vector(const Rule& rule, Vec<T> decay, const OptimizerRange& range, int64_t i, Vec<T> g,
                             typename Vec<T>::Mask keep) {
  using V = Vec<T>;
  T* w = static_cast<T*>(range.w) + i;
  V weight = V::load(w) * decay;
  V slots[kSlots + 1];
  for (int s = 0; s < kSlots; ++s) slots[s] = V::load(static_cast<T*>(range.slots[s]) + i);
  rule.update(weight, g, slots);
  (kMasked ? select(keep, weight, V(0)) : weight).store(w);
  for (int s = 0; s < kSlots; ++s)
    (kMasked ? select(keep, slots[s], V(0)) : slots[s]).store(static_cast<T*>(range.slots[s]) + i);
}

// A rule for one step, and what decoupled decay leaves of the weights.
template <class Rule>
struct RuleOfStep {
  Rule rule;
  double decay;
};

// Work is cut between the NR-column rows of the panels, each a cache line: workers share none, and where the panels
// divide evenly each keeps whole ones. gradient(panel, k, n, i) makes the vector of g at element i, column n of a panel.
template <class T, int kSlots, class Rule, class Gradient>
HL_INLINE void update_range(const RuleOfStep<Rule>& step, const OptimizerRange& range, Worker worker,
                            Gradient gradient) {
  using V = Vec<T>;
  const Rule& rule = step.rule;
  const V decay(T(range.decays ? step.decay : 1));
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
          update_vector<T, kSlots, false>(rule, decay, range, row * NR + n, gradient(panel, k, n, row * NR + n),
                                          V::first(NR));
    else
      for (; row < last; ++row, ++k)
        for (int64_t n = 0; n < columns; n += V::kLanes)
          update_vector<T, kSlots, true>(rule, decay, range, row * NR + n, gradient(panel, k, n, row * NR + n),
                                         V::first(columns - n));
  }
}

// Calls body(rule of this step, its slots as a constant).
template <class T, class Body>
HL_INLINE void with_rule(const Optimizer& optimizer, const RunState& run, Body body) {
  const double decay = 1 - run.learning_rate * optimizer.weight_decay;
  switch (optimizer.kind) {
#define HL_OPTIMIZER(name, Functor, slots, ...)                                                                 \
  case OptimizerKind::name:                                                                                     \
    return body(RuleOfStep<Functor<Vec<T>>>{{optimizer, run.learning_rate, run.step + 1}, decay}, Const<slots>());
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
