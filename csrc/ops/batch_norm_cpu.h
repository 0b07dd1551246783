// A strip is what one call of a kernel's body works on: W vectors of neighbouring channels, a lane each (inner == 1),
// or one channel whose neighbours fill the lanes. `each(body)` calls body(offset in a row, vector, lanes).
template <class T, int W, class Lanes>
struct ChannelStrip {
  static constexpr int kVectors = W;
  using V = Vec<T>;
  ChannelShape shape;
  int64_t channel;
  Lanes lanes;

  template <class Body>
  HL_INLINE void each(Body body) const {
    for (int64_t o = 0; o < shape.outer * shape.channels; o += shape.channels)
#pragma GCC unroll 8
      for (int j = 0; j < W; ++j) body(o + channel + j * V::kLanes, j, lanes);
  }
  HL_INLINE V load(const void* p, int j) const {
    return load_lanes(static_cast<const T*>(p) + channel + j * V::kLanes, lanes);
  }
  HL_INLINE void store(void* p, int j, V v) const {
    store_lanes(static_cast<T*>(p) + channel + j * V::kLanes, v, lanes);
  }
  HL_INLINE V fold(V v) const { return v; }
};

template <class T>
struct SingleChannel {
  static constexpr int kVectors = 1;
  using V = Vec<T>;
  ChannelShape shape;
  int64_t channel;

  template <class Body>
  HL_INLINE void each(Body body) const {
    for (int64_t o = 0; o < shape.outer; ++o) {
      const int64_t start = (o * shape.channels + channel) * shape.inner;
      for_each_vector<T>(shape.inner, [&](int64_t i, auto lanes) { body(start + i, 0, lanes); });
    }
  }
  HL_INLINE V load(const void* p, int) const { return V(static_cast<const T*>(p)[channel]); }
  HL_INLINE void store(void* p, int, V v) const { v.store(static_cast<T*>(p) + channel, 1); }
  HL_INLINE V fold(V v) const { return V(sum(v)); }
};

// Calls body(strip) for channels begin .. end.
template <class T, class Body>
HL_INLINE void for_each_strip(const ChannelShape& shape, int64_t begin, int64_t end, Body body) {
  constexpr int64_t L = Vec<T>::kLanes;
  constexpr int kWide = 4;  // sums in flight: an addition takes as long as four can start
  int64_t c = begin;
  if (shape.inner > 1) {
    for (; c < end; ++c) body(SingleChannel<T>{shape, c});
    return;
  }
  for (; c + kWide * L <= end; c += kWide * L) body(ChannelStrip<T, kWide, AllLanes>{shape, c, {}});
  for (; c + L <= end; c += L) body(ChannelStrip<T, 1, AllLanes>{shape, c, {}});
  if (c < end) body(ChannelStrip<T, 1, FirstLanes>{shape, c, {end - c}});
}

// Channels are handed out by the cache line, on a GPU one by one: neighbours read a line together.
template <class T>
HL_INLINE int64_t channel_piece(const ChannelShape& shape) {
  return shape.inner > 1 || kPiece == 1 ? 1 : kAlignment / int64_t(sizeof(T));
}

template <class T, class Body>
HL_INLINE void for_each_own_strip(const ChannelShape& shape, Worker w, Body body) {
  for_each_piece(1, shape.channels, channel_piece<T>(shape), w, [&](int64_t, int64_t begin, int64_t end) {
    for_each_strip<T>(shape, begin, end, body);
  });
}

// N sums over a strip's part of the batch: term(row, offset, vector, lanes, part) adds to part[0 .. N - 1][vector].
// Blocks of rows are summed on their own first, so the error grows with the number of blocks and not of rows.
template <int N, class Strip, class Term>
HL_INLINE void sum_strip(const Strip& strip, int64_t rows, Term term, typename Strip::V (&total)[N][Strip::kVectors]) {
  using V = typename Strip::V;
  constexpr int64_t kBlock = 64;
  constexpr int W = Strip::kVectors;
  for (int n = 0; n < N; ++n)
    for (int j = 0; j < W; ++j) total[n][j] = V(0);
  for (int64_t first = 0; first < rows; first += kBlock) {
    V part[N][W];
    for (int n = 0; n < N; ++n)
      for (int j = 0; j < W; ++j) part[n][j] = V(0);
    const int64_t last = least(first + kBlock, rows);
    for (int64_t row = first; row < last; ++row)
      strip.each([&](int64_t at, int j, auto lanes) { term(row, at, j, lanes, part); });
    for (int n = 0; n < N; ++n)
      for (int j = 0; j < W; ++j) total[n][j] += part[n][j];
  }
  for (int n = 0; n < N; ++n)
    for (int j = 0; j < W; ++j) total[n][j] = strip.fold(total[n][j]);
}

