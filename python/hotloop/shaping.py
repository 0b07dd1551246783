"""Functions of `hotloop.ops` that move elements: slices, transposed axes, stacks, copies. The batch stays axis 0.

Weights, and what is made of them alone, have no batch: all their axes are free.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from .elementwise import is_batch, is_symbolic
from .own_name import own_name
from .tensor import Symbolic
from .trace import TransposedWeight, refuse_weights, trace_of
from .variable import Variable

__all__ = [
    "broadcast_to", "expand_dims", "flip", "hstack", "moveaxis", "pad", "repeat", "split", "squeeze", "stack",
    "swapaxes", "tile", "transpose", "vstack",
]  # fmt: skip


_MOST_AXES = 6  # of the op `rearrange`


def _axes(x: Any) -> tuple[int, ...]:
    """Sizes of the axes that may be moved."""
    return tuple(x.shape[is_batch(x) :])


def get_item(x: Any, key: Any) -> Any:
    """`x[:, 2:5]`, `x[..., 0]`, `x[:, None]`: slices, whole numbers, an ellipsis and None; the batch is taken whole."""
    keys = _full_key(x, key)
    axes = _axes(x)
    steps, first = _steps(axes), x.ndim - len(axes)
    offset, shape, strides, axis = 0, [], [], first
    for k in keys:
        if k is None:
            shape.append(1)
            strides.append(1)
            continue
        size, step = axes[axis - first], steps[axis - first]
        axis += 1
        if isinstance(k, slice):
            taken = range(size)[k]
            offset += taken.start * step if len(taken) else 0
            shape.append(len(taken))
            strides.append(taken.step * step)
        else:
            if not -size <= k < size:
                raise IndexError(
                    f"[slice] expected an index from {-size} to {size - 1} on axis {axis - 1}, received {k}."
                )
            offset += k % size * step
    return _rearrange(x, shape, strides, offset)


def _full_key(x: Any, key: Any) -> list[Any]:
    keys = list(key) if isinstance(key, tuple) else [key]
    if not all(k is None or k is Ellipsis or isinstance(k, (slice, int, np.integer)) for k in keys):
        raise TypeError(
            f"[slice] expected slices, whole numbers, None or ... as index of a tensor of shape {x.shape}, received "
            f"{key!r}. For a list of indices take ops.take."
        )
    given = sum(k is not None and k is not Ellipsis for k in keys)
    dots = sum(k is Ellipsis for k in keys)
    if dots > 1 or given > x.ndim:
        raise IndexError(f"[slice] expected at most {x.ndim} indices for shape {x.shape}, received {key!r}.")
    at = next((i for i, k in enumerate(keys) if k is Ellipsis), len(keys))
    keys[at : at + dots] = [slice(None)] * (x.ndim - given)
    if not is_batch(x):
        return keys
    if not isinstance(keys[0], slice) or keys[0] != slice(None):
        raise IndexError(
            f"[slice] expected the whole batch, x[:, ...], of a tensor of shape {x.shape}, received {key!r}. Where x "
            "is to be several inputs, call the model on a list or dict of arrays."
        )
    return keys[1:]


def _steps(axes: Sequence[int]) -> list[int]:
    return [int(np.prod(axes[i + 1 :], dtype=int)) for i in range(len(axes))]


def under(x: Any, axes: Sequence[int]) -> Any:
    """The elements of x, of each sample, under these axes."""
    from .ops import reshape

    return reshape(x, [-1, *axes] if is_batch(x) else list(axes))


def _rearrange(x: Any, shape: Sequence[int], strides: Sequence[int], offset: int = 0) -> Any:
    from .ops import apply

    if offset == 0 and list(strides) == _steps(shape) and int(np.prod(shape)) == int(np.prod(_axes(x))):
        return under(x, shape)
    large = list(zip(shape, strides, strict=True))
    if len(large) > _MOST_AXES:
        large = [(n, s) for n, s in large if n != 1]
    attrs = {"shape": [n for n, _ in large], "strides": [s for _, s in large], "offset": offset}
    y = apply("rearrange", [x], attrs)
    return y if len(large) == len(shape) else under(y, shape)


def axis_of(what: str, x: Any, axis: int | None, extra: int = 0) -> int:
    """The axis of a tensor of a model as a number from 1 on, of weights from 0 on."""
    rank, batch = x.ndim + extra, is_batch(x)
    if axis is None or not -rank <= axis < rank or axis % rank < batch:
        other = " other than the batch" if batch else ""
        raise ValueError(f"[{what}] expected an axis of {x.shape}{other}, received {axis}.")
    return axis % rank


@own_name
def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """The axes in another order, reversed unless told; of a tensor of a model axis 0, the batch, has to stay first."""
    from .ops import apply

    if not is_symbolic([x]):
        return np.transpose(np.asarray(x), axes)
    order = list(range(x.ndim - 1, -1, -1)) if axes is None else [int(a) % x.ndim for a in axes]
    first = int(is_batch(x))
    if sorted(order) != list(range(x.ndim)) or (first and order[0] != 0):
        raise ValueError(
            f"[transpose] expected axes as those of {x.shape} in some order{', the batch (0) first' * first}, received "
            f"{axes}{', which reverses them all' if axes is None else ''}."
        )
    if not first and order == [1, 0]:
        trace = trace_of([x]) if isinstance(x, Variable) else None
        return apply("weight_transpose", [x]) if trace is None else TransposedWeight(trace, x)
    steps = _steps(_axes(x))
    return _rearrange(x, [x.shape[a] for a in order[first:]], [steps[a - first] for a in order[first:]])


@own_name
def moveaxis(x: Any, source: int, destination: int) -> Any:
    """One axis at another place."""
    if not is_symbolic([x]):
        return np.moveaxis(np.asarray(x), source, destination)
    source, destination = axis_of("moveaxis", x, source), axis_of("moveaxis", x, destination)
    order = [a for a in range(x.ndim) if a != source]
    order.insert(destination, source)
    return transpose(x, order)


@own_name
def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Two axes exchanged."""
    if not is_symbolic([x]):
        return np.swapaxes(np.asarray(x), axis1, axis2)
    axis1, axis2 = axis_of("swapaxes", x, axis1), axis_of("swapaxes", x, axis2)
    order = list(range(x.ndim))
    order[axis1], order[axis2] = axis2, axis1
    return transpose(x, order)


