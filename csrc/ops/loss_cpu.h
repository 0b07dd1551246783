// One sample of an element-wise loss: its sum, and the gradient where `dp` is not null.
template <class T, class Loss>
HL_INLINE T element_row(const LossForward& a, const T* p, const T* y, T* dp, int64_t n, T scale) {
  using V = Vec<T>;
  const V smooth(T(a.target_scale)), shift(T(a.target_shift));
  V total(0);
  for_each_vector<T>(n, [&](int64_t i, auto lanes) {
    const ValueSlope<V> one = Loss::of(load_lanes(p + i, lanes), fma(load_lanes(y + i, lanes), smooth, shift));
    total += fill_lanes(one.value, V(0), lanes);
    if (dp) store_lanes(dp + i, one.slope * V(scale), lanes);
  });
  return sum(total);
}

// ---- Losses of class distributions: one formula, two ways to lay them on the lanes. ----

// One distribution, its classes on the lanes.
template <class T>
struct ClassLanes {
  using V = Vec<T>;
  int64_t classes;

  template <class Body>
  HL_INLINE void each(Body body) const {
    for_each_vector<T>(classes, body);
  }
  template <class Lanes> HL_INLINE V load(const T* p, int64_t i, Lanes lanes) const { return load_lanes(p + i, lanes); }
  template <class Lanes> HL_INLINE void store(T* p, int64_t i, V v, Lanes lanes) const { store_lanes(p + i, v, lanes); }
  HL_INLINE V class_number(int64_t i) const { return V::iota() + V(T(i)); }
  HL_INLINE V fold_sum(V v) const { return V(sum(v)); }
  HL_INLINE V fold_max(V v) const { return V(max_of(v)); }
  HL_INLINE V fold_min(V v) const { return V(min_of(v)); }
};

// A distribution on every lane, one class after the other: few classes would leave lanes empty, and every fold of the
// lanes would have to wait for the one before.
template <class T>
struct SampleLanes {
  using V = Vec<T>;
  int64_t classes;

  template <class Body>
  HL_INLINE void each(Body body) const {
    for (int64_t i = 0; i < classes; ++i) body(i, AllLanes{});
  }
  HL_INLINE V load(const T* p, int64_t i, AllLanes) const { return V::load(p + i * V::kLanes); }
  HL_INLINE void store(T* p, int64_t i, V v, AllLanes) const { v.store(p + i * V::kLanes); }
  HL_INLINE V class_number(int64_t i) const { return V(T(i)); }
  HL_INLINE V fold_sum(V v) const { return v; }
  HL_INLINE V fold_max(V v) const { return v; }
  HL_INLINE V fold_min(V v) const { return v; }
};

// term(i, lanes) over the classes.
template <class View, class Term>
HL_INLINE typename View::V sum_over(const View& view, Term term) {
  using V = typename View::V;
  V total(0);
  view.each([&](int64_t i, auto lanes) { total += fill_lanes(term(i, lanes), V(0), lanes); });
  return view.fold_sum(total);
}
template <class View, class T>
HL_INLINE Vec<T> largest(const View& view, const T* p) {
  using V = Vec<T>;
  V most(-kInfinity<T>);
  view.each([&](int64_t i, auto lanes) {
    most = max(fill_lanes(view.load(p, i, lanes), most, lanes), most);  // this order passes over NaN
  });
  return view.fold_max(most);
}