// Mean and biased variance of a strip.
template <class T, class Strip>
HL_INLINE void strip_statistics(const Strip& strip, const Tensor& x, int64_t rows, Vec<T>* mean, Vec<T>* var) {
  using V = Vec<T>;
  constexpr int W = Strip::kVectors;
  const V count = V(T(rows * strip.shape.outer * strip.shape.inner));
  V once[1][W], twice[2][W];
  sum_strip(strip, rows, [&](int64_t row, int64_t at, int j, auto lanes, auto& part) {
    part[0][j] += load_lanes(row_of<T>(x, row) + at, lanes);
  }, once);
  for (int j = 0; j < W; ++j) mean[j] = once[0][j] / count;
  sum_strip(strip, rows, [&](int64_t row, int64_t at, int j, auto lanes, auto& part) {
    const V d = fill_lanes(load_lanes(row_of<T>(x, row) + at, lanes) - mean[j], V(0), lanes);
    part[0][j] += d;
    part[1][j] = fma(d, d, part[1][j]);
  }, twice);
  for (int j = 0; j < W; ++j) {
    const V drift = twice[0][j] / count;
    mean[j] += drift;
    var[j] = max(V(0), fnma(drift, drift, twice[1][j] / count));
  }
}

// y = (x - mean) * scale + shift
template <class T, class Strip>
HL_INLINE void scale_strip(const Strip& strip, const Tensor& x, const Tensor& y, Span rows, const Vec<T>* mean,
                           const Vec<T>* scale, const Vec<T>* shift) {
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const T* from = row_of<T>(x, row);
    T* to = row_of<T>(y, row);
    strip.each([&](int64_t at, int j, auto lanes) {
      store_lanes(to + at, fma(load_lanes(from + at, lanes) - mean[j], scale[j], shift[j]), lanes);
    });
  }
}

// y = f(y)
template <class T, class Strip>
HL_INLINE void activate_strip(const Strip& strip, const Activation& activation, const Tensor& y, Span rows) {
  if (activation.kind == ActivationKind::identity) return;
  const Vec<T> alpha = Vec<T>(T(activation.alpha));
  with_activation(activation.kind, [&](auto f) {
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      T* to = row_of<T>(y, row);
      strip.each([&](int64_t at, int, auto lanes) {
        store_lanes(to + at, f.forward(load_lanes(to + at, lanes), alpha), lanes);
      });
    }
  });
}

template <class T>
HL_INLINE Vec<T> inverse_deviation(Vec<T> var, double epsilon) {
  return Vec<T>(1) / sqrt(var + Vec<T>(T(epsilon)));
}

template <class T>
HL_KERNEL_TEXT void batch_norm_train(const BatchNormTrain& args, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  const BatchNormTrain a = args;
  const int64_t rows = run.rows;
  const V momentum = V(T(a.momentum)), rest = V(T(1 - a.momentum));
  for_each_own_strip<T>(a.shape, w, [&](auto strip) {
    constexpr int W = decltype(strip)::kVectors;
    V mean[W], var[W], scale[W], shift[W];
    strip_statistics<T>(strip, a.x, rows, mean, var);
    for (int j = 0; j < W; ++j) {
      const V inv = inverse_deviation<T>(var[j], a.epsilon);
      strip.store(row_of<T>(a.saved, 0), j, mean[j]);
      strip.store(row_of<T>(a.saved, 1), j, inv);
      if (a.moving_mean) {
        strip.store(a.moving_mean, j, fma(momentum, strip.load(a.moving_mean, j), rest * mean[j]));
        strip.store(a.moving_var, j, fma(momentum, strip.load(a.moving_var, j), rest * var[j]));
      }
      scale[j] = a.gamma ? inv * strip.load(a.gamma, j) : inv;
      shift[j] = a.beta ? strip.load(a.beta, j) : V(0);
    }
    scale_strip<T>(strip, a.x, a.y, {0, rows}, mean, scale, shift);
    activate_strip<T>(strip, a.activation, a.y, {0, rows});
  });
}

template <class T>
HL_KERNEL_TEXT void batch_norm_infer(const BatchNormInfer& args, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  constexpr int64_t kRows = 256;  // rows that share one computation of the scales
  const BatchNormInfer a = args;
  const int64_t rows = run.rows;
  const auto body = [&](int64_t block, int64_t begin, int64_t end) {
    for_each_strip<T>(a.shape, begin, end, [&](auto strip) {
      constexpr int W = decltype(strip)::kVectors;
      V mean[W], scale[W], shift[W];
      for (int j = 0; j < W; ++j) {
        const V inv = inverse_deviation<T>(strip.load(a.var, j), a.epsilon);
        mean[j] = strip.load(a.mean, j);
        scale[j] = a.gamma ? inv * strip.load(a.gamma, j) : inv;
        shift[j] = a.beta ? strip.load(a.beta, j) : V(0);
      }
      const Span here{block * kRows, least((block + 1) * kRows, rows)};
      scale_strip<T>(strip, a.x, a.y, here, mean, scale, shift);
      activate_strip<T>(strip, a.activation, a.y, here);
    });
  };
  for_each_piece(ceil_div(rows, kRows), a.shape.channels, channel_piece<T>(a.shape), w, body);
}