def with_last(x: Any, axes: Sequence[int], function: Callable[[Any], Any]) -> Any:
    """`function` of x with these axes, counted from 0, at the end and in order; then every axis stands at its place."""
    order = [a for a in range(x.ndim) if a not in axes] + sorted(axes)
    if order == list(range(x.ndim)):
        return function(x)
    return transpose(function(transpose(x, order)), [order.index(a) for a in range(x.ndim)])


@own_name
def flip(x: Any, axis: int | None = None) -> Any:
    """The elements of one axis in reverse; of an array those of all axes unless told."""
    if not is_symbolic([x]):
        return np.flip(np.asarray(x), axis)
    return get_item(x, (*[slice(None)] * axis_of("flip", x, axis), slice(None, None, -1)))


@own_name
def expand_dims(x: Any, axis: int) -> Any:
    """One more axis, of size 1."""
    if not is_symbolic([x]):
        return np.expand_dims(np.asarray(x), axis)
    shape = list(x.shape)
    shape.insert(axis_of("expand_dims", x, axis, 1), 1)
    return under(x, shape[is_batch(x) :])


@own_name
def squeeze(x: Any, axis: int | None = None) -> Any:
    """Without an axis of size 1, or all such axes behind the batch."""
    if not is_symbolic([x]):
        return np.squeeze(np.asarray(x), axis)
    first = int(is_batch(x))
    gone = [i for i in range(first, x.ndim) if x.shape[i] == 1] if axis is None else [axis_of("squeeze", x, axis)]
    if any(x.shape[i] != 1 for i in gone):
        raise ValueError(f"[squeeze] expected an axis of size 1 in {x.shape}, received axis {axis}.")
    return under(x, [n for i, n in enumerate(x.shape) if i >= first and i not in gone])


@own_name
def stack(xs: Sequence[Any], axis: int = 0) -> Any:
    """Tensors of one shape along a new axis."""
    from .ops import concatenate

    if not is_symbolic(xs):
        return np.stack([np.asarray(x) for x in xs], axis)
    return concatenate([expand_dims(x, axis) for x in xs], axis)


