// Whether a rule leaves a direction in the place of the gradient.
template <class Rule> constexpr auto directs(int) -> decltype(Rule::kDirects) { return Rule::kDirects; }
template <class Rule> constexpr bool directs(...) { return false; }

// What weights are compared with that are to stay zero: nothing equals NaN.
template <class T>
HL_INLINE Vec<T> lasting_zero(bool keeps_zeros) {
  return Vec<T>(keeps_zeros ? T(0) : kNaN<T>);
}

// One vector of elements by its gradient g: all lanes, or those in `keep` that are not `zero` while the others, pads and
// pruned weights, become zero, and their slots stay what they are.
template <class T, int kSlots, bool kMasked, class Rule>
HL_INLINE void update_vector(const Rule& rule, Vec<T> decay, Vec<T> zero, const OptimizerRange& range, int64_t i,
                             Vec<T> g, typename Vec<T>::Mask keep) {
  using V = Vec<T>;
  T* w = static_cast<T*>(range.w) + i;
  V weight = V::load(w);
  if constexpr (kMasked) keep = keep & (weight != zero);
  weight *= decay;
  V slots[kSlots + 1];
  for (int s = 0; s < kSlots; ++s) slots[s] = V::load(static_cast<T*>(range.slots[s]) + i);
  rule.update(weight, g, slots);
  (kMasked ? select(keep, weight, V(0)) : weight).store(w);
  if constexpr (directs<Rule>(0)) (kMasked ? select(keep, g, V(0)) : g).store(static_cast<T*>(range.u) + i);
  for (int s = 0; s < kSlots; ++s) {
    T* slot = static_cast<T*>(range.slots[s]) + i;
    (kMasked ? select(keep, slots[s], V::load(slot)) : slots[s]).store(slot);
  }
}

// A rule for one step, and what decoupled decay leaves of the weights.
template <class Rule>
struct RuleOfStep {
  Rule rule;
  double decay;
};

// Work is cut between the NR-column rows of the panels, each a cache line: workers share none, and where the panels
// divide evenly each keeps whole ones. On a GPU neighbours have neighbouring elements. gradient(panel, k, n, i) makes the
// vector of g at element i, column n of a panel.
template <class T, int kSlots, class Rule, class Gradient>
HL_INLINE void update_range(const RuleOfStep<Rule>& step, const OptimizerRange& range, Worker worker,
                            Gradient gradient) {
  using V = Vec<T>;
  const Rule& rule = step.rule;
  const V decay(T(range.decays ? step.decay : 1)), zero = lasting_zero<T>(range.keeps_zeros);
  constexpr int64_t NR = panel_columns<T>();
  const int64_t K = range.shape.K, N = range.shape.N;
#if defined(HL_ISA_SCALAR)
  const int64_t last_panel = (range.shape.panels(NR) - 1) * K * NR, last_columns = (N - 1) % NR + 1;
  for_each_own(range.shape.elements(NR), worker, [&](int64_t i) {
    if (i >= last_panel && i % NR >= last_columns) return;  // a pad
    update_vector<T, kSlots, true>(rule, decay, zero, range, i, gradient(i / NR / K, i / NR % K, i % NR, i), V::first(1));
  });
#else
  const Span rows = share(range.shape.panels(NR) * K, worker);
  if (rows.begin == rows.end) return;
  int64_t panel = rows.begin / K, k = rows.begin - panel * K;
  for (int64_t row = rows.begin; row < rows.end; ++panel, k = 0) {
    const int64_t last = least(rows.end, row + K - k), columns = N - panel * NR;
    if (columns >= NR && !range.keeps_zeros)
      for (; row < last; ++row, ++k)
        for (int64_t n = 0; n < NR; n += V::kLanes)
          update_vector<T, kSlots, false>(rule, decay, zero, range, row * NR + n, gradient(panel, k, n, row * NR + n),
                                          V::first(NR));
    else
      for (; row < last; ++row, ++k)
        for (int64_t n = 0; n < least(NR, columns); n += V::kLanes)
          update_vector<T, kSlots, true>(rule, decay, zero, range, row * NR + n, gradient(panel, k, n, row * NR + n),
                                         V::first(columns - n));
  }
#endif
}

