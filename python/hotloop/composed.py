"""Functions of `hotloop.ops` made of its others; of arrays they are NumPy's. Axes are as for `ops.sum`."""

from __future__ import annotations

from typing import Any

import numpy as np

from .elementwise import (
    abs,
    add,
    divide,
    equal,
    exp,
    floor,
    is_symbolic,
    isnan,
    log1p,
    logical_not,
    maximum,
    minimum,
    multiply,
    not_equal,
    ones_like,
    sign,
    square,
    subtract,
    where,
)  # fmt: skip
from .shaping import axis_of, get_item
from .trace import refuse_weights

__all__ = [
    "all", "any", "average", "binary_crossentropy", "categorical_crossentropy", "convert_to_numpy", "convert_to_tensor",
    "count_nonzero", "diff", "divide_no_nan", "exp2", "full_like", "isinf", "logaddexp", "logical_xor", "median",
    "moments", "nan_to_num", "normalize", "roll", "sparse_categorical_crossentropy", "trunc", "unstack",
]  # fmt: skip


def _arrays(name: str, *operands: Any) -> list[np.ndarray] | None:
    """The operands as arrays, or None where one belongs to a model."""
    if is_symbolic(operands):
        return None
    from .config import floatx

    refuse_weights(name, operands)
    arrays = [np.asarray(x) for x in operands]
    return [x.astype(floatx(), copy=False) if x.dtype.kind == "f" else x for x in arrays]


