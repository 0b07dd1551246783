// Batch norm on a GPU. A block has a few neighbouring channels, whose numbers its threads share: each adds up every so
// many-th of its channel's, then the threads' sums are added in pairs. The order depends on the shape alone.

// The channels of a block: thread t has channel `first + t % channels`, so neighbours read together what memory gives at
// once. Where a channel's own numbers are neighbours it is one channel.
struct ChannelTile {
  static constexpr int kNeighbours = 8;
  ChannelShape shape;
  int64_t first;
  int channels;

  static HL_INLINE int width(const ChannelShape& shape) { return shape.inner > 1 ? 1 : kNeighbours; }
  HL_INLINE int64_t channel(int thread) const { return first + thread % channels; }
  HL_INLINE bool has(int thread) const { return channel(thread) < shape.channels; }
  HL_INLINE bool leads(int thread) const { return thread < channels && has(thread); }

  // Calls body(row, offset in the row) for this thread's numbers.
  template <class Body>
  HL_INLINE void each(int thread, int64_t rows, Body body) const {
    const int64_t c = channel(thread), in_row = has(thread) ? shape.outer * shape.inner : 0;
    for (int64_t i = thread / channels; i < rows * in_row; i += kBlockThreads / channels) {
      const int64_t row = in_row == 1 ? i : i / in_row, rest = i - row * in_row;
      body(row, in_row == 1 ? c : (rest / shape.inner * shape.channels + c) * shape.inner + rest % shape.inner);
    }
  }
};

template <class T>
struct ChannelSums {
  T sums[2][kBlockThreads];
};

// What a thread knows of its channel.
template <class T>
struct OwnChannel {
  T sums[2], mean;
};

template <class T>
using ChannelBlock = Block<ChannelSums<T>, OwnChannel<T>, int(sizeof(ChannelSums<T>))>;

// Calls body(block, tile) for the tiles of this worker's block.
template <class T, class Body>
HL_INLINE void for_each_channel_tile(const ChannelShape& shape, Worker w, Body body) {
  ChannelBlock<T> block(w);
  if (!block.takes_part()) return;
  const int width = ChannelTile::width(shape);
  for (int64_t i = w.id / kBlockThreads; i < ceil_div(shape.channels, width); i += w.count / kBlockThreads)
    body(block, ChannelTile{shape, i * width, width});
}

// own.sums = N sums over a channel: term(own, row, offset, part) adds to part[0 .. N - 1]. A thread adds up some of its
// numbers at a time first, so the error grows with how often it does.
template <int N, class T, class Term>
HL_INLINE void add_up_channels(ChannelBlock<T>& block, const ChannelTile& tile, int64_t rows, Term term) {
  constexpr int kTogether = 64;
  auto& sums = block.shared().sums;
  block.phase([&](int thread, OwnChannel<T>& own) {
    T total[N] = {}, part[N] = {};
    int count = 0;
    const auto next_block = [&] {
      for (int n = 0; n < N; ++n) {
        total[n] += part[n];
        part[n] = 0;
      }
      count = 0;
    };
    tile.each(thread, rows, [&](int64_t row, int64_t at) {
      term(own, row, at, part);
      if (++count == kTogether) next_block();
    });
    next_block();
    for (int n = 0; n < N; ++n) sums[n][thread] = total[n];
  });
  for (int half = kBlockThreads / 2; half >= tile.channels; half /= 2)
    block.phase([&](int thread, OwnChannel<T>&) {
      if (thread < half)
        for (int n = 0; n < N; ++n) sums[n][thread] += sums[n][thread + half];
    });
  block.phase([&](int thread, OwnChannel<T>& own) {
    for (int n = 0; n < N; ++n) own.sums[n] = sums[n][thread % tile.channels];
  });
}

template <class T>
HL_INLINE T number_of(const void* channels, int64_t c, T otherwise) {
  return channels ? static_cast<const T*>(channels)[c] : otherwise;
}

// Row r of what a forward pass saved, at channel c.
template <class T>
HL_INLINE T& saved_of(const Tensor& saved, int64_t r, int64_t c) {
  return row_of<T>(saved, r)[c];
}

template <class T>
HL_INLINE T inverse_deviation(T var, double epsilon) {
  return (Vec<T>(1) / sqrt(Vec<T>(var + T(epsilon)))).v;
}

// What a thread does to each of its numbers: to[at] = of(from[at], to[at]).
template <class T, class Of>
HL_INLINE void map_channel(const ChannelTile& tile, int thread, int64_t rows, const Tensor& from, const Tensor& to,
                           Of of) {
  tile.each(thread, rows, [&](int64_t row, int64_t at) {
    T* y = row_of<T>(to, row) + at;
    *y = of(row_of<T>(from, row)[at], *y);
  });
}

