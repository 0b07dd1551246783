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
    greater,
    is_symbolic,
    isfinite,
    isnan,
    less,
    less_equal,
    log1p,
    logical_and,
    logical_not,
    logical_or,
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
from .own_name import own_name
from .shaping import axis_of, expand_dims, get_item, transpose
from .tensor import Symbolic, TraceError
from .trace import Traced, refuse_weights

__all__ = [
    "all", "amax", "amin", "any", "average", "binary_crossentropy", "categorical_crossentropy", "convert_to_numpy",
    "convert_to_tensor", "count_nonzero", "cumprod", "deg2rad", "diag", "diagonal", "diff", "divide_no_nan", "exp2",
    "full_like", "in_top_k", "isclose", "isinf", "logaddexp", "logical_xor", "median", "moments", "nan_to_num",
    "nanmean", "nansum", "normalize", "percentile", "ptp", "quantile", "rad2deg", "roll", "segment_sum",
    "sparse_categorical_crossentropy", "trace", "tril", "triu", "trunc", "unstack",
]  # fmt: skip


def _arrays(name: str, *operands: Any) -> list[np.ndarray] | None:
    """The operands as arrays, or None where one belongs to a model."""
    if is_symbolic(operands):
        return None
    from .config import floatx

    refuse_weights(name, operands)
    arrays = [np.asarray(x) for x in operands]
    return [x.astype(floatx(), copy=False) if x.dtype.kind == "f" else x for x in arrays]


