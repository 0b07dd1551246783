// One run of the last axis between its places in x and its row of y.
template <class T>
HL_INLINE void copy_run(const Rearrange& a, T* x, T* y, int64_t n) {
  const int64_t stride = a.strides[kRearrangeAxes - 1];
  if (a.backward) {
    for (int64_t i = 0; i < n; ++i) x[i * stride] = y[i];
  } else if (stride == 1) {
    for_each_vector<T>(n, [&](int64_t i, auto lanes) { store_lanes(y + i, load_lanes(x + i, lanes), lanes); });
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] = x[i * stride];
  }
}

template <class T>
HL_KERNEL_TEXT void rearrange(const Rearrange& a, const RunState& run, Worker w) noexcept {
  const int64_t width = a.axes[kRearrangeAxes - 1], runs = width ? a.features / width : 0;
  const Span rows = share(a.rows ? a.rows : run.rows, w);
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    T *x = row_of<T>(a.x, row), *y = row_of<T>(a.y, row);
    if (a.backward)
      for_each_vector<T>(a.x_features, [&](int64_t i, auto lanes) { store_lanes(x + i, Vec<T>(0), lanes); });
    for (int64_t r = 0; r < runs; ++r) {
      int64_t place = a.offset, rest = r;
      for (int k = kRearrangeAxes - 2; k >= 0 && rest > 0; --k) {
        place += rest % a.axes[k] * a.strides[k];
        rest /= a.axes[k];
      }
      copy_run(a, x + place, y + r * width, width);
    }
  }
}