// Calls body(rule of this step, its slots as a constant).
template <class T, class Body>
HL_INLINE void with_rule(const Optimizer& described, const RunState& run, Body body) {
  Optimizer optimizer = described;
  if (run.momentum >= 0) optimizer.momentum = optimizer.beta_1 = run.momentum;
  const double eta = run.learning_rate * optimizer.rate_factor, decay = 1 - eta * optimizer.weight_decay;
  const int64_t t = run.step / optimizer.accumulation + 1;
  switch (optimizer.kind) {
#define HL_OPTIMIZER(name, Functor, slots, ...) \
  case OptimizerKind::name:                     \
    return body(RuleOfStep<Functor<Vec<T>>>{{optimizer, eta, t}, decay}, Const<slots>());
    HL_OPTIMIZERS(HL_OPTIMIZER)
#undef HL_OPTIMIZER
  }
}

template <class T>
HL_KERNEL_TEXT void optimizer_update(const OptimizerUpdate& a, const RunState& run, Worker worker) noexcept {
  using V = Vec<T>;
  const bool changes = a.optimizer.changes_gradients();
  const V limit(a.optimizer.clip_value > 0 ? T(a.optimizer.clip_value) : kInfinity<T>);
  with_rule<T>(a.optimizer, run, [&](const auto& rule, auto slots) {
    for (int64_t r = 0; r < a.count; ++r) {
      const T* g = static_cast<const T*>(a.ranges[r].g);
      const V factor(T(a.factors ? a.factors[r] : a.scale));
      if (changes)
        update_range<T, slots>(rule, a.ranges[r], worker, [&](int64_t, int64_t, int64_t, int64_t i) {
          return min(limit, max(-limit, V::load(g + i) * factor));  // NaN stays NaN
        });
      else
        update_range<T, slots>(rule, a.ranges[r], worker,
                               [&](int64_t, int64_t, int64_t, int64_t i) { return V::load(g + i); });
    }
  });
}

// Calls body(i) for every vector of this worker's rows of a variable's panels.
template <class T, class Body>
HL_INLINE void for_each_panel_vector(const PanelShape& shape, Worker worker, Body body) {
  constexpr int64_t NR = panel_columns<T>();
  const Span rows = share(shape.panels(NR) * shape.K, worker);
  for (int64_t i = rows.begin * NR; i < rows.end * NR; i += Vec<T>::kLanes) body(i);
}

template <class T>
HL_KERNEL_TEXT void gradient_sum(const GradientSum& a, const RunState& run, Worker worker) noexcept {
  using V = Vec<T>;
  const T* g = static_cast<const T*>(a.g);
  T* sum = static_cast<T*>(a.sum);
  const bool first = run.step % a.batches == 0;
  for_each_panel_vector<T>(a.shape, worker, [&](int64_t i) {
    const V v = V::load(g + i);
    (first ? v : V::load(sum + i) + v).store(sum + i);
  });
}

// Of rows `row` to `last` - 1 of the panels, as vectors; columns beyond N count nothing, nor what keeps a weight zero.
template <class T, bool kKeepsZeros>
HL_INLINE double squares_of_panels(const T* g, const OptimizerRange& range, int64_t row, int64_t last) {
  using V = Vec<T>;
  const PanelShape& shape = range.shape;
  const T* w = static_cast<const T*>(range.w);
  constexpr int64_t NR = panel_columns<T>(), kVectors = NR / V::kLanes;
  double total = 0;
  while (row < last) {
    const int64_t panel = row / shape.K, end = least(last, (panel + 1) * shape.K), columns = shape.N - panel * NR;
    V squares[kVectors];
    for (int64_t v = 0; v < kVectors; ++v) squares[v] = V(0);
    for (; row < end; ++row)
      for (int64_t v = 0; v < kVectors; ++v) {
        const int64_t i = row * NR + v * V::kLanes;
        V x = V::load(g + i);
        if constexpr (kKeepsZeros) x = select(V::load(w + i) == V(0), V(0), x);
        squares[v] = fma(x, x, squares[v]);
      }
    for (int64_t v = 0; v < kVectors; ++v)
      total += double(sum(select(V::first(columns - v * V::kLanes), squares[v], V(0))));
  }
  return total;
}

