"""The float64 oracle of the element-wise activations: each function and its derivative, from the definitions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946
_ROOT_HALF = Fraction("0.70710678118654752440084436210484903928")


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def _softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _elu(x, alpha):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _elu_slope(x, alpha):
    return np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0)))


def _clip_slope(x, low, high, slope):
    return np.where((x > low) & (x < high), slope, 0.0)


def _one_normal_cdf(x):
    """erfc(-x / sqrt 2) / 2, corrected for the rounding of the argument, which the tail magnifies by x^2."""
    exact = -Fraction(min(max(float(x), -1e3), 1e3)) * _ROOT_HALF
    t = float(exact)
    return (math.erfc(t) - 2 / math.sqrt(math.pi) * math.exp(-t * t) * float(exact - Fraction(t))) / 2


_normal_cdf = np.vectorize(_one_normal_cdf, otypes=[float])


def _times(x, factor):
    """x * factor, 0 where the factor is 0 and x infinite."""
    return np.where(factor == 0, 0.0, np.where(factor == 0, 0.0, x) * factor)


def _gelu_tanh_gate(x):
    x = np.clip(x, -1e3, 1e3)
    return sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))


def _gelu_tanh_slope(x):
    x, s = np.clip(x, -1e3, 1e3), _gelu_tanh_gate(x)
    return s + x * s * _gelu_tanh_gate(-x) * 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)


def _gelu_slope(x):
    x = np.clip(x, -1e3, 1e3)
    return _normal_cdf(x) + x * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


def _silu_slope(x):
    x = np.clip(x, -1e3, 1e3)
    return sigmoid(x) * (1 + x * sigmoid(-x))


def _tanh_of_softplus(x):
    return np.tanh(_softplus(x))


def _mish_slope(x):
    x = np.clip(x, -300, 300)
    return _tanh_of_softplus(x) + x * sigmoid(x) / np.cosh(_softplus(x)) ** 2


def _squareplus(x, b):
    y = (np.abs(x) + np.hypot(x, math.sqrt(b))) / 2
    return np.where(x < 0, b / 4 / np.minimum(y, 1e250), y)


def _squareplus_slope(x, b):
    x = np.clip(x, -1e300, 1e300)
    return _squareplus(x, b) / np.hypot(x, math.sqrt(b))


def _rectify(x, slope, threshold, cap):
    below = slope * (x - threshold) if slope else np.zeros_like(x)
    return np.where(x >= cap, cap, np.where(x > threshold, x, below))


ACTIVATIONS = {  # name: (function, derivative), both of (x, alpha)
    "identity": (lambda x, a: x, lambda x, a: np.ones_like(x)),
    "relu": (lambda x, a: np.where(x < 0, 0.0, x), lambda x, a: (x > 0).astype(float)),
    "leaky_relu": (lambda x, a: np.where(x >= 0, x, a * x), lambda x, a: np.where(x >= 0, 1.0, a)),
    "elu": (_elu, _elu_slope),
    "selu": (
        lambda x, a: SELU_SCALE * _elu(x, SELU_ALPHA),
        lambda x, a: SELU_SCALE * _elu_slope(x, SELU_ALPHA),
    ),
    "sigmoid": (lambda x, a: sigmoid(x), lambda x, a: sigmoid(x) * sigmoid(-x)),
    "tanh": (lambda x, a: np.tanh(x), lambda x, a: 1 / np.cosh(np.clip(x, -350, 350)) ** 2),
    "softplus": (lambda x, a: _softplus(x), lambda x, a: sigmoid(x)),
    "relu6": (lambda x, a: np.clip(x, 0, 6), lambda x, a: _clip_slope(x, 0, 6, 1.0)),
    "celu": (lambda x, a: _elu(x / a, 1.0) * a, lambda x, a: _elu_slope(x / a, 1.0)),
    "log_sigmoid": (lambda x, a: -_softplus(-x), lambda x, a: sigmoid(-x)),
    "hard_sigmoid": (lambda x, a: np.clip((x + 3) / 6, 0, 1), lambda x, a: _clip_slope(x, -3, 3, 1 / 6)),
    "sparse_sigmoid": (lambda x, a: np.clip((x + 1) / 2, 0, 1), lambda x, a: _clip_slope(x, -1, 1, 0.5)),
    "hard_tanh": (lambda x, a: np.clip(x, -1, 1), lambda x, a: _clip_slope(x, -1, 1, 1.0)),
    "sparse_plus": (
        lambda x, a: np.where(x <= -1, 0.0, np.where(x < 1, (np.clip(x, -1, 1) + 1) ** 2 / 4, x)),
        lambda x, a: np.clip((x + 1) / 2, 0, 1),
    ),
    "squareplus": (_squareplus, _squareplus_slope),
    "softsign": (
        lambda x, a: np.clip(x, -1e300, 1e300) / (1 + np.abs(np.clip(x, -1e300, 1e300))),
        lambda x, a: (1 / (1 + np.abs(x))) ** 2,
    ),
    "exponential": (lambda x, a: np.exp(x), lambda x, a: np.exp(x)),
    "soft_shrink": (
        lambda x, a: np.sign(x) * np.maximum(np.abs(x) - a, 0),
        lambda x, a: (np.abs(x) > a).astype(float),
    ),
    "hard_shrink": (lambda x, a: np.where(np.abs(x) > a, x, 0.0), lambda x, a: (np.abs(x) > a).astype(float)),
    "gelu": (lambda x, a: _times(x, _normal_cdf(x)), lambda x, a: _gelu_slope(x)),
    "gelu_tanh": (lambda x, a: _times(x, _gelu_tanh_gate(x)), lambda x, a: _gelu_tanh_slope(x)),
    "silu": (lambda x, a: _times(x, sigmoid(x)), lambda x, a: _silu_slope(x)),
    "hard_silu": (
        lambda x, a: _times(x, np.clip((x + 3) / 6, 0, 1)),
        lambda x, a: np.where(x <= -3, 0.0, np.where(x >= 3, 1.0, x / 3 + 0.5)),
    ),
    "mish": (lambda x, a: _times(x, _tanh_of_softplus(x)), lambda x, a: _mish_slope(x)),
    "tanh_shrink": (lambda x, a: x - np.tanh(x), lambda x, a: np.tanh(x) ** 2),
    "threshold": (lambda x, a, b: np.where(x <= a, b, x), lambda x, a, b: (x > a).astype(float)),
    "rectify": (
        _rectify,
        lambda x, a, b, c: np.where(x >= c, 0.0, np.where(x > b, 1.0, a)),
    ),
}
PARAMETERS = {"threshold": 2, "rectify": 3}  # one unless told
OF_INPUT = {"gelu", "gelu_tanh", "silu", "hard_silu", "mish", "tanh_shrink", "threshold", "rectify"}  # never fused
FUSED = sorted(set(ACTIVATIONS) - OF_INPUT)
