"""The float64 oracle of what changes images: affine maps and colours drawn for each sample, other sizes."""

from __future__ import annotations

import colorsys

import numpy as np

__all__ = ["recolor", "recolor_gradient", "resample", "resample_gradient", "warp", "warp_gradient"]

FLIP_X, FLIP_Y, ANGLE, ZOOM_Y, ZOOM_X, TOP, LEFT = range(7)  # columns of the random words


def uniform(words, column, low, high):
    return low + (high - low) * (words[:, column] * 2.0**-32)


def warp_maps(words, size, *, attrs):
    """(rows, 2, 3) matrices: (sx, sy) = map (x, y, 1), in multiples of 2^-32 pixel."""
    given = {"angle": 0.0, "zoom_y": 1.0, "zoom_x": 1.0, "top": 0.0, "left": 0.0}
    columns = {"angle": ANGLE, "zoom_y": ZOOM_Y, "zoom_x": ZOOM_X, "top": TOP, "left": LEFT}
    drawn = {
        name: uniform(words, columns[name], attrs.get(name + "_low", value), attrs.get(name + "_high", value))
        for name, value in given.items()
    }
    if attrs.get("one_zoom"):
        drawn["zoom_x"] = drawn["zoom_y"]
    if attrs.get("whole"):
        drawn["top"], drawn["left"] = np.trunc(drawn["top"]), np.trunc(drawn["left"])
    heads = words < 2**31
    zoom_x = drawn["zoom_x"] * np.where(attrs.get("flip_x", False) & heads[:, FLIP_X], -1, 1)
    zoom_y = drawn["zoom_y"] * np.where(attrs.get("flip_y", False) & heads[:, FLIP_Y], -1, 1)
    cos, sin = np.cos(drawn["angle"]), np.sin(drawn["angle"])
    a = np.array([[cos * zoom_x, -sin * zoom_y], [sin * zoom_x, cos * zoom_y]]).transpose(2, 0, 1)
    centre = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
    corner = np.stack([drawn["left"], drawn["top"]], -1)
    maps = np.concatenate([a, (corner + centre - a @ centre)[:, :, None]], -1)
    return np.trunc(maps * 2.0**32 + np.copysign(0.5, maps)) / 2.0**32


def _found(index, n, fill_mode):
    """Where a pixel of any index is found, and whether it is the image's at all."""
    inside = (index >= 0) & (index < n) if fill_mode == "constant" else np.ones(index.shape, bool)
    if fill_mode == "wrap":
        return index % n, inside
    if fill_mode == "reflect":
        index = index % (2 * n)
        return np.where(index < n, index, 2 * n - 1 - index), inside
    return np.clip(index, 0, n - 1), inside


def _taps(maps, size, shape, fill_mode, interpolation):
    """For each output pixel up to four (row, column, inside, weight) arrays of shape (rows, H', W')."""
    x, y = np.meshgrid(np.arange(size[1]), np.arange(size[0]))
    places = maps @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)]).astype(float)
    sx, sy = (places[:, i].reshape(-1, *size) for i in range(2))
    if interpolation == "nearest":
        nodes = [[(np.trunc(s + np.copysign(0.5, s)).astype(int), 1.0)] for s in (sy, sx)]
    else:
        nodes = [[(np.floor(s).astype(int), 1 - s % 1), (np.floor(s).astype(int) + 1, s % 1)] for s in (sy, sx)]
    for iy, wy in nodes[0]:
        for ix, wx in nodes[1]:
            (iy_, in_y), (ix_, in_x) = _found(iy, shape[1], fill_mode), _found(ix, shape[2], fill_mode)
            yield iy_, ix_, in_y & in_x, np.broadcast_to(wy * wx, iy.shape)


def warp_images(x, maps, size, fill_mode="reflect", fill_value=0.0, interpolation="bilinear"):
    rows, y = np.arange(len(x))[:, None, None], np.zeros((len(x), *size, x.shape[3]))
    for iy, ix, inside, weight in _taps(maps, size, x.shape, fill_mode, interpolation):
        y += weight[..., None] * np.where(inside[..., None], x[rows, iy, ix], fill_value)
    return y


def warp_images_gradient(dy, x, maps, fill_mode="reflect", fill_value=0.0, interpolation="bilinear"):
    rows, dx = np.arange(len(x))[:, None, None], np.zeros(x.shape)
    for iy, ix, inside, weight in _taps(maps, dy.shape[1:3], x.shape, fill_mode, interpolation):
        np.add.at(dx, (np.broadcast_to(rows, iy.shape), iy, ix), (weight * inside)[..., None] * dy)
    return dx


# --- recolor ------------------------------------------------------------------------------------------------------
BRIGHTNESS, CONTRAST, SATURATION, HUE, HUE_SIGN = range(7, 12)


def recolor_factors(words, kind, low, high):
    column = {"brightness": BRIGHTNESS, "contrast": CONTRAST, "saturation": SATURATION, "hue": HUE}[kind]
    factor = uniform(words, column, low, high)
    if kind == "saturation":
        return factor / (1 - factor + 1e-7)
    return factor * np.where(words[:, HUE_SIGN] < 2**31, -0.5, 0.5) if kind == "hue" else factor