// The functors: of(a, view, p, y, dp, scale) returns the values. y is the targets, or the class numbers on the lanes.
struct CategoricalCrossentropy {
  template <class View, class T>
  static HL_INLINE Vec<T> of(const LossForward& a, const View& view, const T* p, const T* y, T* dp, Vec<T> scale) {
    using V = Vec<T>;
    const V smooth(T(a.target_scale)), shift(T(a.target_shift));
    const V mass = sum_over(view, [&](int64_t i, auto lanes) { return view.load(p, i, lanes); });
    V pull(0);  // sum_j p_j dl/dp_j of the normalised p
    const V value = sum_over(view, [&](int64_t i, auto lanes) {
      const V t = fma(view.load(y, i, lanes), smooth, shift), share = view.load(p, i, lanes) / mass;
      const V q = clip_probability(share), slope = zero_if_clipped(share, t / q);
      pull += fill_lanes(slope * share, V(0), lanes);
      if (dp) view.store(dp, i, slope, lanes);
      return -(t * log(q));
    });
    if (dp) {
      const V total = view.fold_sum(pull), factor = scale / mass;
      view.each([&](int64_t i, auto lanes) { view.store(dp, i, (total - view.load(dp, i, lanes)) * factor, lanes); });
    }
    return value;
  }
};

// `others` are the exponentials but the largest, which is 1: a sure right answer's loss and gradient do not cancel.
struct CategoricalCrossentropyFromLogits {
  template <class View, class T>
  static HL_INLINE Vec<T> of(const LossForward& a, const View& view, const T* z, const T* y, T* dz, Vec<T> scale) {
    using V = Vec<T>;
    const V smooth(T(a.target_scale)), shift(T(a.target_shift)), none(T(view.classes));
    const V top = largest(view, z);
    V best = none;  // the first of the largest
    view.each([&](int64_t i, auto lanes) {
      const V here = select(view.load(z, i, lanes) == top, view.class_number(i), none);
      best = min(fill_lanes(here, none, lanes), best);
    });
    best = view.fold_min(best);
    V all(0), own(0), value(0);
    const V others = sum_over(view, [&](int64_t i, auto lanes) {
      const V t = fma(view.load(y, i, lanes), smooth, shift), drop = top - view.load(z, i, lanes), e = exp(-drop);
      const auto is_best = view.class_number(i) == best;
      all += fill_lanes(t, V(0), lanes);
      own += fill_lanes(select(is_best, t, V(0)), V(0), lanes);
      // A class that is ruled out may have a logit of -inf.
      value += fill_lanes(select(t == V(0), V(0), t * drop), V(0), lanes);
      if (dz) view.store(dz, i, e, lanes);
      return select(is_best, V(0), e);
    });
    all = view.fold_sum(all);
    own = view.fold_sum(own);
    if (dz) {
      const V s = V(1) + others, factor = all / s, at_best = ((all - own) - own * others) / s * scale;
      view.each([&](int64_t i, auto lanes) {
        const V t = fma(view.load(y, i, lanes), smooth, shift), slope = fma(view.load(dz, i, lanes), factor, -t) * scale;
        view.store(dz, i, select(view.class_number(i) == best, at_best, slope), lanes);
      });
    }
    return view.fold_sum(value) + all * log1p(others);
  }
};

struct SparseCrossentropy {
  template <class View, class T>
  static HL_INLINE Vec<T> of(const LossForward&, const View& view, const T* p, Vec<T> label, T* dp, Vec<T> scale) {
    using V = Vec<T>;
    V own(0);
    const V mass = sum_over(view, [&](int64_t i, auto lanes) {
      const V here = view.load(p, i, lanes);
      own += fill_lanes(select(view.class_number(i) == label, here, V(0)), V(0), lanes);
      return here;
    });
    const V share = view.fold_sum(own) / mass, q = clip_probability(share);
    const auto known = (label >= V(0)) & (label < V(T(view.classes)));
    if (dp) {  // -1 / q at the label before the normalisation, which gives every class of the sample +1 / mass
      const V rest = select(known, zero_if_clipped(share, scale / mass), V(0)), at_label = rest * (V(1) - V(1) / q);
      view.each([&](int64_t i, auto lanes) {
        view.store(dp, i, select(view.class_number(i) == label, at_label, rest), lanes);
      });
    }
    return select(known, -log(q), V(0));
  }
};