def joined_weights(xs: Sequence[Any], axis: int) -> Any:
    """Weights, what is made of them, and arrays along an axis: the sum of them with zeros around."""
    from .ops import add, apply

    rank = len(np.shape(xs[0]) if isinstance(xs[0], np.ndarray) else xs[0].shape)
    shapes = [tuple(np.asarray(x).shape if not is_symbolic([x]) else x.shape) for x in xs]
    others = {(*s[: axis % max(rank, 1)], *s[axis % max(rank, 1) + 1 :]) for s in shapes}
    if not -rank <= axis < rank or len(others) != 1 or len({len(s) for s in shapes}) != 1:
        raise ValueError(f"[concatenate] expected shapes that differ on axis {axis} alone, received {shapes}.")
    axis %= rank
    whole = list(shapes[0])
    whole[axis] = sum(s[axis] for s in shapes)
    steps, before, total = _steps(whole), 0, None
    for x, s in zip(xs, shapes, strict=True):
        if is_symbolic([x]):
            part = apply("place", [x], {"shape": whole, "strides": steps, "offset": before * steps[axis]})
        else:
            part = np.zeros(whole)
            part[tuple([slice(None)] * axis + [slice(before, before + s[axis])])] = x
        total = part if total is None else add(total, part)
        before += s[axis]
    return total


@own_name
def hstack(xs: Sequence[Any]) -> Any:
    """Arrays side by side: along axis 1, vectors along axis 0; tensors of a model along axis 1."""
    from .ops import concatenate

    if not any(isinstance(x, Symbolic) for x in xs):
        refuse_weights("hstack", xs)
        return np.hstack([np.asarray(x) for x in xs])
    if any(isinstance(x, Symbolic) and x.ndim == 1 for x in xs):
        raise ValueError("[hstack] expected tensors of two axes or more, received (None,). ops.stack joins such.")
    return concatenate(xs, 1)


@own_name
def vstack(xs: Sequence[Any]) -> Any:
    """Arrays below each other, along axis 0. Axis 0 of a tensor of a model is the batch, which stays as it is."""
    if any(isinstance(x, Symbolic) for x in xs):
        raise ValueError(
            "[vstack] expected arrays, received tensors of a model, whose axis 0 is the batch. ops.hstack takes axis 1."
        )
    refuse_weights("vstack", xs)
    return np.vstack([np.asarray(x) for x in xs])


@own_name
def broadcast_to(x: Any, shape: Sequence[int | None]) -> Any:
    """x repeated along axes of size 1 until it has this shape, which begins with None or -1, the batch of a tensor."""
    from .elementwise import elementwise, is_batch, is_symbolic

    if not is_symbolic([x]):
        return np.broadcast_to(np.asarray(x), [-1 if n is None else n for n in shape])
    sizes, batch = list(shape), is_batch(x)
    missing = len(sizes) - len(x.shape)
    own = [1] * missing + list(x.shape)
    if batch and (not sizes or sizes[0] not in (None, -1)):
        raise ValueError(f"[broadcast_to] expected a shape that begins with None or -1, the batch, received {shape}.")
    if (
        missing < 0
        or (batch and missing)
        or any(a not in (1, b) for a, b in zip(own[batch:], sizes[batch:], strict=True))
    ):
        raise ValueError(
            f"[broadcast_to] expected a shape that {tuple(x.shape)} becomes by repeating axes of size 1, received "
            f"{shape}. ops.expand_dims adds an axis."
        )
    for axis in range(batch, len(sizes)):
        if own[axis] != sizes[axis] or axis < missing:
            x = elementwise("second", np.zeros([sizes[axis], *[1] * (len(sizes) - axis - 1)]), x)
    return x


@own_name
def split(x: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Any]:
    """Equal parts, or parts that begin at these indices."""
    if not is_symbolic([x]):
        return np.split(np.asarray(x), indices_or_sections, axis)
    axis = axis_of("split", x, axis)
    size = x.shape[axis]
    if isinstance(indices_or_sections, int):
        if indices_or_sections < 1 or size % indices_or_sections:
            raise ValueError(f"[split] expected a divisor of {size}, received {indices_or_sections}.")
        each = size // indices_or_sections
        indices_or_sections = list(range(each, size, each))
    ends = [0, *indices_or_sections, size]
    before = [slice(None)] * axis
    return [get_item(x, (*before, slice(a, b))) for a, b in pairwise(ends)]


@own_name
def tile(x: Any, repeats: int | Sequence[int]) -> Any:
    """x that many times along each axis, the last ones if there are fewer numbers than axes."""
    from .ops import concatenate

    if not isinstance(x, Symbolic):
        refuse_weights("tile", [x])
        return np.tile(np.asarray(x), repeats)
    counts = [int(n) for n in np.atleast_1d(repeats)]
    counts = [1] * (x.ndim - len(counts)) + counts
    if len(counts) != x.ndim or counts[0] != 1 or min(counts) < 0:
        raise ValueError(f"[tile] expected a number for each axis of {x.shape}, 1 for the batch, received {repeats}.")
    for axis, count in enumerate(counts):
        if count != 1:
            x = concatenate([x] * count, axis) if count else get_item(x, (*[slice(None)] * axis, slice(0, 0)))
    return x