// y = f(y)
template <class T>
HL_INLINE void activate_channel(const ChannelTile& tile, int thread, int64_t rows, const Activation& activation,
                                const Tensor& y) {
  if (activation.kind == ActivationKind::identity) return;
  const Vec<T> alpha = Vec<T>(T(activation.alpha));
  with_activation(activation.kind, [&](auto f) {
    map_channel<T>(tile, thread, rows, y, y, [&](T, T value) { return f.forward(Vec<T>(value), alpha).v; });
  });
}

// dx *= f'(x) for the activation that made x.
template <class T>
HL_INLINE void chain_channel(const ChannelTile& tile, int thread, int64_t rows, const Activation& below,
                             const Tensor& x, const Tensor& dx) {
  if (below.kind == ActivationKind::identity) return;
  const Vec<T> alpha = Vec<T>(T(below.alpha));
  with_activation(below.kind, [&](auto f) {
    map_channel<T>(tile, thread, rows, x, dx, [&](T value, T d) { return d * f.derivative(Vec<T>(value), alpha).v; });
  });
}

template <class T>
HL_KERNEL_TEXT void batch_norm_train(const BatchNormTrain& args, const RunState& run, Worker w) noexcept {
  using Own = OwnChannel<T>;
  const BatchNormTrain a = args;
  const int64_t rows = run.rows;
  const T count = T(rows * a.shape.outer * a.shape.inner);
  for_each_channel_tile<T>(a.shape, w, [&](auto& block, ChannelTile tile) {
    add_up_channels<1, T>(block, tile, rows, [&](Own&, int64_t row, int64_t at, T* part) {
      part[0] += row_of<T>(a.x, row)[at];
    });
    block.phase([&](int, Own& own) { own.mean = own.sums[0] / count; });
    add_up_channels<2, T>(block, tile, rows, [&](Own& own, int64_t row, int64_t at, T* part) {
      const T d = row_of<T>(a.x, row)[at] - own.mean;
      part[0] += d;
      part[1] = fma_of(d, d, part[1]);
    });
    block.phase([&](int thread, Own& own) {
      if (!tile.has(thread)) return;
      const int64_t c = tile.channel(thread);
      const T drift = own.sums[0] / count, var = max(Vec<T>(0), Vec<T>(fma_of(-drift, drift, own.sums[1] / count))).v;
      const T inv = inverse_deviation(var, a.epsilon);
      own.mean += drift;
      const T scale = inv * number_of(a.gamma, c, T(1));
      const T shift = number_of(a.beta, c, T(0));
      if (tile.leads(thread)) {
        saved_of<T>(a.saved, 0, c) = own.mean;
        saved_of<T>(a.saved, 1, c) = inv;
        const auto move = [&](void* moving, T now) {
          T& at = static_cast<T*>(moving)[c];
          at = fma_of(T(a.momentum), at, T(1 - a.momentum) * now);
        };
        if (a.moving_mean) {
          move(a.moving_mean, own.mean);
          move(a.moving_var, var);
        }
      }
      map_channel<T>(tile, thread, rows, a.x, a.y, [&](T x, T) { return fma_of(x - own.mean, scale, shift); });
      activate_channel<T>(tile, thread, rows, a.activation, a.y);
    });
  });
}

template <class T>
HL_KERNEL_TEXT void batch_norm_infer(const BatchNormInfer& args, const RunState& run, Worker w) noexcept {
  const BatchNormInfer a = args;
  const ChannelShape s = a.shape;
  const int64_t in_row = s.outer * s.channels * s.inner;
  const auto each = [&](auto of) {
    for_each_own(run.rows * in_row, w, [&](int64_t i) {
      const int64_t row = i / in_row, at = i % in_row, c = at / s.inner % s.channels;
      const T mean = number_of(a.mean, c, T(0)), inv = inverse_deviation(number_of(a.var, c, T(1)), a.epsilon);
      const T scale = inv * number_of(a.gamma, c, T(1));
      row_of<T>(a.y, row)[at] = of(fma_of(row_of<T>(a.x, row)[at] - mean, scale, number_of(a.beta, c, T(0))));
    });
  };
  const Vec<T> alpha = Vec<T>(T(a.activation.alpha));
  with_activation(a.activation.kind, [&](auto f) { each([&](T y) { return f.forward(Vec<T>(y), alpha).v; }); });
}