// Here `others` are the exponentials but the label's.
struct SparseCrossentropyFromLogits {
  template <class View, class T>
  static HL_INLINE Vec<T> of(const LossForward&, const View& view, const T* z, Vec<T> label, T* dz, Vec<T> scale) {
    using V = Vec<T>;
    const V top = largest(view, z);
    V own(0), logit(0);
    V others = sum_over(view, [&](int64_t i, auto lanes) {
      const V here = view.load(z, i, lanes), e = exp(here - top);
      const auto is_label = view.class_number(i) == label;
      own += fill_lanes(select(is_label, e, V(0)), V(0), lanes);
      logit += fill_lanes(select(is_label, here, V(0)), V(0), lanes);
      if (dz) view.store(dz, i, e, lanes);
      return select(is_label, V(0), e);
    });
    const V s = others + view.fold_sum(own), drop = top - view.fold_sum(logit);
    const auto known = (label >= V(0)) & (label < V(T(view.classes)));
    if (dz) {
      const V factor = scale / s, at_label = -others * factor;
      view.each([&](int64_t i, auto lanes) {
        const V slope = select(view.class_number(i) == label, at_label, view.load(dz, i, lanes) * factor);
        view.store(dz, i, select(known, slope, V(0)), lanes);
      });
    }
    return select(known, drop + log1p(select(drop == V(0), others, s - V(1))), V(0));
  }
};

// What a sample's gradient is multiplied by, but for its own weight.
HL_INLINE double loss_factor(const LossForward& a, const RunState& run) {
  return a.loss_weight * a.value_scale / (a.mean ? double(run.rows) : 1);
}
template <class T>
HL_INLINE double sample_weight(const LossForward& a, int64_t r) {
  return a.weight ? double(*row_of<T>(a.weight, r)) : 1;
}

template <class T, class Loss>
HL_NOINLINE void element_loss(const LossForward& a, const RunState& run, Worker w) noexcept {
  const Span rows = share(run.rows, w);
  const double factor = loss_factor(a, run);
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const double weight = sample_weight<T>(a, r);
    const T *p = row_of<T>(a.pred, r), *y = row_of<T>(a.target, r);
    T* dp = a.gradient ? row_of<T>(a.gradient, r) : nullptr;
    const T value = element_row<T, Loss>(a, p, y, dp, a.groups * a.columns, T(weight * factor));
    a.values[r] = weight * a.value_scale * double(value);
  }
}

// Up to kLanes samples, from row `first` on: their distributions of group g, transposed into `to` and back.
template <class T>
struct SampleBlock {
  using V = Vec<T>;
  int64_t first, rows, classes;

  HL_INLINE T* at(const Tensor& t, int64_t lane, int64_t g) const {
    return row_of<T>(t, first + least(lane, rows - 1)) + g * classes;
  }
  HL_INLINE void read(const Tensor& t, int64_t g, T* to) const {
    if (rows == 1) {
      for (int64_t i = 0; i < classes; ++i) V(at(t, 0, g)[i]).store(to + i * V::kLanes);
      return;
    }
    for (int64_t i = 0; i < classes; i += V::kLanes) {
      V v[V::kLanes];
      unroll<V::kLanes>([&](auto lane) { v[lane] = V::load(at(t, lane, g) + i, classes - i); });
      transpose(v);
      unroll<V::kLanes>([&](auto j) { v[j].store(to + (i + j) * V::kLanes); });
    }
  }
  HL_INLINE void write(const Tensor& t, int64_t g, const T* from) const {
    if (rows == 1) {
      for (int64_t i = 0; i < classes; ++i) at(t, 0, g)[i] = from[i * V::kLanes];
      return;
    }
    for (int64_t i = 0; i < classes; i += V::kLanes) {
      V v[V::kLanes];
      unroll<V::kLanes>([&](auto j) { v[j] = V::load(from + (i + j) * V::kLanes); });
      transpose(v);
      unroll<V::kLanes>([&](auto lane) {
        if (lane < rows) v[lane].store(at(t, lane, g) + i, classes - i);
      });
    }
  }
};