@own_name
def all(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """1 (of arrays: True) where no element is 0."""
    from .ops import min

    arrays = _arrays("all", x)
    return np.all(arrays[0], axis, keepdims=keepdims) if arrays else min(not_equal(x, 0.0), axis, keepdims)


@own_name
def amax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """`ops.max`."""
    from .ops import max

    return max(x, axis, keepdims)


@own_name
def amin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """`ops.min`."""
    from .ops import min

    return min(x, axis, keepdims)


@own_name
def any(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """1 (of arrays: True) where some element is not 0."""
    from .ops import max

    arrays = _arrays("any", x)
    return np.any(arrays[0], axis, keepdims=keepdims) if arrays else max(not_equal(x, 0.0), axis, keepdims)


@own_name
def count_nonzero(x: Any, axis: Any = None) -> Any:
    """How many elements are not 0."""
    from .ops import sum

    arrays = _arrays("count_nonzero", x)
    return np.count_nonzero(arrays[0], axis) if arrays else sum(not_equal(x, 0.0), axis)


@own_name
def average(x: Any, axis: Any = None, weights: Any = None) -> Any:
    """Mean, or the sum of x times weights of its shape, divided by their sum."""
    from .ops import mean, sum

    if weights is None:
        return mean(x, axis)
    arrays = _arrays("average", x, weights)
    if arrays:
        return np.average(arrays[0], axis, arrays[1])
    return divide(sum(multiply(x, weights), axis), sum(multiply(weights, ones_like(x)), axis))


@own_name
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


@own_name
def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """`losses.categorical_crossentropy`: one value for the classes on the last axis."""
    from . import losses

    return losses.categorical_crossentropy(target, output, from_logits, axis=axis)


@own_name
def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """`losses.sparse_categorical_crossentropy`: one value for the classes on the last axis."""
    from . import losses

    return losses.sparse_categorical_crossentropy(target, output, from_logits, axis=axis)


@own_name
def convert_to_tensor(x: Any, dtype: str | None = None, sparse: bool | None = None) -> Any:
    """x; a list or a number becomes an array. `sparse` is not True."""
    from .ops import cast

    if x is None:
        return cast(x, dtype or "float32")  # the size of a batch
    if sparse:
        raise ValueError(f"[convert_to_tensor] expected sparse=False, received {sparse!r}: tensors are dense.")
    if is_symbolic([x]):
        return x if dtype is None else cast(x, dtype)
    return np.asarray(x, dtype)


@own_name
def convert_to_numpy(x: Any) -> np.ndarray:
    """The array of values; a tensor of a model has none yet."""
    refuse_weights("convert_to_numpy", [x])
    return np.asarray(x)


@own_name
def cumprod(x: Any, axis: int | None = None, dtype: str | None = None) -> Any:
    """Products along one axis, up to each element; the gradient is right at zeros too."""
    from .ops import cast, concatenate

    arrays = _arrays("cumprod", x)
    if arrays:
        return np.cumprod(arrays[0], axis, dtype)
    one = axis_of("cumprod", x, axis)
    before, size, reach = [slice(None)] * one, x.shape[one], 1
    while reach < size:  # now of `reach` elements, then of twice as many
        first = get_item(x, (*before, slice(0, reach)))
        rest = [get_item(x, (*before, part)) for part in (slice(reach, None), slice(0, size - reach))]
        x, reach = concatenate([first, multiply(*rest)], one), 2 * reach
    return x if dtype is None else cast(x, dtype)


@own_name
def diag(x: Any, k: int = 0) -> Any:
    """A matrix with a vector on its k-th diagonal, or that diagonal of a matrix; of arrays.

    Of a tensor (batch, n, n) `ops.sum(x * ops.eye(n), axis=-1)` is the diagonal, and `ops.expand_dims(x, -1) *
    ops.eye(n)` makes such a tensor of one (batch, n).
    """
    arrays = _arrays("diag", x)
    if arrays is None:
        raise TraceError(
            f"[diag] expected an array, received a tensor of shape {tuple(x.shape)}. ops.sum(x * ops.eye(n), axis=-1) "
            "is the diagonal of each sample's matrix, ops.expand_dims(x, -1) * ops.eye(n) makes one of a vector."
        )
    return np.diag(arrays[0], k)


@own_name
def deg2rad(x: Any) -> Any:
    """Degrees as radians."""
    return multiply(x, np.pi / 180)


@own_name
def rad2deg(x: Any) -> Any:
    """Radians as degrees."""
    return multiply(x, 180 / np.pi)


@own_name
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The elements of two axes whose places differ by `offset`, along a new last axis."""
    from .ops import reshape

    arrays = _arrays("diagonal", x)
    if arrays:
        return np.diagonal(arrays[0], offset, axis1, axis2)
    first, second = axis_of("diagonal", x, axis1), axis_of("diagonal", x, axis2)
    if first == second:
        raise ValueError(f"[diagonal] expected two axes, received {axis1} and {axis2} of {x.shape}.")
    rest = [a for a in range(x.ndim) if a not in (first, second)]
    n, m = x.shape[first], x.shape[second]
    size = max(0, min(n, m - offset) if offset >= 0 else min(n + offset, m))
    flat = reshape(transpose(x, [*rest, first, second]), [-1, *[x.shape[a] for a in rest[1:]], n * m])
    begin = offset if offset >= 0 else -offset * m
    return get_item(flat, (..., slice(begin, begin + (m + 1) * (size - 1) + 1, m + 1) if size else slice(0, 0)))


@own_name
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum of `ops.diagonal`."""
    from .ops import sum

    return sum(diagonal(x, offset, axis1, axis2), axis=-1)


@own_name
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


@own_name
def divide_no_nan(x1: Any, x2: Any) -> Any:
    """x1 / x2, and 0 where x2 is 0, where no gradient flows."""
    zero = equal(x2, 0.0)
    return where(zero, 0.0, divide(x1, where(zero, 1.0, x2)))


@own_name
def exp2(x: Any) -> Any:
    """2 to the power x."""
    return exp(multiply(x, 0.6931471805599453))


@own_name
def full_like(x: Any, fill_value: Any, dtype: str | None = None) -> Any:
    """One number in the shape of x."""
    if not is_symbolic([x]):
        return np.full_like(np.asarray(x), fill_value, dtype)
    return multiply(ones_like(x), fill_value)


@own_name
def isinf(x: Any) -> Any:
    """1 (of arrays: True) where x is infinite, else 0."""
    return equal(abs(x), float("inf"))


@own_name
def isclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """1 (of arrays: True) where abs(x1 - x2) <= atol + rtol abs(x2), or both are the same infinity, else 0."""
    arrays = _arrays("isclose", x1, x2)
    if arrays:
        return np.isclose(arrays[0], arrays[1], rtol=rtol, atol=atol, equal_nan=equal_nan)
    near = less_equal(abs(subtract(x1, x2)), add(multiply(abs(x2), rtol), atol))
    same = logical_or(equal(x1, x2), logical_and(near, isfinite(subtract(x2, 0.0))))
    return logical_or(same, logical_and(isnan(x1), isnan(x2))) if equal_nan else same


@own_name
def in_top_k(targets: Any, predictions: Any, k: int) -> Any:
    """1 (of arrays: True) where fewer than k predictions are above that of the target, else 0."""
    from .ops import sum
    from .picking import take_along_axis

    arrays = _arrays("in_top_k", targets, predictions)
    targets, predictions = arrays or (targets, predictions)
    given = take_along_axis(predictions, expand_dims(targets, -1), -1)
    return less(sum(greater(predictions, given), axis=-1), k)


@own_name
def logaddexp(x1: Any, x2: Any) -> Any:
    """log(e^x1 + e^x2), without overflow."""
    top, low = maximum(x1, x2), minimum(x1, x2)
    apart = where(equal(x1, x2), 0.0, subtract(low, top))  # two equal infinities too
    return add(top, log1p(exp(apart)))


@own_name
def logical_xor(x1: Any, x2: Any) -> Any:
    """1 (of arrays: True) where exactly one is 0, else 0."""
    return not_equal(logical_not(x1), logical_not(x2))


@own_name
def median(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The middle element in order, or the mean of the two in the middle; NaN where one is."""
    arrays = _arrays("median", x)
    if arrays:
        return np.asarray(np.median(arrays[0], tuple(axis) if isinstance(axis, list) else axis, keepdims=keepdims))
    return quantile(x, 0.5, axis, "midpoint", keepdims)


@own_name
def moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> tuple[Any, Any]:
    """Mean and mean squared distance from it. `synchronized` is False: a model runs in one process."""
    from .ops import mean, var

    if synchronized:
        raise ValueError(f"[moments] expected synchronized=False, received {synchronized!r}.")
    return mean(x, axes, keepdims), var(x, axes, keepdims)


@own_name
def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """x with other numbers for NaN and for infinities, the largest and smallest of the dtype unless told."""
    arrays = _arrays("nan_to_num", x)
    if arrays:
        return np.nan_to_num(arrays[0], True, nan, posinf, neginf)
    largest = float(np.finfo(x.dtype).max)
    x = where(isnan(x), nan, x)
    x = where(equal(x, float("inf")), largest if posinf is None else posinf, x)
    return where(equal(x, float("-inf")), -largest if neginf is None else neginf, x)


@own_name
def nansum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Sum of the elements that are not NaN."""
    from .ops import sum

    return sum(where(isnan(x), 0.0, x), axis, keepdims)


@own_name
def nanmean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Mean of the elements that are not NaN; NaN where all are."""
    from .ops import sum

    there = logical_not(isnan(x))
    return divide(nansum(x, axis, keepdims), sum(where(there, ones_like(x), 0.0), axis, keepdims))


@own_name
def normalize(x: Any, axis: Any = -1, order: Any = 2, epsilon: float | None = None) -> Any:
    """x divided by its norm along an axis, which counts as epsilon (1e-7) at least."""
    from .ops import norm, rsqrt, sum

    epsilon = 1e-7 if epsilon is None else epsilon
    if order == 2:
        return multiply(x, rsqrt(maximum(sum(square(x), axis, True), epsilon**2)))
    return divide(x, maximum(norm(x, order, axis, True), epsilon))


_METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


@own_name
def quantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """The number that a share q of the elements do not exceed; NaN where one is.

    Parameters
    ----------
    x : tensor or array
    q : float
        In [0, 1]; of an array also several, whose results stand along a new first axis.
    axis : int or sequence of int, optional
        As for `ops.sum`.
    method : {"linear", "lower", "higher", "midpoint", "nearest"}
        Between two elements: a straight line from one to the other, one of them, or their mean.
    keepdims : bool

    Notes
    -----
    A tensor is sorted; the gradient goes to the elements that the result is made of.
    """
    from .ops import _axes, max, reshape
    from .picking import sort

    arrays = _arrays("quantile", x)
    if method not in _METHODS:
        raise ValueError(f"[quantile] expected method to be one of {', '.join(_METHODS)}, received {method!r}.")
    if arrays:
        axis, q = tuple(axis) if isinstance(axis, list) else axis, np.asarray(q, np.float64)
        found = np.quantile(arrays[0], q, axis, method=method, keepdims=keepdims)  # type: ignore[call-overload]
        return np.asarray(found, _floats(arrays[0]))
    if np.ndim(q) or not 0 <= q <= 1:
        raise ValueError(f"[quantile] expected q to be a number from 0 to 1 for a tensor of a model, received {q!r}.")
    axes = sorted(_axes("quantile", x, axis))
    left = [n for i, n in enumerate(x.shape) if i and i not in axes]
    whole = [1 if i in axes else n for i, n in enumerate(x.shape) if i]
    last = [a for a in range(x.ndim) if a not in axes] + axes
    x = reshape(transpose(x, last), [-1, *left, int(np.prod([x.shape[a] for a in axes]))])
    if x.shape[-1] == 0:
        raise ValueError(f"[quantile] expected at least one element on axis {axis}, received none.")
    ordered = sort(x, -1)
    y = where(isnan(max(x, -1)), max(x, -1), _between(ordered, float(q) * (x.shape[-1] - 1), method))
    return reshape(y, [-1, *whole]) if keepdims else y


def _floats(x: np.ndarray) -> Any:
    from .config import floatx

    return x.dtype if x.dtype.kind == "f" else floatx()


def _between(ordered: Any, place: float, method: str) -> Any:
    """What stands at a place of the last axis that may lie between two elements."""
    low, high = int(np.floor(place)), int(np.ceil(place))
    if method in ("lower", "higher", "nearest") or low == high:
        return get_item(ordered, (..., {"lower": low, "higher": high}.get(method, round(place))))
    part = 0.5 if method == "midpoint" else place - low
    return add(multiply(get_item(ordered, (..., low)), 1 - part), multiply(get_item(ordered, (..., high)), part))


@own_name
def percentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """`ops.quantile` of q / 100."""
    return quantile(x, np.asarray(q) / 100 if np.ndim(q) else q / 100, axis, method, keepdims)


@own_name
def ptp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest element minus the smallest."""
    from .ops import max, min

    return subtract(max(x, axis, keepdims), min(x, axis, keepdims))


@own_name
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


@own_name
def segment_sum(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """The sums of the rows of each segment: (num_segments, ..).

    Parameters
    ----------
    data : tensor (batch, ..) or array
    segment_ids : tensor (batch,) or array
        The segment of each row, from 0 on; rows of another number are left out.
    num_segments : int, optional
        One more than the largest number unless told; of tensors it must be told.
    sorted : bool
        Whether the numbers ascend, which changes nothing.

    Notes
    -----
    Of tensors it sums over the batch, which the `call` of a layer, losses and metrics may do.
    """
    from .ops import cast, reshape, sum

    of = segment_ids.shape if isinstance(segment_ids, Symbolic) else np.shape(segment_ids)
    if len(of) != 1:
        raise ValueError(f"[segment_sum] expected segment_ids of shape (batch,), received {of}.")
    arrays = _arrays("segment_sum", data, segment_ids)
    if arrays:
        values, numbers = arrays[0], arrays[1].astype(np.int64)
        count = (int(numbers.max(initial=-1)) + 1) if num_segments is None else num_segments
        inside = (numbers >= 0) & (numbers < count)
        result = np.zeros((count, *values.shape[1:]), values.dtype)
        np.add.at(result, numbers[inside], values[inside])
        return result
    if num_segments is None or not isinstance(segment_ids, Traced) or not isinstance(data, Traced):
        raise ValueError(
            "[segment_sum] expected num_segments, and tensors as data and segment_ids, in the `call` of a layer, in a "
            f"loss or in a metric, received {num_segments}, {type(data).__name__} and {type(segment_ids).__name__}."
        )
    numbers = reshape(cast(segment_ids, data.dtype), [-1, 1, *[1] * (data.ndim - 1)])
    segments = np.arange(num_segments).reshape(-1, *[1] * (data.ndim - 1))
    return sum(where(equal(numbers, segments), expand_dims(data, 1), 0.0), axis=0)


@own_name
def tril(x: Any, k: int = 0) -> Any:
    """Zeros above the k-th diagonal of the matrices on the last two axes, which lies above the main one for k > 0."""
    return _triangle(np.tril, "tril", x, k)


@own_name
def triu(x: Any, k: int = 0) -> Any:
    """Zeros below the k-th diagonal of the matrices on the last two axes, which lies above the main one for k > 0."""
    return _triangle(np.triu, "triu", x, k)


def _triangle(part: Any, name: str, x: Any, k: int) -> Any:
    arrays = _arrays(name, x)
    if arrays:
        return part(arrays[0], k)
    sizes = tuple(x.shape[-2:])
    if len(sizes) < 2 or None in sizes:
        raise ValueError(f"[{name}] expected a tensor (batch, .., n, m), received {tuple(x.shape)}.")
    return where(part(np.ones(sizes), k), x, 0.0)


@own_name
def trunc(x: Any) -> Any:
    """The whole part; no gradient."""
    return multiply(sign(x), floor(abs(x)))


@own_name
def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[Any]:
    """The elements of one axis, as a list."""
    arrays = _arrays("unstack", x)
    if arrays:
        return list(np.moveaxis(arrays[0], axis, 0))
    one = axis_of("unstack", x, axis)
    if num not in (None, x.shape[one]):
        raise ValueError(f"[unstack] expected num {x.shape[one]}, the size of axis {one}, received {num}.")
    return [get_item(x, (*[slice(None)] * one, i)) for i in range(x.shape[one])]