// sums[0] = sum dy, sums[1] = sum dy (x - mean)
template <class T, class Strip>
HL_INLINE void gradient_sums(const Strip& strip, const Tensor& x, const Tensor& dy, int64_t rows, const Vec<T>* mean,
                             Vec<T> (&sums)[2][Strip::kVectors]) {
  using V = Vec<T>;
  sum_strip(strip, rows, [&](int64_t row, int64_t at, int j, auto lanes, auto& part) {
    const V g = load_lanes(row_of<T>(dy, row) + at, lanes);
    part[0][j] += g;
    part[1][j] = fma(g, load_lanes(row_of<T>(x, row) + at, lanes) - mean[j], part[1][j]);
  }, sums);
}

// dx *= f'(x) for the activation that made x.
template <class T, class Strip>
HL_INLINE void chain_strip(const Strip& strip, const Activation& below, const Tensor& x, const Tensor& dx,
                           int64_t rows) {
  if (below.kind == ActivationKind::identity) return;
  const Vec<T> alpha = Vec<T>(T(below.alpha));
  with_activation(below.kind, [&](auto f) {
    for (int64_t row = 0; row < rows; ++row) {
      const T* from = row_of<T>(x, row);
      T* to = row_of<T>(dx, row);
      strip.each([&](int64_t at, int, auto lanes) {
        store_lanes(to + at, load_lanes(to + at, lanes) * f.derivative(load_lanes(from + at, lanes), alpha), lanes);
      });
    }
  });
}

// The pads of a rank-1 gradient are zeros.
template <class T>
HL_INLINE void clear_channel_pads(void* gradient, int64_t channels, Worker w) {
  constexpr int64_t NR = panel_columns<T>();
  if (!gradient || w.id != 0) return;
  for (int64_t c = channels; c < ceil_div(channels, NR) * NR; ++c) static_cast<T*>(gradient)[c] = 0;
}

template <class T>
HL_KERNEL_TEXT void batch_norm_backward(const BatchNormBackward& args, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  const BatchNormBackward a = args;
  const int64_t rows = run.rows;
  const V count = V(T(rows * a.shape.outer * a.shape.inner));
  clear_channel_pads<T>(a.dgamma, a.shape.channels, w);
  clear_channel_pads<T>(a.dbeta, a.shape.channels, w);
  for_each_own_strip<T>(a.shape, w, [&](auto strip) {
    constexpr int W = decltype(strip)::kVectors;
    V mean[W], scale[W], offset[W], slope[W], sums[2][W];
    for (int j = 0; j < W; ++j) mean[j] = strip.load(row_of<T>(a.saved, 0), j);
    gradient_sums<T>(strip, a.x, a.dy, rows, mean, sums);
    for (int j = 0; j < W; ++j) {
      const V inv = strip.load(row_of<T>(a.saved, 1), j), dgamma = inv * sums[1][j];
      if (a.dgamma) strip.store(a.dgamma, j, dgamma);
      if (a.dbeta) strip.store(a.dbeta, j, sums[0][j]);
      scale[j] = a.gamma ? inv * strip.load(a.gamma, j) : inv;
      offset[j] = sums[0][j] / count;
      slope[j] = inv * dgamma / count;
    }
    if (!a.dx) return;
    for (int64_t row = 0; row < rows; ++row) {
      const T *x = row_of<T>(a.x, row), *dy = row_of<T>(a.dy, row);
      T* dx = row_of<T>(a.dx, row);
      strip.each([&](int64_t at, int j, auto lanes) {
        const V d = load_lanes(x + at, lanes) - mean[j];
        store_lanes(dx + at, scale[j] * fnma(d, slope[j], load_lanes(dy + at, lanes) - offset[j]), lanes);
      });
    }
    chain_strip<T>(strip, a.below, a.x, a.dx, rows);
  });
}

template <class T>
HL_KERNEL_TEXT void batch_norm_infer_backward(const BatchNormInferBackward& args, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  const BatchNormInferBackward a = args;
  const int64_t rows = run.rows;
  clear_channel_pads<T>(a.dgamma, a.shape.channels, w);
  clear_channel_pads<T>(a.dbeta, a.shape.channels, w);
  for_each_own_strip<T>(a.shape, w, [&](auto strip) {
    constexpr int W = decltype(strip)::kVectors;
    V mean[W], inv[W], scale[W], zero[W];
    for (int j = 0; j < W; ++j) {
      mean[j] = strip.load(a.mean, j);
      inv[j] = inverse_deviation<T>(strip.load(a.var, j), a.epsilon);
      scale[j] = a.gamma ? inv[j] * strip.load(a.gamma, j) : inv[j];
      zero[j] = V(0);
    }
    if (a.dgamma || a.dbeta) {
      V sums[2][W];
      gradient_sums<T>(strip, a.x, a.dy, rows, mean, sums);
      for (int j = 0; j < W; ++j) {
        if (a.dgamma) strip.store(a.dgamma, j, inv[j] * sums[1][j]);
        if (a.dbeta) strip.store(a.dbeta, j, sums[0][j]);
      }
    }
    if (!a.dx) return;
    scale_strip<T>(strip, a.dy, a.dx, {0, rows}, zero, scale, zero);
    chain_strip<T>(strip, a.below, a.x, a.dx, rows);
  });
}