// The pads of a rank-1 gradient are zeros.
template <class T>
HL_INLINE void clear_channel_pads(void* gradient, int64_t channels, Worker w) {
  constexpr int64_t NR = panel_columns<T>();
  if (!gradient || w.id != 0) return;
  for (int64_t c = channels; c < ceil_div(channels, NR) * NR; ++c) static_cast<T*>(gradient)[c] = 0;
}

// own.sums = sum dy and sum dy (x - mean), for the own.mean that is there.
template <class T, class Backward>
HL_INLINE void add_up_gradients(ChannelBlock<T>& block, const ChannelTile& tile, int64_t rows, const Backward& a) {
  add_up_channels<2, T>(block, tile, rows, [&](OwnChannel<T>& own, int64_t row, int64_t at, T* part) {
    const T g = row_of<T>(a.dy, row)[at];
    part[0] += g;
    part[1] = fma_of(g, row_of<T>(a.x, row)[at] - own.mean, part[1]);
  });
}

template <class T, class Backward>
HL_INLINE void store_gradients(const Backward& a, const ChannelTile& tile, int thread, T dbeta, T dgamma) {
  if (!tile.leads(thread)) return;
  if (a.dgamma) static_cast<T*>(a.dgamma)[tile.channel(thread)] = dgamma;
  if (a.dbeta) static_cast<T*>(a.dbeta)[tile.channel(thread)] = dbeta;
}

template <class T>
HL_KERNEL_TEXT void batch_norm_backward(const BatchNormBackward& args, const RunState& run, Worker w) noexcept {
  using Own = OwnChannel<T>;
  const BatchNormBackward a = args;
  const int64_t rows = run.rows;
  const T count = T(rows * a.shape.outer * a.shape.inner);
  clear_channel_pads<T>(a.dgamma, a.shape.channels, w);
  clear_channel_pads<T>(a.dbeta, a.shape.channels, w);
  for_each_channel_tile<T>(a.shape, w, [&](auto& block, ChannelTile tile) {
    block.phase([&](int thread, Own& own) {
      if (tile.has(thread)) own.mean = saved_of<T>(a.saved, 0, tile.channel(thread));
    });
    add_up_gradients<T>(block, tile, rows, a);
    block.phase([&](int thread, Own& own) {
      if (!tile.has(thread)) return;
      const int64_t c = tile.channel(thread);
      const T inv = saved_of<T>(a.saved, 1, c), dgamma = inv * own.sums[1];
      store_gradients(a, tile, thread, own.sums[0], dgamma);
      if (!a.dx) return;
      const T scale = inv * number_of(a.gamma, c, T(1)), offset = own.sums[0] / count, slope = inv * dgamma / count;
      tile.each(thread, rows, [&](int64_t row, int64_t at) {
        const T d = row_of<T>(a.x, row)[at] - own.mean;
        row_of<T>(a.dx, row)[at] = scale * fma_of(-d, slope, row_of<T>(a.dy, row)[at] - offset);
      });
      chain_channel<T>(tile, thread, rows, a.below, a.x, a.dx);
    });
  });
}

template <class T>
HL_KERNEL_TEXT void batch_norm_infer_backward(const BatchNormInferBackward& args, const RunState& run,
                                              Worker w) noexcept {
  using Own = OwnChannel<T>;
  const BatchNormInferBackward a = args;
  const int64_t rows = run.rows;
  clear_channel_pads<T>(a.dgamma, a.shape.channels, w);
  clear_channel_pads<T>(a.dbeta, a.shape.channels, w);
  for_each_channel_tile<T>(a.shape, w, [&](auto& block, ChannelTile tile) {
    const bool sums = a.dgamma || a.dbeta;
    block.phase([&](int thread, Own& own) {
      if (tile.has(thread)) own.mean = number_of(a.mean, tile.channel(thread), T(0));
    });
    if (sums) add_up_gradients<T>(block, tile, rows, a);
    block.phase([&](int thread, Own& own) {
      if (!tile.has(thread)) return;
      const int64_t c = tile.channel(thread);
      const T inv = inverse_deviation(number_of(a.var, c, T(1)), a.epsilon);
      if (sums) store_gradients(a, tile, thread, own.sums[0], inv * own.sums[1]);
      if (!a.dx) return;
      const T scale = inv * number_of(a.gamma, c, T(1));
      map_channel<T>(tile, thread, rows, a.dy, a.dx, [&](T dy, T) { return dy * scale; });
      chain_channel<T>(tile, thread, rows, a.below, a.x, a.dx);
    });
  });
}