def all(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """1 (of arrays: True) where no element is 0."""
    from .ops import min

    arrays = _arrays("all", x)
    return np.all(arrays[0], axis, keepdims=keepdims) if arrays else min(not_equal(x, 0.0), axis, keepdims)


def any(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """1 (of arrays: True) where some element is not 0."""
    from .ops import max

    arrays = _arrays("any", x)
    return np.any(arrays[0], axis, keepdims=keepdims) if arrays else max(not_equal(x, 0.0), axis, keepdims)


def count_nonzero(x: Any, axis: Any = None) -> Any:
    """How many elements are not 0."""
    from .ops import sum

    arrays = _arrays("count_nonzero", x)
    return np.count_nonzero(arrays[0], axis) if arrays else sum(not_equal(x, 0.0), axis)


def average(x: Any, axis: Any = None, weights: Any = None) -> Any:
    """Mean, or the sum of x times weights of its shape, divided by their sum."""
    from .ops import mean, sum

    if weights is None:
        return mean(x, axis)
    arrays = _arrays("average", x, weights)
    if arrays:
        return np.average(arrays[0], axis, arrays[1])
    return divide(sum(multiply(x, weights), axis), sum(multiply(weights, ones_like(x)), axis))


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """Of every element -y log p - (1 - y) log(1 - p), p clipped away from 0 and 1, or the sigmoid of logits."""
    from .losses import formulas

    target, output = _arrays("binary_crossentropy", target, output) or (target, output)
    if target.shape != output.shape:
        raise ValueError(
            f"[binary_crossentropy] expected target and output of one shape, received {target.shape} and "
            f"{output.shape}."
        )
    return formulas.binary_crossentropies(target, output, from_logits)


def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """`losses.categorical_crossentropy`: one value for the classes on the last axis."""
    from . import losses

    return losses.categorical_crossentropy(target, output, from_logits, axis=axis)


def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """`losses.sparse_categorical_crossentropy`: one value for the classes on the last axis."""
    from . import losses

    return losses.sparse_categorical_crossentropy(target, output, from_logits, axis=axis)


def convert_to_tensor(x: Any, dtype: str | None = None, sparse: bool | None = None) -> Any:
    """x; a list or a number becomes an array. `sparse` is not True."""
    from .ops import cast

    if x is None:
        return cast(x, dtype or "float32")  # refuses it
    if sparse:
        raise ValueError(f"[convert_to_tensor] expected sparse=False, received {sparse!r}: tensors are dense.")
    if is_symbolic([x]):
        return x if dtype is None else cast(x, dtype)
    return np.asarray(x, dtype)


def convert_to_numpy(x: Any) -> np.ndarray:
    """The array of values; a tensor of a model has none yet."""
    refuse_weights("convert_to_numpy", [x])
    return np.asarray(x)


def diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    """Differences between neighbours along one axis, n times."""
    arrays = _arrays("diff", a)
    if arrays:
        return np.diff(arrays[0], n, axis)
    axis = axis_of("diff", a, axis)
    before = [slice(None)] * axis
    for _ in range(n):
        a = subtract(get_item(a, (*before, slice(1, None))), get_item(a, (*before, slice(None, -1))))
    return a


def divide_no_nan(x1: Any, x2: Any) -> Any:
    """x1 / x2, and 0 where x2 is 0, where no gradient flows."""
    zero = equal(x2, 0.0)
    return where(zero, 0.0, divide(x1, where(zero, 1.0, x2)))


def exp2(x: Any) -> Any:
    """2 to the power x."""
    return exp(multiply(x, 0.6931471805599453))


def full_like(x: Any, fill_value: Any, dtype: str | None = None) -> Any:
    """One number in the shape of x."""
    if not is_symbolic([x]):
        return np.full_like(np.asarray(x), fill_value, dtype)
    return multiply(ones_like(x), fill_value)


def isinf(x: Any) -> Any:
    """1 (of arrays: True) where x is infinite, else 0."""
    return equal(abs(x), float("inf"))


def logaddexp(x1: Any, x2: Any) -> Any:
    """log(e^x1 + e^x2), without overflow."""
    top, low = maximum(x1, x2), minimum(x1, x2)
    apart = where(equal(x1, x2), 0.0, subtract(low, top))  # two equal infinities too
    return add(top, log1p(exp(apart)))


def logical_xor(x1: Any, x2: Any) -> Any:
    """1 (of arrays: True) where exactly one is 0, else 0."""
    return not_equal(logical_not(x1), logical_not(x2))


def median(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The middle element of one axis in order, or the mean of the two in the middle; NaN where one is."""
    from .ops import max, squeeze
    from .picking import sort

    arrays = _arrays("median", x)
    if arrays:
        return np.asarray(np.median(arrays[0], axis, keepdims=keepdims))
    one = axis_of("median", x, axis)
    if x.shape[one] == 0:
        raise ValueError(f"[median] expected at least one element on axis {one}, received {x.shape}.")
    before, half, ordered = [slice(None)] * one, x.shape[one] // 2, sort(x, one)
    y = get_item(ordered, (*before, slice(half, half + 1)))
    if x.shape[one] % 2 == 0:
        y = multiply(add(y, get_item(ordered, (*before, slice(half - 1, half)))), 0.5)
    most = max(x, one, True)
    y = where(isnan(most), most, y)
    return y if keepdims else squeeze(y, one)


def moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> tuple[Any, Any]:
    """Mean and mean squared distance from it. `synchronized` is False: a model runs in one process."""
    from .ops import mean, var

    if synchronized:
        raise ValueError(f"[moments] expected synchronized=False, received {synchronized!r}.")
    return mean(x, axes, keepdims), var(x, axes, keepdims)


def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """x with other numbers for NaN and for infinities, the largest and smallest of the dtype unless told."""
    arrays = _arrays("nan_to_num", x)
    if arrays:
        return np.nan_to_num(arrays[0], True, nan, posinf, neginf)
    largest = float(np.finfo(x.dtype).max)
    x = where(isnan(x), nan, x)
    x = where(equal(x, float("inf")), largest if posinf is None else posinf, x)
    return where(equal(x, float("-inf")), -largest if neginf is None else neginf, x)


def normalize(x: Any, axis: Any = -1, order: Any = 2, epsilon: float | None = None) -> Any:
    """x divided by its norm along an axis, which counts as epsilon (1e-7) at least."""
    from .ops import norm, rsqrt, sum

    epsilon = 1e-7 if epsilon is None else epsilon
    if order == 2:
        return multiply(x, rsqrt(maximum(sum(square(x), axis, True), epsilon**2)))
    return divide(x, maximum(norm(x, order, axis, True), epsilon))


def roll(x: Any, shift: int, axis: int | None = None) -> Any:
    """Elements moved along one axis; those that leave it come in at its other end."""
    from .ops import concatenate

    arrays = _arrays("roll", x)
    if arrays:
        return np.roll(arrays[0], shift, axis)
    one = axis_of("roll", x, axis)
    before, at = [slice(None)] * one, -int(shift) % x.shape[one] if x.shape[one] else 0
    if at == 0:
        return x
    return concatenate([get_item(x, (*before, s)) for s in (slice(at, None), slice(0, at))], one)


def trunc(x: Any) -> Any:
    """The whole part; no gradient."""
    return multiply(sign(x), floor(abs(x)))


def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[Any]:
    """The elements of one axis, as a list."""
    arrays = _arrays("unstack", x)
    if arrays:
        return list(np.moveaxis(arrays[0], axis, 0))
    one = axis_of("unstack", x, axis)
    if num not in (None, x.shape[one]):
        raise ValueError(f"[unstack] expected num {x.shape[one]}, the size of axis {one}, received {num}.")
    return [get_item(x, (*[slice(None)] * one, i)) for i in range(x.shape[one])]
