template <class T>
HL_INLINE T log1p_of(T x) {
  return log1p(Vec<T>(x)).v[0];
}

template <class T>
HL_INLINE T sum_of(const T* x, int64_t n) {
  Vec<T> total(0);
  for_each_vector<T>(n, [&](int64_t i, auto lanes) { total += load_lanes(x + i, lanes); });
  return sum(total);
}

template <class T>
HL_INLINE T largest_of(const T* x, int64_t n) {
  using V = Vec<T>;
  V most(-kInfinity<T>);
  for_each_vector<T>(n, [&](int64_t i, auto lanes) {
    const V here = fill_lanes(load_lanes(x + i, lanes), most, lanes);
    most = max(here, most);  // this order passes over NaN
  });
  return max_of(most);
}

// The first place of the largest element, or -1 where all are NaN.
template <class T>
HL_INLINE int64_t argmax(const T* x, int64_t n) {
  const T most = largest_of(x, n);
  for (int64_t i = 0; i < n; ++i)
    if (x[i] == most) return i;
  return -1;
}

template <class T>
HL_INLINE void fill_row(T* x, int64_t n, T value) {
  for_each_vector<T>(n, [&](int64_t i, auto lanes) { store_lanes(x + i, Vec<T>(value), lanes); });
}

// Targets of a row, smoothed.
template <class T>
struct Targets {
  const T* y;
  Vec<T> scale, shift;

  HL_INLINE Targets(const LossForward& a, const T* row) : y(row), scale(T(a.target_scale)), shift(T(a.target_shift)) {}
  template <class Lanes>
  HL_INLINE Vec<T> load(int64_t i, Lanes lanes) const {
    return fma(load_lanes(y + i, lanes), scale, shift);
  }
};

// One sample of an element-wise loss: its sum, and the gradient where `dp` is not null.
template <class T, class Loss>
HL_INLINE T element_row(const LossForward& a, const T* p, const T* y, T* dp, int64_t n, T scale) {
  using V = Vec<T>;
  const Targets<T> targets(a, y);
  V total(0);
  for_each_vector<T>(n, [&](int64_t i, auto lanes) {
    const ValueSlope<V> one = Loss::of(load_lanes(p + i, lanes), targets.load(i, lanes));
    total += fill_lanes(one.value, V(0), lanes);
    if (dp) store_lanes(dp + i, one.slope * V(scale), lanes);
  });
  return sum(total);
}

// The row functors, one class distribution each: of(a, p, y, dp, scale) returns the value.
struct CategoricalCrossentropy {
  template <class T>
  static HL_INLINE T of(const LossForward& a, const T* p, const T* y, T* dp, T scale) {
    using V = Vec<T>;
    const Targets<T> targets(a, y);
    const V mass(sum_of(p, a.columns));
    V value(0), pull(0);  // pull: sum_j p_j dl/dp_j of the normalised p
    for_each_vector<T>(a.columns, [&](int64_t i, auto lanes) {
      const V t = targets.load(i, lanes), share = load_lanes(p + i, lanes) / mass;
      const V q = clip_probability(share), slope = zero_if_clipped(share, t / q);
      value -= fill_lanes(t * log(q), V(0), lanes);
      pull += fill_lanes(slope * share, V(0), lanes);
      if (dp) store_lanes(dp + i, slope, lanes);
    });
    if (dp) {
      const V total(sum(pull)), factor = V(scale) / mass;
      for_each_vector<T>(a.columns, [&](int64_t i, auto lanes) {
        store_lanes(dp + i, (total - load_lanes(dp + i, lanes)) * factor, lanes);
      });
    }
    return sum(value);
  }
};

// `others` are the exponentials but the largest, which is 1: a sure right answer's loss and gradient do not cancel.
struct CategoricalCrossentropyFromLogits {
  template <class T>
  static HL_INLINE T of(const LossForward& a, const T* z, const T* y, T* dz, T scale) {
    using V = Vec<T>;
    const Targets<T> targets(a, y);
    const int64_t first = argmax(z, a.columns), best = first < 0 ? 0 : first;
    const V top(z[best]);
    V total(0), target_total(0), value(0);
    for_each_vector<T>(a.columns, [&](int64_t i, auto lanes) {
      const V t = targets.load(i, lanes), drop = top - load_lanes(z + i, lanes), e = exp(-drop);
      const V cost = select(t == V(0), V(0), t * drop);  // a class that is ruled out may have a logit of -inf
      total += fill_lanes(select(V::iota() == V(T(best - i)), V(0), e), V(0), lanes);
      target_total += fill_lanes(t, V(0), lanes);
      value += fill_lanes(cost, V(0), lanes);
      if (dz) store_lanes(dz + i, e, lanes);
    });
    const T others = sum(total), t = sum(target_total), s = 1 + others;
    if (dz) {
      for_each_vector<T>(a.columns, [&](int64_t i, auto lanes) {
        const V slope = fma(load_lanes(dz + i, lanes), V(t / s), -targets.load(i, lanes));
        store_lanes(dz + i, slope * V(scale), lanes);
      });
      const T own = targets.load(best, FirstLanes{1}).v[0];
      dz[best] = ((t - own) - own * others) / s * scale;
    }
    return sum(value) + t * log1p_of(others);
  }
};

