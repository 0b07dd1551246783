// A draw from an interval; the same number for a row of the whole call, whoever computes it.
HL_INLINE double draw_from(Interval range, RandomKey key, uint32_t row, Draw what) {
  if (range.low == range.high) return range.low;
  return range.low + (range.high - range.low) * (double(random_word(key, row, int64_t(what))) / 4294967296.0);
}
HL_INLINE double coin_sign(bool tossed, RandomKey key, uint32_t row, Draw what) {
  return tossed && random_word(key, row, int64_t(what)) < 0x80000000u ? -1 : 1;
}

// WarpPlaces in the image, in units of 2^-32 pixel: (x0 + xx x + xy y, y0 + yx x + yy y).
struct WarpPlaces {
  int64_t xx, xy, x0, yx, yy, y0;
};
constexpr int kPlaceBits = 32;
constexpr int64_t kOnePixel = int64_t(1) << kPlaceBits;

HL_INLINE int64_t to_places(double pixels) {
  const double scaled = pixels * double(kOnePixel);
  return int64_t(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

HL_INLINE WarpPlaces places_of(const Warp& a, const RunState& run, int64_t r) {
  const RandomKey key = random_key(run.seed, run.step, a.stream, Purpose::augment);
  const uint32_t row = random_row(run, r);
  const double angle = draw_from(a.angle, key, row, Draw::angle), zoom_y = draw_from(a.zoom_y, key, row, Draw::zoom_y);
  const double zoom_x = a.one_zoom ? zoom_y : draw_from(a.zoom_x, key, row, Draw::zoom_x);
  double top = draw_from(a.top, key, row, Draw::top), left = draw_from(a.left, key, row, Draw::left);
  if (a.whole) top = double(int64_t(top)), left = double(int64_t(left));
  const double sx = zoom_x * coin_sign(a.flip_x, key, row, Draw::flip_x);
  const double sy = zoom_y * coin_sign(a.flip_y, key, row, Draw::flip_y);
  double cosine = 1, sine = 0;
  if (angle != 0) cosine = first_of(cos(Vec<double>(angle))), sine = first_of(sin(Vec<double>(angle)));
  const double xx = cosine * sx, xy = -sine * sy, yx = sine * sx, yy = cosine * sy;
  const double cx = 0.5 * double(a.out_width - 1), cy = 0.5 * double(a.out_height - 1);
  return {to_places(xx), to_places(xy), to_places(left + (cx - xx * cx - xy * cy)),
          to_places(yx), to_places(yy), to_places(top + (cy - yx * cx - yy * cy))};
}

// Where pixel i of n is found; -1: nowhere, the fill value stands there.
HL_INLINE int64_t fill_index(int64_t i, int64_t n, Fill fill) {
  if (i >= 0 && i < n) return i;
  if (fill == Fill::nearest) return i < 0 ? 0 : n - 1;
  if (fill == Fill::constant) return -1;
  const int64_t period = fill == Fill::wrap ? n : 2 * n;
  i %= period;
  if (i < 0) i += period;
  return i < n ? i : 2 * n - 1 - i;
}

HL_INLINE int64_t round_place(int64_t s) {  // halves away from zero
  constexpr int64_t half = kOnePixel / 2;
  return s < 0 ? -((half - s) >> kPlaceBits) : (s + half) >> kPlaceBits;
}

template <class T>
HL_INLINE T fraction_of(int64_t s) {
  return T(uint32_t(s)) * T(1.0 / 4294967296.0);
}

// The pixels that one place reads, and their weights.
template <class T>
struct Taps {
  int64_t at[4];  // -1: the fill value
  T weight[4];
  int count;
};

template <class T>
HL_INLINE Taps<T> taps_of(const Warp& a, int64_t sx, int64_t sy) {
  Taps<T> t;
  const auto at = [&](int64_t iy, int64_t ix) {
    const int64_t y = fill_index(iy, a.height, a.fill), x = fill_index(ix, a.width, a.fill);
    return y < 0 || x < 0 ? -1 : (y * a.width + x) * a.channels;
  };
  if (a.nearest) {
    t.count = 1;
    t.at[0] = at(round_place(sy), round_place(sx));
    t.weight[0] = 1;
    return t;
  }
  const int64_t ix = sx >> kPlaceBits, iy = sy >> kPlaceBits;
  const T fx = fraction_of<T>(sx), fy = fraction_of<T>(sy);
  t.count = 4;
  for (int i = 0; i < 4; ++i) {
    t.at[i] = at(iy + i / 2, ix + i % 2);
    t.weight[i] = (i / 2 ? fy : 1 - fy) * (i % 2 ? fx : 1 - fx);
  }
  return t;
}

template <class T>
HL_NOINLINE void sample_pixel(const Warp& a, int64_t sx, int64_t sy, const T* x, T* y) noexcept {
  const Taps<T> t = taps_of<T>(a, sx, sy);
  for (int64_t c = 0; c < a.channels; ++c) {
    T sum = 0;
    for (int i = 0; i < t.count; ++i) sum += t.weight[i] * (t.at[i] < 0 ? T(a.fill_value) : x[t.at[i] + c]);
    y[c] = sum;
  }
}

// A line of the output from one or two lines of the image, shifted by as much everywhere; `begin` to `end` read inside.
template <class T>
HL_INLINE void shift_line(const Warp& a, int64_t sx, int64_t sy, const T* x, T* y, int64_t begin, int64_t end) {
  using V = Vec<T>;
  const int64_t C = a.channels, first = ((sx >> kPlaceBits) + begin) * C;
  const T* upper = x + fill_index(sy >> kPlaceBits, a.height, a.fill) * a.width * C + first;
  const T* lower = x + fill_index((sy >> kPlaceBits) + 1, a.height, a.fill) * a.width * C + first;
  const T fx = fraction_of<T>(sx), fy = fraction_of<T>(sy);
  const V w00((1 - fy) * (1 - fx)), w01((1 - fy) * fx), w10(fy * (1 - fx)), w11(fy * fx);
  for_each_vector<T>((end - begin) * C, [&](int64_t i, auto lanes) {
    V sum = w00 * load_lanes(upper + i, lanes) + w01 * load_lanes(upper + i + C, lanes);
    sum = sum + w10 * load_lanes(lower + i, lanes) + w11 * load_lanes(lower + i + C, lanes);
    store_lanes(y + begin * C + i, sum, lanes);
  });
}

// A line of the output: places inside the image at once, others one by one. 1 channel, or 0 for any number.
template <class T, int64_t kChannels>
HL_INLINE void blend_line(const Warp& a, const WarpPlaces& p, int64_t sx, int64_t sy, const T* x, T* y) {
  const int64_t C = kChannels ? kChannels : a.channels, line = a.width * C;
  const uint64_t inner_width = uint64_t(a.width - 1), inner_height = uint64_t(a.height - 1);
  for (int64_t i = 0; i < a.out_width; ++i, sx += p.xx, sy += p.yx, y += C) {
    const int64_t ix = sx >> kPlaceBits, iy = sy >> kPlaceBits;
    if (uint64_t(ix) >= inner_width || uint64_t(iy) >= inner_height) {
      sample_pixel(a, sx, sy, x, y);
      continue;
    }
    const T fx = fraction_of<T>(sx), fy = fraction_of<T>(sy);
    const T w00 = (1 - fy) * (1 - fx), w01 = (1 - fy) * fx, w10 = fy * (1 - fx), w11 = fy * fx;
    const T* at = x + (iy * a.width + ix) * C;
    for (int64_t c = 0; c < C; ++c)
      y[c] = w00 * at[c] + w01 * at[c + C] + w10 * at[c + line] + w11 * at[c + line + C];
  }
}
template <class T, int64_t kChannels>
HL_INLINE void pick_line(const Warp& a, const WarpPlaces& p, int64_t sx, int64_t sy, const T* x, T* y) {
  const int64_t C = kChannels ? kChannels : a.channels;
  for (int64_t i = 0; i < a.out_width; ++i, sx += p.xx, sy += p.yx, y += C) {
    const int64_t ix = round_place(sx), iy = round_place(sy);
    if (uint64_t(ix) >= uint64_t(a.width) || uint64_t(iy) >= uint64_t(a.height)) {
      sample_pixel(a, sx, sy, x, y);
      continue;
    }
    const T* at = x + (iy * a.width + ix) * C;
    for (int64_t c = 0; c < C; ++c) y[c] = at[c];
  }
}

// A line that runs along a line of the image, pixel by pixel.
template <class T>
HL_INLINE void straight_line(const Warp& a, const WarpPlaces& p, int64_t sx, int64_t sy, const T* x, T* y) {
  const int64_t ix = sx >> kPlaceBits, iy = sy >> kPlaceBits;
  const bool there = a.fill != Fill::constant || (iy >= 0 && iy < a.height - 1);
  const int64_t begin = ix < 0 ? least(-ix, a.out_width) : 0, end = least(a.out_width, a.width - 1 - ix);
  const bool inside = there && begin < end;
  if (inside) shift_line(a, sx, sy, x, y, begin, end);
  for (int64_t i = 0; i < a.out_width; ++i) {
    if (inside && i == begin) i = end;
    if (i < a.out_width) sample_pixel(a, sx + i * p.xx, sy, x, y + i * a.channels);
  }
}

template <class T>
HL_KERNEL_TEXT void warp_forward(const Warp& a, const RunState& run, Worker w) noexcept {
  const Span lines = share(run.rows * a.out_height, w);
  WarpPlaces p{};
  for (int64_t unit = lines.begin, drawn = -1; unit < lines.end; ++unit) {
    const int64_t row = unit / a.out_height, line = unit % a.out_height;
    if (row != drawn) p = places_of(a, run, drawn = row);
    const T* x = row_of<T>(a.x, row);
    T* y = row_of<T>(a.y, row) + line * a.out_width * a.channels;
    const int64_t sx = p.x0 + p.xy * line, sy = p.y0 + p.yy * line;
    if (a.nearest)
      a.channels == 1 ? pick_line<T, 1>(a, p, sx, sy, x, y) : pick_line<T, 0>(a, p, sx, sy, x, y);
    else if (p.xx == kOnePixel && p.yx == 0)
      straight_line(a, p, sx, sy, x, y);
    else
      a.channels == 1 ? blend_line<T, 1>(a, p, sx, sy, x, y) : blend_line<T, 0>(a, p, sx, sy, x, y);
  }
}

template <class T>
HL_KERNEL_TEXT void warp_backward(const Warp& a, const RunState& run, Worker w) noexcept {
  const Span rows = share(run.rows, w);
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const WarpPlaces p = places_of(a, run, row);
    T* dx = row_of<T>(a.x, row);
    const T* dy = row_of<T>(a.y, row);
    for_each_vector<T>(a.height * a.width * a.channels,
                       [&](int64_t i, auto lanes) { store_lanes(dx + i, Vec<T>(0), lanes); });
    for (int64_t line = 0; line < a.out_height; ++line)
      for (int64_t i = 0; i < a.out_width; ++i, dy += a.channels) {
        const Taps<T> t = taps_of<T>(a, p.x0 + p.xy * line + p.xx * i, p.y0 + p.yy * line + p.yx * i);
        for (int k = 0; k < t.count; ++k)
          for (int64_t c = 0; t.at[k] >= 0 && c < a.channels; ++c) dx[t.at[k] + c] += t.weight[k] * dy[c];
      }
  }
}

// A number with its derivatives by the three channels of a pixel.
template <class T>
struct Dual {
  T value, by[3];

  HL_INLINE Dual(T v = 0) : value(v), by{0, 0, 0} {}
  friend HL_INLINE Dual operator+(Dual a, Dual b) {
    for (int i = 0; i < 3; ++i) a.by[i] += b.by[i];
    a.value += b.value;
    return a;
  }
  friend HL_INLINE Dual operator-(Dual a, Dual b) {
    for (int i = 0; i < 3; ++i) a.by[i] -= b.by[i];
    a.value -= b.value;
    return a;
  }
  friend HL_INLINE Dual operator*(Dual a, Dual b) {
    for (int i = 0; i < 3; ++i) a.by[i] = a.by[i] * b.value + a.value * b.by[i];
    a.value *= b.value;
    return a;
  }
  friend HL_INLINE Dual operator/(Dual a, Dual b) {
    a.value /= b.value;
    for (int i = 0; i < 3; ++i) a.by[i] = (a.by[i] - a.value * b.by[i]) / b.value;
    return a;
  }
  friend HL_INLINE bool operator<(Dual a, Dual b) { return a.value < b.value; }
};

template <class N>
HL_INLINE N clip_number(N x, N low, N high) {
  return x < low ? low : high < x ? high : x;
}
template <class N>
HL_INLINE N size_of_number(N x) {
  return x < N(0) ? N(0) - x : x;
}

template <class T, class N>
HL_INLINE void saturate(N (&p)[3], T factor, T lowest) {
  const N v = p[0] < p[1] ? (p[1] < p[2] ? p[2] : p[1]) : (p[0] < p[2] ? p[2] : p[0]);
  const N m = p[1] < p[0] ? (p[2] < p[1] ? p[2] : p[1]) : (p[2] < p[0] ? p[2] : p[0]);
  if (!(m < v)) return;
  const N pure = (v - N(lowest)) / (v - m), k = pure < N(factor) ? pure : N(factor);
  for (int c = 0; c < 3; ++c) p[c] = v + (p[c] - v) * k;
}

template <class T, class N>
HL_INLINE void turn_hue(N (&p)[3], T turns, T low, T high) {
  const N r = p[0], g = p[1], b = p[2];
  const N v = r < g ? (g < b ? b : g) : (r < b ? b : r);
  const N m = g < r ? (b < g ? b : g) : (b < r ? b : r);
  if (m < v) {
    const N range = v - m;
    N hue = !(r < v) ? (g - b) / range : !(g < v) ? (b - r) / range + N(2) : (r - g) / range + N(4);  // in sixths
    hue = hue + N(6 * turns);
    if (hue < N(0)) hue = hue + N(6);
    if (N(6) < hue) hue = hue - N(6);
    p[0] = m + range * clip_number(size_of_number(hue - N(3)) - N(1), N(0), N(1));
    p[1] = m + range * clip_number(N(2) - size_of_number(hue - N(2)), N(0), N(1));
    p[2] = m + range * clip_number(N(2) - size_of_number(hue - N(4)), N(0), N(1));
  }
  for (int c = 0; c < 3; ++c) p[c] = clip_number(p[c], N(low), N(high));
}

template <class T, class N>
HL_INLINE void recolor_pixel(const Recolor& a, N (&p)[3], T factor) {
  a.kind == ColorKind::hue ? turn_hue(p, factor, T(a.low), T(a.high)) : saturate(p, factor, T(a.low));
}

// What the draw of a sample becomes.
HL_INLINE double recolor_factor(const Recolor& a, const RunState& run, int64_t r) {
  const RandomKey key = random_key(run.seed, run.step, a.stream, Purpose::augment);
  const uint32_t row = random_row(run, r);
  constexpr Draw draws[] = {Draw::brightness, Draw::contrast, Draw::saturation, Draw::hue};
  const double f = draw_from(a.factor, key, row, draws[int(a.kind)]);
  switch (a.kind) {
    case ColorKind::brightness: return f * (a.high - a.low);
    case ColorKind::contrast: return f;
    case ColorKind::saturation: return f / (1 - f + 1e-7);
    default: return 0.5 * f * coin_sign(true, key, row, Draw::hue_sign);
  }
}

// Of one channel, in ascending order.
template <class T>
HL_INLINE double channel_sum(const Recolor& a, const T* x, int64_t channel) {
  double sum = 0;
  for (int64_t i = 0; i < a.pixels; ++i) sum += double(x[i * a.channels + channel]);
  return sum;
}

// y = shift + f x, clipped. The shift of contrast is that of the channel's mean, (1 - f) mean.
template <class T>
HL_INLINE T recolor_shift(const Recolor& a, double factor, const T* x, int64_t channel) {
  if (a.kind == ColorKind::brightness) return T(factor);
  return T((1 - factor) * (channel_sum(a, x, channel) / double(a.pixels)));
}

template <class T>
HL_KERNEL_TEXT void recolor_forward(const Recolor& a, const RunState& run, Worker w) noexcept {
  const Span rows = share(run.rows, w);
  const bool mixes = a.kind == ColorKind::saturation || a.kind == ColorKind::hue;
  const T low = T(a.low), high = T(a.high);
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const double factor = recolor_factor(a, run, row);
    const T* x = row_of<T>(a.x, row);
    T* y = row_of<T>(a.y, row);
    for (int64_t i = 0; mixes && i < a.pixels; ++i) {
      T p[3] = {x[3 * i], x[3 * i + 1], x[3 * i + 2]};
      recolor_pixel(a, p, T(factor));
      for (int c = 0; c < 3; ++c) y[3 * i + c] = p[c];
    }
    const T scale = a.kind == ColorKind::brightness ? T(1) : T(factor);
    for (int64_t c = 0; !mixes && c < a.channels; ++c) {
      const T shift = recolor_shift(a, factor, x, c);
      for (int64_t i = c; i < a.pixels * a.channels; i += a.channels) y[i] = clip_number(shift + scale * x[i], low, high);
    }
  }
}

