"""Ops expressed by simpler ones, for files whose format has not got them. Each formula is that of csrc/ops."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import activations, ops
from ..elementwise import elementwise
from ..layers.sparse_dense import kernel_of
from ..trace import Traced
from ..variable import Variable, tracing

LOWERED: dict[str, Callable[..., Any]] = {}  # by the op, with its kind where it has several


def key_of(op: str, attrs: dict[str, Any]) -> str:
    """`elementwise exp`, `softmax`, `layer_norm groups`."""
    if op == "layer_norm":
        return f"{op} {'groups' if attrs.get('groups') else attrs.get('kind', 'layer')}"
    return f"{op} {attrs['kind']}" if op in ("activation", "elementwise", "reduce") else op


def lower(key: str, inputs: list[Any], attrs: dict[str, Any]) -> Any:
    """What an op computes, by others."""
    named = key.startswith(("activation", "elementwise"))
    return LOWERED[key](*inputs, **{name: value for name, value in attrs.items() if not (named and name == "kind")})


def _lowered(*keys: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def note(function: Callable[..., Any]) -> Callable[..., Any]:
        LOWERED.update((key, function) for key in keys)
        return function

    return note


def _times(x: Any, factor: float) -> Any:
    return elementwise("multiply", x, factor)


def _plus(x: Any, summand: float) -> Any:
    return elementwise("add", x, summand)


def _activation(kind: str, x: Any, **parameters: float) -> Any:
    return ops.apply("activation", [x], {"kind": kind, **parameters})


# Activations.


@_lowered("activation gelu")
def _gelu(x: Any) -> Any:
    return ops.multiply(_times(x, 0.5), _plus(ops.erf(_times(x, math.sqrt(0.5))), 1.0))


@_lowered("activation gelu_tanh")
def _gelu_tanh(x: Any) -> Any:
    inner = ops.multiply(_times(x, math.sqrt(8 / math.pi)), _plus(_times(ops.multiply(x, x), 0.044715), 1.0))
    return ops.multiply(x, _activation("sigmoid", inner))


@_lowered("activation silu")
def _silu(x: Any) -> Any:
    return ops.multiply(x, _activation("sigmoid", x))


@_lowered("activation mish")
def _mish(x: Any) -> Any:
    return ops.multiply(x, elementwise("tanh", _activation("softplus", x)))


@_lowered("activation log_sigmoid")
def _log_sigmoid(x: Any) -> Any:
    return elementwise("negative", _activation("softplus", elementwise("negative", x)))


@_lowered("activation sparse_sigmoid")
def _sparse_sigmoid(x: Any) -> Any:
    return ops.clip(_plus(_times(x, 0.5), 0.5), 0.0, 1.0)


@_lowered("activation sparse_plus")
def _sparse_plus(x: Any) -> Any:
    half = _plus(_times(x, 0.5), 0.5)
    return ops.where(ops.less_equal(x, -1.0), 0.0, ops.where(ops.less(x, 1.0), ops.multiply(half, half), x))


@_lowered("activation squareplus")
def _squareplus(x: Any, alpha: float) -> Any:
    size = ops.abs(x)
    root = ops.where(ops.greater(size, 1e18), size, ops.sqrt(_plus(ops.multiply(x, x), alpha)))
    falling = elementwise("divide", 0.5 * alpha, elementwise("add", root, size))
    return ops.where(ops.less(x, 0.0), falling, ops.add(_times(x, 0.5), _times(root, 0.5)))


@_lowered("activation tanh_shrink")
def _tanh_shrink(x: Any) -> Any:
    return ops.subtract(x, elementwise("tanh", x))


@_lowered("activation threshold")
def _threshold(x: Any, alpha: float, beta: float) -> Any:
    return ops.where(ops.less_equal(x, alpha), beta, x)


@_lowered("activation rectify")
def _rectify(x: Any, alpha: float, beta: float, gamma: float = math.inf) -> Any:
    below = _times(_plus(x, -beta), alpha) if alpha else 0.0
    y = ops.where(ops.greater(x, beta), x, below)
    return y if gamma == math.inf else ops.where(ops.greater_equal(x, gamma), gamma, y)


@_lowered("sparsemax")
def _sparsemax(x: Any) -> Any:
    """max(x - tau, 0): tau from the largest k for which 1 + k x_k is more than the sum of the k largest.

    Beside large numbers the 1 would be lost, so the largest is 0.
    """
    x = elementwise("subtract", x, ops.max(x, axis=-1, keepdims=True))
    ordered, _ = ops.top_k(x, x.shape[-1])
    counts = np.arange(1.0, x.shape[-1] + 1)
    inside = ops.greater(_plus(elementwise("multiply", ordered, counts), 1.0), ops.cumsum(ordered, -1))
    total = ops.sum(elementwise("multiply", ordered, inside), axis=-1, keepdims=True)
    tau = elementwise("divide", _plus(total, -1.0), ops.sum(inside, axis=-1, keepdims=True))
    return elementwise("maximum", elementwise("subtract", x, tau), 0.0)


@_lowered("glu")
def _glu(x: Any, kind: str) -> Any:
    half = x.shape[-1] // 2
    return ops.multiply(x[..., :half], activations.get(kind)(x[..., half:]))


# Shifting, scaling, standardising.


@_lowered("affine")
def _affine(x: Any, scale: float = 1.0, offset: float = 0.0) -> Any:
    y = x if scale == 1 and offset != 0 else _times(x, scale)
    return y if offset == 0 else _plus(y, offset)


@_lowered("standardize")
def _standardize(x: Any, mean: Any, variance: Any, epsilon: float = 1e-7, invert: bool = False) -> Any:
    mean, spread = _value(mean), np.maximum(np.sqrt(_value(variance)), epsilon)
    if invert:
        return elementwise("add", elementwise("multiply", x, _constant(spread)), _constant(mean))
    return elementwise("multiply", elementwise("subtract", x, _constant(mean)), _constant(1 / spread))


@_lowered("batch_norm")
def _batch_norm(
    x: Any,
    *weights: Any,
    axis: int = -1,
    epsilon: float = 1e-3,
    center: bool = True,
    scale: bool = True,
    **training: Any,
) -> Any:
    *learned, mean, variance = (_value(w).ravel() for w in weights)
    factor = 1 / np.sqrt(variance + epsilon)
    factor = factor * learned[0] if scale else factor
    trailing = (1,) * (len(x.shape) - 1 - axis % len(x.shape))
    y = elementwise("subtract", x, _constant(mean, trailing))
    y = elementwise("multiply", y, _constant(factor, trailing))
    return elementwise("add", y, _constant(learned[-1], trailing)) if center else y


def _value(weight: Variable) -> np.ndarray:
    token = tracing.set(None)  # the number is wanted as it is now
    try:
        return weight.numpy().astype(np.float64)
    finally:
        tracing.reset(token)


def _constant(array: np.ndarray, trailing: tuple[int, ...] = ()) -> Any:
    return array.reshape(*array.shape, *trailing) if array.shape else float(array)


@_lowered("layer_norm layer", "layer_norm rms", "layer_norm unit", "layer_norm groups")
def _layer_norm(
    x: Any,
    *weights: Any,
    kind: str = "layer",
    axes: int = 1,
    groups: int | None = None,
    epsilon: float = 1e-3,
    scale: bool = True,
    center: bool = True,
) -> Any:
    sample = x.shape[1:]
    if groups is None:
        count = math.prod(sample[: len(sample) - axes])
        y, over = ops.reshape(x, (-1, count, math.prod(sample) // count)), [2]
    else:
        columns = sample[-1] // groups
        y, over = ops.reshape(x, (-1, math.prod(sample[:-1]), groups, columns)), [1, 3]
    if kind == "layer":
        y = elementwise("subtract", y, ops.mean(y, over, keepdims=True))
    size = (ops.sum if kind == "unit" else ops.mean)(elementwise("multiply", y, y), over, keepdims=True)
    factor = elementwise("reciprocal", ops.sqrt(_plus(size, epsilon) if kind != "unit" else size))
    y = elementwise("multiply", y, elementwise("minimum", factor, 1e12) if kind == "unit" else factor)
    y = ops.reshape(y, (-1, *sample))
    for used, name, weight in zip((scale, center), ("multiply", "add"), _in_order(weights, scale), strict=True):
        y = elementwise(name, y, weight) if used and weight is not None else y
    return y


def _in_order(weights: tuple[Any, ...], scale: bool) -> tuple[Any, Any]:
    """gamma and beta."""
    gamma = weights[0] if scale and weights else None
    rest = weights[1:] if scale else weights
    return gamma, rest[0] if rest else None


@_lowered("sparse_dense")
def _sparse_dense(x: Any, values: Variable, *bias: Variable, units: int, indices: list[int], offsets: list[int]) -> Any:
    trace = tracing.get()
    token = tracing.set(None)  # a number that is a constant of the file
    try:
        kernel = kernel_of(values.numpy(), indices, offsets, x.shape[-1], units)
    finally:
        tracing.reset(token)
    attrs = {"shape": list(kernel.shape), "values": kernel.reshape(-1).tolist()}
    return ops.dense(x, Traced(trace, trace.graph.add("constant", [], attrs, trace.layer_name)), *bias)


@_lowered("compact_dense")
def _compact_dense(x: Any, kernel: Variable, *more: Variable) -> Any:
    """By the numbers that are stored, in float; rows of x are not rounded."""
    trace = tracing.get()
    token = tracing.set(None)
    try:
        values = kernel.numpy().astype(np.float32)
        if kernel.dtype == "int8":
            values /= more[0].numpy()
            more = more[1:]
    finally:
        tracing.reset(token)
    attrs = {"shape": list(values.shape), "values": values.reshape(-1).tolist()}
    return ops.dense(x, Traced(trace, trace.graph.add("constant", [], attrs, trace.layer_name)), *more)


# Element-wise functions.


@_lowered("elementwise square")
def _square(a: Any) -> Any:
    return elementwise("multiply", a, a)


@_lowered("elementwise rsqrt")
def _rsqrt(a: Any) -> Any:
    return elementwise("reciprocal", ops.sqrt(a))


@_lowered("elementwise expm1")
def _expm1(a: Any) -> Any:
    return _plus(ops.exp(a), -1.0)


@_lowered("elementwise log1p")
def _log1p(a: Any) -> Any:
    return ops.log(_plus(a, 1.0))
