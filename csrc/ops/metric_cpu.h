// The first place of the largest element, or -1 where all are NaN.
template <class T>
HL_INLINE int64_t argmax(const T* x, int64_t n) {
  const T most = first_of(largest(ClassLanes<T>{n}, x));
  for (int64_t i = 0; i < n; ++i)
    if (x[i] == most) return i;
  return -1;
}

// Row functors: of(a, p, y) is how right one distribution is.
struct BinaryAccuracy {
  template <class T>
  static HL_INLINE T of(const MetricUpdate& a, const T* p, const T* y) {
    using V = Vec<T>;
    const V threshold(T(a.threshold));
    V right(0);
    for_each_vector<T>(a.columns, [&](int64_t i, auto lanes) {
      const V guess = select(load_lanes(p + i, lanes) > threshold, V(1), V(0));
      right += fill_lanes(select(guess == load_lanes(y + i, lanes), V(1), V(0)), V(0), lanes);
    });
    return sum(right) / T(a.columns);
  }
};
struct CategoricalAccuracy {
  template <class T>
  static HL_INLINE T of(const MetricUpdate& a, const T* p, const T* y) {
    const int64_t guess = argmax(p, a.columns);
    return guess >= 0 && guess == argmax(y, a.columns) ? 1 : 0;
  }
  template <class T>
  static HL_INLINE T of(const MetricUpdate& a, const T* p, const int32_t* label) {
    const int64_t guess = argmax(p, a.columns);
    return guess >= 0 && guess == *label ? 1 : 0;
  }
};

struct TopKAccuracy {
  template <class T>
  static HL_INLINE T ranked(const MetricUpdate& a, const T* p, int64_t label) {
    if (label < 0 || label >= a.columns) return 0;
    const T given = p[label];
    int64_t larger = 0;
    for (int64_t i = 0; i < a.columns; ++i) larger += given == given ? p[i] > given : p[i] == p[i];
    return larger < a.k ? 1 : 0;
  }
  template <class T>
  static HL_INLINE T of(const MetricUpdate& a, const T* p, const T* y) {
    return ranked(a, p, argmax(y, a.columns));
  }
  template <class T>
  static HL_INLINE T of(const MetricUpdate& a, const T* p, const int32_t* label) {
    return ranked(a, p, *label);
  }
};

template <class T, class Metric, class Target>
HL_NOINLINE void metric_rows(const MetricUpdate& a, const RunState& run, Worker w) noexcept {
  const int64_t step = std::is_same<Target, int32_t>::value ? 1 : a.columns;
  const Span rows = share(run.rows, w);
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const T* p = row_of<T>(a.pred, r);
    const Target* y = row_of<Target>(a.target, r);
    double total = 0;
    for (int64_t g = 0; g < a.groups; ++g) total += double(Metric::of(a, p + g * a.columns, y + g * step));
    a.values[r] = total / double(a.groups);
  }
}

template <class T>
HL_KERNEL_TEXT void metric_update(const MetricUpdate& a, const RunState& run, Worker w) noexcept {
  switch (a.kind) {
#define HL_METRIC(name, Functor) \
  case MetricKind::name: return metric_rows<T, Functor, T>(a, run, w);
#define HL_SPARSE(name, Functor) \
  case MetricKind::name: return metric_rows<T, Functor, int32_t>(a, run, w);
    HL_METRICS(HL_METRIC, HL_SPARSE)
#undef HL_METRIC
#undef HL_SPARSE
  }
}

template <class T>
HL_KERNEL_TEXT void metric_reduce(const MetricReduce& a, const RunState& run, Worker w) noexcept {
  if (!takes_part_in_sum(w)) return;
  const auto weight = [&](int64_t r) { return a.weight ? double(*row_of<T>(a.weight, r)) : 1; };
  const double total = sum_of_all(run.rows, w, [&](int64_t r) { return weight(r) * a.values[r]; });
  const double count = sum_of_all(run.rows, w, weight);
  if (w.id != 0) return;
  a.accumulator[0] += total;
  a.accumulator[1] += count;
  a.accumulator[2] = count != 0 ? total / count : 0;
}

template <class T>
HL_KERNEL_TEXT void metric_sums(const MetricSums& a, const RunState& run, Worker w) noexcept {
  const Span columns = share(a.columns, w);
  for (int64_t j = columns.begin; j < columns.end; ++j)
    a.accumulator[4 * j] += ordered_sum(run.rows, [&](int64_t r) {
      return (a.weight ? double(*row_of<T>(a.weight, r)) : 1) * double(row_of<T>(a.value, r)[j]);
    });
}

template <class T>
HL_KERNEL_TEXT void metric_histogram(const MetricHistogram& a, const RunState& run, Worker w) noexcept {
  if (w.id != 0) return;
  for (int64_t r = 0; r < run.rows; ++r) {
    const double weight = a.weight ? double(*row_of<T>(a.weight, r)) : 1;
    const T *bins = row_of<T>(a.bin, r), *hits = row_of<T>(a.hit, r);
    for (int64_t j = 0; j < a.columns; ++j) {
      if (!(bins[j] >= 0 && bins[j] < T(a.bins))) continue;  // also for NaN
      double* hit = a.accumulator + 4 * int64_t(bins[j]);
      hit[0] += weight * double(hits[j]);
      hit[4 * a.bins] += weight * (1 - double(hits[j]));
    }
  }
}