struct SparseCrossentropy {
  template <class T>
  static HL_INLINE T of(const LossForward& a, const T* p, const int32_t* label, T* dp, T scale) {
    using V = Vec<T>;
    const int64_t j = *label, C = a.columns;
    if (j < 0 || j >= C) {
      if (dp) fill_row(dp, C, T(0));
      return 0;
    }
    const T mass = sum_of(p, C);
    const V share(p[j] / mass), q = clip_probability(share);
    if (dp) {  // -1 / q at j before the normalisation, which gives every class of the sample +1 / mass
      const T rest = zero_if_clipped(share, V(scale / mass)).v[0];
      fill_row(dp, C, rest);
      dp[j] = rest * (1 - 1 / q.v[0]);
    }
    return -log(q).v[0];
  }
};

// Here `others` are the exponentials but the label's.
struct SparseCrossentropyFromLogits {
  template <class T>
  static HL_INLINE T of(const LossForward& a, const T* z, const int32_t* label, T* dz, T scale) {
    using V = Vec<T>;
    const int64_t j = *label, C = a.columns;
    if (j < 0 || j >= C) {
      if (dz) fill_row(dz, C, T(0));
      return 0;
    }
    const T top = largest_of(z, C), drop = top - z[j];
    V total(0), own(0);
    for_each_vector<T>(C, [&](int64_t i, auto lanes) {
      const V e = exp(load_lanes(z + i, lanes) - V(top));
      const auto is_label = V::iota() == V(T(j - i));
      own += select(is_label, e, V(0));
      total += fill_lanes(select(is_label, V(0), e), V(0), lanes);
      if (dz) store_lanes(dz + i, e, lanes);
    });
    const T others = sum(total), s = others + sum(own);
    if (dz) {
      const V factor(scale / s);
      for_each_vector<T>(
          C, [&](int64_t i, auto lanes) { store_lanes(dz + i, load_lanes(dz + i, lanes) * factor, lanes); });
      dz[j] = -others * factor.v[0];
    }
    return drop + log1p_of(drop == 0 ? others : s - 1);
  }
};

// One worker's rows; sample(r, dp, scale) returns the sum over a sample.
template <class T, class Sample>
HL_INLINE void loss_rows(const LossForward& a, const RunState& run, Worker w, const Sample& sample) {
  const Span rows = share(run.rows, w);
  const double factor = a.loss_weight * a.value_scale / (a.mean ? double(run.rows) : 1);
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const double weight = a.weight ? double(*row_of<T>(a.weight, r)) : 1;
    T* dp = a.gradient ? row_of<T>(a.gradient, r) : nullptr;
    a.values[r] = weight * a.value_scale * sample(r, dp, T(weight * factor));
  }
}

template <class T, class Loss>
HL_NOINLINE void element_loss(const LossForward& a, const RunState& run, Worker w) noexcept {
  loss_rows<T>(a, run, w, [&](int64_t r, T* dp, T scale) {
    const T *p = row_of<T>(a.pred, r), *y = row_of<T>(a.target, r);
    return double(element_row<T, Loss>(a, p, y, dp, a.groups * a.columns, scale));
  });
}

template <class T, class Loss, class Target>
HL_NOINLINE void class_loss(const LossForward& a, const RunState& run, Worker w) noexcept {
  const int64_t step = std::is_same<Target, int32_t>::value ? 1 : a.columns;
  loss_rows<T>(a, run, w, [&](int64_t r, T* dp, T scale) {
    double total = 0;
    for (int64_t g = 0; g < a.groups; ++g) {
      const T* p = row_of<T>(a.pred, r) + g * a.columns;
      const Target* y = row_of<Target>(a.target, r) + g * step;
      total += double(Loss::of(a, p, y, dp ? dp + g * a.columns : dp, scale));
    }
    return total;
  });
}

template <class T>
void loss_forward(const LossForward& a, const RunState& run, Worker w) noexcept {
  switch (a.kind) {
#define HL_ELEMENT(name, Functor) \
  case LossKind::name: return element_loss<T, Functor>(a, run, w);
#define HL_CLASS(name, Functor) \
  case LossKind::name: return class_loss<T, Functor, T>(a, run, w);
#define HL_SPARSE(name, Functor) \
  case LossKind::name: return class_loss<T, Functor, int32_t>(a, run, w);
    HL_LOSSES(HL_ELEMENT, HL_CLASS, HL_SPARSE)
#undef HL_ELEMENT
#undef HL_CLASS
#undef HL_SPARSE
  }
}

// term(0) + .. + term(n - 1) in eight interleaved chains, then a tree: one order whatever the team or the vectors.
template <class Term>
HL_INLINE double ordered_sum(int64_t n, const Term& term) {
  double chain[8] = {};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int64_t k = 0; k < 8; ++k) chain[k] += term(i + k);
  for (; i < n; ++i) chain[i % 8] += term(i);
  return ((chain[0] + chain[4]) + (chain[2] + chain[6])) + ((chain[1] + chain[5]) + (chain[3] + chain[7]));
}

template <class T>
void loss_reduce(const LossReduce& a, const RunState& run, Worker w) noexcept {
  if (w.id != 0) return;
  const double total = ordered_sum(run.rows, [&](int64_t r) { return a.values[r]; }), rows = double(run.rows);
  double* result = a.accumulator;
  result[0] += a.mean ? total : total * rows;
  result[1] += rows;
  result[2] = a.mean ? total / rows : total;
  if (!__builtin_isfinite(total) && result[3] < 0) result[3] = double(run.step);
}