template <class T>
HL_KERNEL_TEXT void recolor_backward(const Recolor& a, const RunState& run, Worker w) noexcept {
  const Span rows = share(run.rows, w);
  const bool mixes = a.kind == ColorKind::saturation || a.kind == ColorKind::hue;
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const double factor = recolor_factor(a, run, row);
    const T *x = row_of<T>(a.x, row), *dy = row_of<T>(a.dy, row);
    T* dx = row_of<T>(a.dx, row);
    for (int64_t i = 0; mixes && i < a.pixels; ++i) {
      Dual<T> p[3];
      for (int c = 0; c < 3; ++c) p[c] = Dual<T>(x[3 * i + c]), p[c].by[c] = 1;
      recolor_pixel(a, p, T(factor));
      for (int c = 0; c < 3; ++c)
        dx[3 * i + c] = dy[3 * i] * p[0].by[c] + dy[3 * i + 1] * p[1].by[c] + dy[3 * i + 2] * p[2].by[c];
    }
    const T scale = a.kind == ColorKind::brightness ? T(1) : T(factor);
    for (int64_t c = 0; !mixes && c < a.channels; ++c) {
      const T shift = recolor_shift(a, factor, x, c);
      for (int64_t i = c; i < a.pixels * a.channels; i += a.channels) {
        const T y = shift + scale * x[i];
        dx[i] = y < T(a.low) || T(a.high) < y ? T(0) : dy[i];
      }
      const double mean = channel_sum(a, dx, c) / double(a.pixels);
      const T rest = a.kind == ColorKind::brightness ? T(0) : T((1 - factor) * mean);
      for (int64_t i = c; i < a.pixels * a.channels; i += a.channels) dx[i] = rest + scale * dx[i];
    }
  }
}