@own_name
def repeat(x: Any, repeats: int | Sequence[int], axis: int | None = None) -> Any:
    """Each element of one axis that many times in a row; a number for all of them, or one for each."""
    from .ops import reshape, take

    if not isinstance(x, Symbolic):
        refuse_weights("repeat", [x])
        return np.repeat(np.asarray(x), repeats, axis)
    axis = axis_of("repeat", x, axis)
    size, counts = x.shape[axis], np.asarray(repeats)
    if counts.ndim > 1 or counts.size not in (1, size) or counts.dtype.kind not in "iu" or (counts < 0).any():
        raise ValueError(f"[repeat] expected a whole number, or {size} of them, received {repeats!r}.")
    if counts.size != 1:
        return take(x, np.repeat(np.arange(size), counts), axis)
    count = int(counts.ravel()[0])
    y = tile(expand_dims(x, axis + 1), [count if i == axis + 1 else 1 for i in range(x.ndim + 1)])
    return reshape(y, [-1, *[n * count if i == axis else n for i, n in enumerate(x.shape) if i]])


@own_name
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: float | None = None) -> Any:
    """x with more elements before and after it on each axis.

    Parameters
    ----------
    x : tensor or array
    pad_width : int, pair, or a pair for each axis
        How many elements come before and after; (0, 0) for the batch of a tensor.
    mode : str
        Of a tensor "constant", "edge" (the outermost again), "reflect" or "symmetric" (mirrored, without or with it);
        of an array any of `numpy.pad`.
    constant_values : float, optional
        Only with "constant"; 0 unless told.
    """
    if constant_values is not None and mode != "constant":
        raise ValueError(f"[pad] expected constant_values with mode 'constant' alone, received mode {mode!r}.")
    if not isinstance(x, Symbolic):
        refuse_weights("pad", [x])
        values = {"constant_values": constant_values or 0} if mode == "constant" else {}
        return np.pad(np.asarray(x), pad_width, mode, **values)  # type: ignore[call-overload]
    if mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError(f"[pad] expected mode 'constant', 'edge', 'reflect' or 'symmetric', received {mode!r}.")
    try:
        widths = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2)).tolist()
    except ValueError:
        widths = [[-1, -1]]
    if widths[0] != [0, 0] or any(not isinstance(n, int) or n < 0 for pair in widths for n in pair):
        raise ValueError(
            f"[pad] expected a pair of whole numbers for each axis of {x.shape}, (0, 0) for the batch, received "
            f"{pad_width!r}."
        )
    if mode == "constant":
        return _placed(x, widths, float(constant_values or 0))
    for axis, (before, after) in enumerate(widths):
        x = _mirrored(x, axis, before, after, mode) if before or after else x
    return x


def _placed(x: Symbolic, widths: Sequence[Sequence[int]], value: float) -> Any:
    from .ops import apply, ones_like, where

    shape = [n + before + after for n, (before, after) in zip(x.shape[1:], widths[1:], strict=True)]
    steps = _steps(shape)
    offset = int(np.dot([before for before, _ in widths[1:]], steps)) if steps else 0
    attrs = {"shape": shape, "strides": steps, "offset": offset}
    y = apply("place", [x], attrs)
    return y if value == 0 else where(apply("place", [ones_like(x)], attrs), y, value)


def _mirrored(x: Symbolic, axis: int, before: int, after: int, mode: str) -> Any:
    """x between what mode "edge", "reflect" or "symmetric" puts before and after it."""
    from .ops import concatenate

    size, skip = x.shape[axis], mode == "reflect"
    if size == 0 or (mode != "edge" and max(before, after) > size - skip):
        raise ValueError(f"[pad] expected at most {size - skip} elements on axis {axis}, received {[before, after]}.")

    def part(a: int, b: int) -> Any:
        return get_item(x, (*[slice(None)] * axis, slice(a, b)))

    def times(y: Any, count: int) -> Any:
        return tile(y, [count if i == axis else 1 for i in range(x.ndim)])

    if mode == "edge":
        parts = [(before, lambda: times(part(0, 1), before)), (after, lambda: times(part(size - 1, size), after))]
    else:
        parts = [
            (before, lambda: flip(part(skip, before + skip), axis)),
            (after, lambda: flip(part(size - after - skip, size - skip), axis)),
        ]
    left, right = ([make()] if count else [] for count, make in parts)
    return concatenate([*left, x, *right], axis)