constexpr int64_t kFewClasses = 64;  // up to so many, samples lie on the lanes

template <class T, class Loss, class Target>
HL_NOINLINE void loss_of_few_classes(const LossForward& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  constexpr int64_t L = V::kLanes;
  const Span blocks = share(ceil_div(run.rows, L), w);
  const SampleLanes<T> view{a.columns};
  const double factor = loss_factor(a, run);
  alignas(kAlignment) T p[kFewClasses * L], y[kFewClasses * L], dp[kFewClasses * L], scales[L], values[L];
  for (int64_t b = blocks.begin; b < blocks.end; ++b) {
    const SampleBlock<T> block{b * L, least(L, run.rows - b * L), a.columns};
    double total[L] = {};
    for (int64_t i = 0; i < L; ++i) scales[i] = T(i < block.rows ? sample_weight<T>(a, block.first + i) * factor : 0);
    for (int64_t g = 0; g < a.groups; ++g) {
      block.read(a.pred, g, p);
      if constexpr (std::is_same<Target, int32_t>::value) {
        for (int64_t i = 0; i < L; ++i) y[i] = T(i < block.rows ? row_of<int32_t>(a.target, block.first + i)[g] : -1);
        Loss::of(a, view, p, V::load(y), a.gradient ? dp : nullptr, V::load(scales)).store(values);
      } else {
        block.read(a.target, g, y);
        Loss::of(a, view, p, y, a.gradient ? dp : nullptr, V::load(scales)).store(values);
      }
      if (a.gradient) block.write(a.gradient, g, dp);
      for (int64_t i = 0; i < L; ++i) total[i] += double(values[i]);
    }
    for (int64_t i = 0; i < block.rows; ++i)
      a.values[block.first + i] = sample_weight<T>(a, block.first + i) * a.value_scale * total[i];
  }
}

template <class T, class Loss, class Target>
HL_NOINLINE void loss_of_many_classes(const LossForward& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  const Span rows = share(run.rows, w);
  const ClassLanes<T> view{a.columns};
  const double factor = loss_factor(a, run);
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const double weight = sample_weight<T>(a, r);
    double total = 0;
    for (int64_t g = 0; g < a.groups; ++g) {
      const T* p = row_of<T>(a.pred, r) + g * a.columns;
      T* dp = a.gradient ? row_of<T>(a.gradient, r) + g * a.columns : nullptr;
      const V scale(T(weight * factor));
      if constexpr (std::is_same<Target, int32_t>::value)
        total += double(first_of(Loss::of(a, view, p, V(T(row_of<int32_t>(a.target, r)[g])), dp, scale)));
      else
        total += double(first_of(Loss::of(a, view, p, row_of<T>(a.target, r) + g * a.columns, dp, scale)));
    }
    a.values[r] = weight * a.value_scale * total;
  }
}

template <class T, class Loss, class Target>
HL_INLINE void class_loss(const LossForward& a, const RunState& run, Worker w) {
  a.columns <= kFewClasses ? loss_of_few_classes<T, Loss, Target>(a, run, w)
                           : loss_of_many_classes<T, Loss, Target>(a, run, w);
}

template <class T>
HL_KERNEL_TEXT void loss_forward(const LossForward& a, const RunState& run, Worker w) noexcept {
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

template <class T>
HL_KERNEL_TEXT void loss_reduce(const LossReduce& a, const RunState& run, Worker w) noexcept {
  if (!takes_part_in_sum(w)) return;
  const double total = sum_of_all(run.rows, w, [&](int64_t r) { return a.values[r]; }), rows = double(run.rows);
  if (w.id != 0) return;
  double* result = a.accumulator;
  result[0] += a.mean ? total : total * rows;
  result[1] += rows;
  result[2] = a.mean ? total / rows : total;
  if (!__builtin_isfinite(total) && result[3] < 0) result[3] = double(run.step);
}