// h of a distance in points.
HL_INLINE double resample_weight(ResampleKind kind, double x) {
  x = x < 0 ? -x : x;
  if (kind == ResampleKind::bilinear) return x < 1 ? 1 - x : 0;
  if (kind == ResampleKind::bicubic)
    return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
  const double radius = kind == ResampleKind::lanczos3 ? 3 : 5;
  if (x >= radius) return 0;
  if (x < 1e-3) return 1;
  constexpr double pi = 3.14159265358979323846;
  const Vec<double> s = sin(Vec<double>(pi * x)), t = sin(Vec<double>(pi * x / radius));
  return radius * first_of(s) * first_of(t) / (pi * pi * x * x);
}

template <class T>
HL_KERNEL_TEXT void resample_taps(const ResampleTaps& a, const RunState&, Worker w) noexcept {
  const Span points = share(a.size, w);
  const double step = double(a.length) / double(a.size), width = a.antialias && step > 1 ? step : 1;
  for (int64_t i = points.begin; i < points.end; ++i) {
    T* row = row_of<T>(a.taps, i);
    for (int64_t k = 0; k < a.count; ++k) row[1 + k] = 0;
    if (a.kind == ResampleKind::nearest) {
      row[0] = T(a.begin + (2 * i + 1) * a.length / (2 * a.size));
      row[1] = 1;
      continue;
    }
    const double centre = double((2 * i + 1) * a.length - a.size) / double(2 * a.size);
    // The first of `count` points around the centre, all of them inside the window.
    int64_t first = int64_t(centre + 1) - a.count / 2;
    first = first < 0 ? 0 : least(first, a.length - a.count);
    double total = 0;
    for (int64_t k = 0; k < a.count; ++k) total += resample_weight(a.kind, (centre - double(first + k)) / width);
    row[0] = T(a.begin + first);
    for (int64_t k = 0; k < a.count; ++k)
      row[1 + k] = T(resample_weight(a.kind, (centre - double(first + k)) / width) / total);
  }
}