// The same in double, for squares that T cannot hold: it is large gradients that are to be clipped.
template <class T>
HL_INLINE double large_squares(const T* g, const OptimizerRange& range, int64_t row, int64_t last) {
  constexpr int64_t NR = panel_columns<T>();
  const T* w = static_cast<const T*>(range.w);
  double total = 0;
  for (; row < last; ++row)
    for (int64_t i = row * NR; i < row * NR + least(NR, range.shape.N - row / range.shape.K * NR); ++i)
      if (!range.keeps_zeros || w[i] != 0) total += double(g[i]) * double(g[i]);
  return total;
}

template <class T>
HL_KERNEL_TEXT void gradient_squares(const GradientSquares& a, const RunState&, Worker worker) noexcept {
  constexpr int64_t NR = panel_columns<T>();
  int64_t all = 0, before = 0;
  for (int64_t r = 0; r < a.count; ++r) all += norm_blocks(a.ranges[r].shape, NR);
  const Span mine = share(all, worker);
  for (int64_t r = 0; r < a.count; ++r) {
    const PanelShape& shape = a.ranges[r].shape;
    const T* g = static_cast<const T*>(a.ranges[r].*a.of);
    const int64_t blocks = norm_blocks(shape, NR), end = least(blocks, mine.end - before);
    for (int64_t i = mine.begin > before ? mine.begin - before : 0; i < end; ++i) {
      const int64_t first = i * kNormRows, last = least(first + kNormRows, shape.panels(NR) * shape.K);
      const double squares = a.ranges[r].keeps_zeros ? squares_of_panels<T, true>(g, a.ranges[r], first, last)
                                                     : squares_of_panels<T, false>(g, a.ranges[r], first, last);
      a.blocks[before + i] = __builtin_isfinite(squares) ? squares : large_squares(g, a.ranges[r], first, last);
    }
    before += blocks;
  }
}

// Worker 0: the factor that keeps a norm below the limit. NaN stays NaN.
template <class T>
HL_KERNEL_TEXT void clip_factors(const ClipFactors& a, const RunState&, Worker worker) noexcept {
  if (worker.id != 0) return;
  constexpr int64_t NR = panel_columns<T>();
  const auto factor = [&](int64_t first, int64_t count) {
    const double norm = a.scale * __builtin_sqrt(ordered_sum(count, [&](int64_t i) { return a.blocks[first + i]; }));
    if (a.global && !__builtin_isfinite(norm)) return kNaN<double>;
    return norm > a.limit ? a.scale * (a.limit / norm) : norm <= a.limit ? a.scale : norm;
  };
  int64_t before = 0;
  for (int64_t r = 0; r < a.count; ++r) {
    const int64_t blocks = norm_blocks(a.ranges[r].shape, NR);
    if (!a.global) a.factors[r] = factor(before, blocks);
    before += blocks;
  }
  if (!a.global) return;
  const double common = factor(0, before);
  for (int64_t r = 0; r < a.count; ++r) a.factors[r] = common;
}

// Worker 0.
template <class T>
HL_KERNEL_TEXT void direction_factors(const DirectionFactors& a, const RunState&, Worker worker) noexcept {
  if (worker.id != 0) return;
  constexpr int64_t NR = panel_columns<T>();
  int64_t before = 0;
  for (int64_t r = 0; r < a.count; ++r) {
    const int64_t blocks = norm_blocks(a.ranges[r].shape, NR);
    const auto norm = [&](const double* squares) {
      return __builtin_sqrt(ordered_sum(blocks, [&](int64_t i) { return squares[before + i]; }));
    };
    const double u = norm(a.directions), w = a.weights ? norm(a.weights) : 0;
    a.factors[r] = !a.weights ? 1 / (u + 1e-7) : w > 0 && u > 0 ? w / u : 1;
    before += blocks;
  }
}

