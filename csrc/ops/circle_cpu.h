template <class T>
HL_INLINE int64_t refs_of(const CirclePairs& a, const RunState& run) {
  return a.refs ? a.refs : run.rows;
}

template <class T>
HL_INLINE CircleTerm<Vec<T>> circle_term(const CirclePairs& a) {
  return {Vec<T>(T(a.gamma)), Vec<T>(T(a.margin))};
}

// s and its signs for row i.
template <class T>
HL_INLINE void compare_pairs(const CirclePairs& a, int64_t i, int64_t refs) {
  const T *e = row_of<T>(a.e, i), label = *row_of<T>(a.labels, i);
  T *s = row_of<T>(a.s, i), *sign = row_of<T>(a.sign, i);
  for (int64_t j = 0; j < refs; ++j) {
    const T* r = row_of<T>(a.r, j);
    Vec<T> total = Vec<T>(0);
    for_each_vector<T>(a.width, [&](int64_t k, auto lanes) {
      total = fma(load_lanes(e + k, lanes), load_lanes(r + k, lanes), total);
    });
    s[j] = sum(total);
    const bool same = *row_of<T>(a.ref_labels, j) == label;
    sign[j] = same ? T(a.remove_diagonal && i == j ? 0 : 1) : T(-1);
  }
}

// log of the sum of e^term(d) over the pairs of one sign; -inf for none.
template <class T, class Term>
HL_INLINE T log_sum(const T* s, const T* sign, T wanted, int64_t refs, Term term) {
  using V = Vec<T>;
  const auto exponent = [&](int64_t j, auto lanes) {
    const V value = term(max(V(0), V(1) - load_lanes(s + j, lanes)));
    return fill_lanes(select(load_lanes(sign + j, lanes) == V(wanted), value, V(-kInfinity<T>)), V(-kInfinity<T>), lanes);
  };
  V top = V(-kInfinity<T>);
  for_each_vector<T>(refs, [&](int64_t j, auto lanes) { top = max(exponent(j, lanes), top); });
  top = V(max_of(top));
  top = select(top > V(-kInfinity<T>), top, V(0));
  V total = V(0);
  for_each_vector<T>(refs, [&](int64_t j, auto lanes) { total += exp(exponent(j, lanes) - top); });
  return first_of(top + log(V(sum(total))));
}

template <class T>
HL_KERNEL_TEXT void circle_forward(const CircleForward& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  const int64_t refs = refs_of<T>(a.pairs, run);
  const auto term = circle_term<T>(a.pairs);
  for_each_own(run.rows, w, [&](int64_t i) {
    compare_pairs<T>(a.pairs, i, refs);
    const T *s = row_of<T>(a.pairs.s, i), *sign = row_of<T>(a.pairs.sign, i);
    T* sums = row_of<T>(a.pairs.sums, i);
    sums[0] = log_sum(s, sign, T(1), refs, [&](V d) { return term.same(d); });
    sums[1] = log_sum(s, sign, T(-1), refs, [&](V d) { return term.apart(d); });
    *row_of<T>(a.y, i) = first_of(softplus(V(sums[0]) + V(sums[1])));
  });
}

template <class T>
HL_KERNEL_TEXT void circle_backward(const CircleBackward& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  const int64_t refs = refs_of<T>(a.pairs, run);
  const auto term = circle_term<T>(a.pairs);
  for_each_own(run.rows, w, [&](int64_t i) {
    const T *s = row_of<T>(a.pairs.s, i), *sign = row_of<T>(a.pairs.sign, i), *sums = row_of<T>(a.pairs.sums, i);
    T* g = row_of<T>(a.g, i);
    const V p = V(sums[0]), n = V(sums[1]), empty = V(-kInfinity<T>);
    const V factor = V(*row_of<T>(a.dy, i)) * sigmoid(p + n);
    const auto none = (p == empty) | (n == empty);
    for_each_vector<T>(refs, [&](int64_t j, auto lanes) {
      const V apart = V(1) - load_lanes(s + j, lanes), d = max(V(0), apart), sign_j = load_lanes(sign + j, lanes);
      const V of_same = exp(term.same(d) - p) * term.same_slope(d);
      const V of_other = exp(term.apart(d) - n) * term.apart_slope(d);
      const V slope = select(sign_j > V(0), of_same, select(sign_j < V(0), of_other, V(0)));
      store_lanes(g + j, select(none, V(0), -factor * slope * term.step(apart)), lanes);
    });
    if (!a.de) return;
    T* de = row_of<T>(a.de, i);
    for_each_vector<T>(a.pairs.width, [&](int64_t k, auto lanes) {
      V total = V(0);
      for (int64_t j = 0; j < refs; ++j) total = fma(V(g[j]), load_lanes(row_of<T>(a.pairs.r, j) + k, lanes), total);
      store_lanes(de + k, total, lanes);
    });
  });
}

template <class T>
HL_KERNEL_TEXT void circle_backward_refs(const CircleBackwardRefs& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  for_each_own(refs_of<T>(a.pairs, run), w, [&](int64_t j) {
    T* dr = row_of<T>(a.dr, j);
    for_each_vector<T>(a.pairs.width, [&](int64_t k, auto lanes) {
      V total = V(0);
      for (int64_t i = 0; i < run.rows; ++i)
        total = fma(V(row_of<T>(a.g, i)[j]), load_lanes(row_of<T>(a.pairs.e, i) + k, lanes), total);
      store_lanes(dr + k, total, lanes);
    });
  });
}
