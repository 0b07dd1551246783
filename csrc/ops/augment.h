// augment: images as a camera might have taken them. An image is a sample of shape (H,W,C).
//
// warp: every pixel of the output reads the image at a place that an affine map gives, one map for each sample:
//
//     (sx, sy) = (left, top) + c + R Z F ((x, y) - c)         c the output's centre ((W'-1)/2, (H'-1)/2)
//     R = [cos -sin; sin cos] of the angle     Z = diag(zoom_x, zoom_y)     F = diag(+-1, +-1), each a fair coin
//     y[x, y] = bilinear or nearest sample of x at (sx, sy)
//   angle, zooms, top and left are uniform draws from intervals (a constant where both ends are one number), functions
//   of (seed, step, stream, row) alone. Outside the image: reflect d c b a|a b c d|d c b a, nearest a|a b c d|d,
//   wrap c d|a b c d|a b, or a constant, which bilinear sampling blends with the edge.
// Backward: every output pixel gives its gradient back to the pixels it read; a sample belongs to one worker, so that
// additions have one order. Places are whole multiples of 2^-32 pixel: sums of them are exact, on every row of the table.
//
// Shapes: x (M, H W C), y (M, H' W' C). Saved: nothing, maps are drawn again. Flops: about 20 a pixel of the output and
// 8 a channel. Bytes: x and y once.
// Jaderberg et al., "Spatial transformer networks", NeurIPS 2015; Simard, Steinkraus and Platt, "Best practices for
// convolutional neural networks applied to visual document analysis", ICDAR 2003.
#pragma once
#include "core/tensor.h"

namespace hl {

struct Interval {
  double low = 0, high = 0;
};

enum class Fill : int32_t { reflect, nearest, wrap, constant };

// Which random word of a sample is used for what: layers of one seed draw different numbers.
enum class Draw : int64_t {
  flip_x, flip_y, angle, zoom_y, zoom_x, top, left, brightness, contrast, saturation, hue, hue_sign
};

constexpr int64_t kMostPixels = int64_t(1) << 20;  // along one side

struct Warp {
  Tensor x, y;  // (M, height width channels), (M, out_height out_width channels); backward: dx, dy
  int64_t height, width, channels;
  int64_t out_height, out_width;
  Interval angle, zoom_y, zoom_x, top, left;  // radians, factors, pixels
  bool one_zoom;                              // zoom_x is zoom_y's draw
  bool whole;                                 // top and left are rounded down
  bool flip_x, flip_y;
  bool nearest;
  Fill fill;
  double fill_value;
  int64_t stream;
};

// recolor: the colours of images, in the range low .. high, with one draw f for each sample, clipped to the range:
//
//     brightness   y = x + f (high - low)
//     contrast     y = mean + f (x - mean)                      mean over the sample's pixels, for each channel
//     saturation   y = v + k (x - v),  v the pixel's largest channel, m its smallest
//                  k = f / (1 - f + 1e-7), at most (v - low) / (v - m), where the colour is pure
//     hue          the pixel's hue, in turns, moved by f / 2 or, by a coin, -f / 2; v and m stay
// Backward: brightness and contrast by hand, saturation and hue by the derivatives that numbers carry along.
// Shapes: x, y, dy, dx (M, pixels channels); saturation and hue have 3 channels. Saved: nothing.
// Smith, "Color gamut transform pairs", SIGGRAPH 1978.
enum class ColorKind : int32_t { brightness, contrast, saturation, hue };

struct Recolor {
  Tensor x, y;    // forward
  Tensor dy, dx;  // backward, which reads x too
  int64_t pixels, channels;
  ColorKind kind;
  Interval factor;
  double low, high;
  int64_t stream;
};

// resample: another number of points along one axis, which cut a window of it into equal parts:
//
//     y[o, i, j] = sum_k w(i, k) x[o, k, j]         k over the window's points
//     w(i, k) = h((c_i - k) / d) / sum of the same over k,  c_i = (i + 1/2) length / size - 1/2,  d = max(1, length / size)
//       with antialiasing, else 1;  h of bilinear, bicubic (Keys, a = -1/2), lanczos3 and lanczos5
//     nearest: w(i, k) = 1 at k = floor((i + 1/2) length / size)
//   Points of the window outside the axis have the fill value.
// Backward: dx[o, k, j] = sum_i w(i, k) dy[o, i, j], in ascending i.
// Shapes: x (M, outer in inner), y (M, outer size inner); taps (size, 1 + T): the first point, relative to the axis, and
// the weights of the T points from there, computed once a run.
// Keys, "Cubic convolution interpolation for digital image processing", IEEE Trans. ASSP 29, 1981.
enum class ResampleKind : int32_t { nearest, bilinear, bicubic, lanczos3, lanczos5 };

struct ResampleTaps {
  Tensor taps;
  ResampleKind kind;
  bool antialias;
  int64_t begin, length, size, count;  // the window, points of the output, T
};

struct Resample {
  Tensor x, y, taps;  // backward: dx, dy
  int64_t outer, in, inner, size, count;
  double fill_value;
};

}  // namespace hl