def _through_hsv(pixel, kind, factor):
    """By way of the standard library's hue, saturation and value; all numbers from 0 to 1."""
    hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
    if kind == "hue":
        hue = (hue + factor) % 1
    else:
        saturation = min(1.0, saturation * factor)
    return colorsys.hsv_to_rgb(hue, saturation, value)


def recolor_images(x, factors, kind, low, high):
    f = factors.reshape(-1, 1, 1, 1)
    if kind == "brightness":
        return np.clip(x + f * (high - low), low, high)
    if kind == "contrast":
        mean = x.mean((1, 2), keepdims=True)
        return np.clip(mean + f * (x - mean), low, high)
    y = np.empty(x.shape)
    for row in np.ndindex(x.shape[:3]):
        y[row] = _through_hsv((x[row] - low) / (high - low), kind, factors[row[0]])
    return low + (high - low) * y


def recolor_images_gradient(dy, x, factors, kind, low, high):
    """Of brightness and contrast; that of the others is compared with differences."""
    f = factors.reshape(-1, 1, 1, 1)
    mean = x.mean((1, 2), keepdims=True)
    plain = x + f * (high - low) if kind == "brightness" else mean + f * (x - mean)
    dy = np.where((plain >= low) & (plain <= high), dy, 0.0)
    return dy if kind == "brightness" else f * dy + (1 - f) * dy.mean((1, 2), keepdims=True)


# --- resample -----------------------------------------------------------------------------------------------------
def _lanczos(radius):
    return lambda x: np.where(np.abs(x) < radius, np.sinc(x) * np.sinc(x / radius), 0.0)


def _cubic(x):
    x = np.abs(x)
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


KERNELS = {"bilinear": lambda x: np.maximum(0.0, 1 - np.abs(x)), "bicubic": _cubic, "lanczos3": _lanczos(3),
           "lanczos5": _lanczos(5)}  # fmt: skip


def resample_weights(length, size, kind, antialias):
    """(size, length)"""
    i, k = np.arange(size)[:, None], np.arange(length)
    if kind == "nearest":
        return ((2 * i + 1) * length // (2 * size) == k).astype(float)
    width = max(1.0, length / size) if antialias else 1.0
    weights = KERNELS[kind](((i + 0.5) * length / size - 0.5 - k) / width)
    return weights / weights.sum(-1, keepdims=True)


def _windowed_weights(n, size, kind, begin, length, antialias):
    """Weights of the axis's own points, and what those outside of it have together."""
    length = n if length is None else length
    weights = resample_weights(length, size, kind, antialias)
    at = np.arange(length) + begin
    own = np.zeros((size, n))
    inside = (at >= 0) & (at < n)
    own[:, at[inside]] = weights[:, inside]
    return own, weights[:, ~inside].sum(-1)


def resample_axis(x, axis, size, kind, begin=0, length=None, antialias=False, fill_value=0.0):
    weights, rest = _windowed_weights(x.shape[axis], size, kind, begin, length, antialias)
    moved = np.moveaxis(x, axis, -1) @ weights.T + fill_value * rest
    return np.moveaxis(moved, -1, axis)


def resample_axis_gradient(dy, x, axis, size, kind, begin=0, length=None, antialias=False, fill_value=0.0):
    weights, _ = _windowed_weights(x.shape[axis], size, kind, begin, length, antialias)
    return np.moveaxis(np.moveaxis(dy, axis, -1) @ weights, -1, axis)


# --- ops ----------------------------------------------------------------------------------------------------------
def _words(x, keyed):
    from reference import AUGMENT, random_words

    return random_words(len(x), 64, **keyed, purpose=AUGMENT)


def _warp_parts(x, attrs):
    attrs = dict(attrs)
    keyed = {name: attrs.pop(name, 0) for name in ("seed", "stream", "step")}
    size = tuple(attrs.pop("size", x.shape[1:3]))
    sampling = {k: attrs.pop(k) for k in ("fill_mode", "fill_value", "interpolation") if k in attrs}
    return warp_maps(_words(x, keyed), size, attrs=attrs), size, sampling


def warp(x, **attrs):
    maps, size, sampling = _warp_parts(x, attrs)
    return warp_images(x, maps, size, **sampling)


def warp_gradient(dy, x, **attrs):
    maps, _, sampling = _warp_parts(x, attrs)
    return [warp_images_gradient(dy, x, maps, **sampling)]


def _recolor_factors(x, attrs):
    attrs = dict(attrs)
    keyed = {name: attrs.pop(name, 0) for name in ("seed", "stream", "step")}
    words = _words(x, keyed)
    interval = attrs.pop("factor_low", 0.0), attrs.pop("factor_high", 0.0)
    return recolor_factors(words, attrs["kind"], *interval), attrs


def recolor(x, **attrs):
    factors, rest = _recolor_factors(x, attrs)
    return recolor_images(x, factors, **rest)


def recolor_gradient(dy, x, **attrs):
    factors, rest = _recolor_factors(x, attrs)
    return [recolor_images_gradient(dy, x, factors, **rest)]


def resample(x, **attrs):
    return resample_axis(x, **attrs)


def resample_gradient(dy, x, **attrs):
    return [resample_axis_gradient(dy, x, **attrs)]