template <class T>
HL_KERNEL_TEXT void direction_update(const DirectionUpdate& a, const RunState& run, Worker worker) noexcept {
  using V = Vec<T>;
  for (int64_t r = 0; r < a.count; ++r) {
    const OptimizerRange& range = a.ranges[r];
    T* w = static_cast<T*>(range.w);
    const T* u = static_cast<const T*>(range.u);
    const V step(T(run.learning_rate * range.length * (a.factors ? a.factors[r] : 1)));
    const V zero = lasting_zero<T>(range.keeps_zeros);
    for_each_panel_vector<T>(range.shape, worker, [&](int64_t i) {
      const V before = V::load(w + i);
      select(before == zero, V(0), fnma(step, V::load(u + i), before)).store(w + i);
    });
  }
}

template <class T>
HL_KERNEL_TEXT void matrix_rows(const MatrixRows& a, const RunState&, Worker worker) noexcept {
  using V = Vec<T>;
  constexpr int64_t NR = panel_columns<T>();
  const V factor(T(*a.factor));
  const Span rows = share(a.shape.K, worker);
  for (int64_t k = rows.begin; k < rows.end; ++k)
    for_each_vector<T>(a.shape.N, [&](int64_t n, auto lanes) {
      const T* from = static_cast<const T*>(a.panels) + (n / NR * a.shape.K + k) * NR + n % NR;
      store_lanes(row_of<T>(a.rows, k) + n, factor * load_lanes(from, lanes), lanes);
    });
}

template <class T>
HL_KERNEL_TEXT void matrix_mix(const MatrixMix& a, const RunState&, Worker worker) noexcept {
  using V = Vec<T>;
  constexpr int64_t NR = panel_columns<T>();
  const V alpha(T(a.alpha)), beta(T(a.beta));
  const Span rows = share(a.shape.K, worker);
  for (int64_t k = rows.begin; k < rows.end; ++k)
    for (int64_t n = 0; n < a.shape.panels(NR) * NR; n += V::kLanes) {
      const int64_t count = a.shape.N - n;  // what is beyond is loaded as zeros, and not stored
      V y = alpha * V::load(row_of<T>(a.x, k) + n, count);
      if (a.z) y = fma(beta, V::load(row_of<T>(a.z, k) + n, count), y);
      if (a.rows) y.store(row_of<T>(a.rows, k) + n, count);
      if (a.panels) y.store(static_cast<T*>(a.panels) + (n / NR * a.shape.K + k) * NR + n % NR);
    }
}

template <class T>
HL_KERNEL_TEXT void matrix_product(const MatrixProduct& a, const RunState&, Worker worker) noexcept {
  Product<T> p;
  p.x = a.x.as<T>();
  p.ldx = a.x.ld;
  p.w = static_cast<const T*>(a.w);
  p.b = nullptr;
  p.y = a.y.as<T>();
  p.ldy = a.y.ld;
  p.M = a.M;
  p.K = a.K;
  p.N = a.N;
  product(p, worker, [](int64_t, int64_t, int64_t, int64_t) {});
}

template <class T>
HL_KERNEL_TEXT void weight_average(const WeightAverage& a, const RunState& run, Worker worker) noexcept {
  using V = Vec<T>;
  T *w = static_cast<T*>(a.w), *average = static_cast<T*>(a.average);
  const int64_t updates = run.step / a.batches;
  const bool overwrites = a.overwrite_every > 0 && (updates + 1) % a.overwrite_every == 0;
  const V momentum(T(a.momentum)), rest(T(1 - a.momentum)), zero = lasting_zero<T>(a.keeps_zeros);
  for_each_panel_vector<T>(a.shape, worker, [&](int64_t i) {
    const V now = V::load(w + i), all = updates == 0 ? now : fma(momentum, V::load(average + i), rest * now);
    const V mean = select(now == zero, V(0), all);
    mean.store(average + i);
    if (overwrites) mean.store(w + i);
  });
}