template <class T>
HL_KERNEL_TEXT void resample_forward(const Resample& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  const Span lines = share(run.rows * a.outer, w);
  for (int64_t unit = lines.begin; unit < lines.end; ++unit) {
    const int64_t row = unit / a.outer, outer = unit % a.outer;
    const T* x = row_of<T>(a.x, row) + outer * a.in * a.inner;
    T* y = row_of<T>(a.y, row) + outer * a.size * a.inner;
    for (int64_t i = 0; i < a.size; ++i, y += a.inner) {
      const T* taps = row_of<T>(a.taps, i);
      const int64_t first = int64_t(taps[0]);
      for (int64_t j = 0; a.inner < V::kLanes && j < a.inner; ++j) {
        T sum = 0;
        for (int64_t at = first; at < first + a.count; ++at)
          sum += taps[1 + at - first] * (at < 0 || at >= a.in ? T(a.fill_value) : x[at * a.inner + j]);
        y[j] = sum;
      }
      if (a.inner < V::kLanes) continue;
      for_each_vector<T>(a.inner, [&](int64_t j, auto lanes) {
        V sum(0);
        for (int64_t k = 0; k < a.count; ++k) {
          const int64_t at = first + k;
          const V value = at < 0 || at >= a.in ? V(T(a.fill_value)) : load_lanes(x + at * a.inner + j, lanes);
          sum = sum + V(taps[1 + k]) * value;
        }
        store_lanes(y + j, sum, lanes);
      });
    }
  }
}

template <class T>
HL_KERNEL_TEXT void resample_backward(const Resample& a, const RunState& run, Worker w) noexcept {
  using V = Vec<T>;
  const Span lines = share(run.rows * a.outer, w);
  for (int64_t unit = lines.begin; unit < lines.end; ++unit) {
    const int64_t row = unit / a.outer, outer = unit % a.outer;
    T* dx = row_of<T>(a.x, row) + outer * a.in * a.inner;
    const T* dy = row_of<T>(a.y, row) + outer * a.size * a.inner;
    for_each_vector<T>(a.in * a.inner, [&](int64_t j, auto lanes) { store_lanes(dx + j, V(0), lanes); });
    for (int64_t i = 0; i < a.size; ++i, dy += a.inner) {
      const T* taps = row_of<T>(a.taps, i);
      for (int64_t k = 0; k < a.count; ++k) {
        const int64_t at = int64_t(taps[0]) + k;
        if (at < 0 || at >= a.in) continue;
        T* to = dx + at * a.inner;
        for_each_vector<T>(a.inner, [&](int64_t j, auto lanes) {
          store_lanes(to + j, load_lanes(to + j, lanes) + V(taps[1 + k]) * load_lanes(dy + j, lanes), lanes);
        });
      }
    }
  }
}
