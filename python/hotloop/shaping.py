"""Functions of `hotloop.ops` that move elements: slices, transposed axes, stacks. Axis 0, the batch, stays in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from .tensor import Symbolic

__all__ = ["expand_dims", "flip", "moveaxis", "split", "squeeze", "stack", "swapaxes", "take", "transpose"]


_MOST_AXES = 6  # of the op `rearrange`


def get_item(x: Symbolic, key: Any) -> Any:
    """`x[:, 2:5]`, `x[..., 0]`, `x[:, None]`: slices, whole numbers, an ellipsis and None; the batch is taken whole."""
    keys = _full_key(x, key)
    steps = _steps(x.shape)
    offset, shape, strides, axis = 0, [], [], 1
    for k in keys:
        if k is None:
            shape.append(1)
            strides.append(1)
            continue
        size, step = x.shape[axis], steps[axis - 1]
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


def _full_key(x: Symbolic, key: Any) -> list[Any]:
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
    if not isinstance(keys[0], slice) or keys[0] != slice(None):
        raise IndexError(
            f"[slice] expected the whole batch, x[:, ...], of a tensor of shape {x.shape}, received {key!r}. Where x "
            "is to be several inputs, call the model on a list or dict of arrays."
        )
    return keys[1:]


def _steps(shape: Sequence[Any]) -> list[int]:
    return [int(np.prod(shape[i + 1 :], dtype=int)) for i in range(1, len(shape))]


def _rearrange(x: Symbolic, shape: Sequence[int], strides: Sequence[int], offset: int = 0) -> Any:
    from .ops import apply, reshape

    if offset == 0 and list(strides) == _steps([None, *shape]) and int(np.prod(shape)) == int(np.prod(x.shape[1:])):
        return reshape(x, [-1, *shape])
    large = list(zip(shape, strides, strict=True))
    if len(large) > _MOST_AXES:
        large = [(n, s) for n, s in large if n != 1]
    attrs = {"shape": [n for n, _ in large], "strides": [s for _, s in large], "offset": offset}
    y = apply("rearrange", [x], attrs)
    return y if len(large) == len(shape) else reshape(y, [-1, *shape])


def _axis(what: str, x: Any, axis: int, extra: int = 0) -> int:
    rank = x.ndim + extra
    if not -rank <= axis < rank or axis % rank == 0:
        raise ValueError(f"[{what}] expected an axis of {x.shape} other than the batch, received {axis}.")
    return axis % rank


def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """The axes in another order, reversed unless told; of a tensor of a model axis 0 stays first."""
    if not isinstance(x, Symbolic):
        return np.transpose(np.asarray(x), axes)
    axes = [0, *range(x.ndim - 1, 0, -1)] if axes is None else [int(a) % x.ndim for a in axes]
    if sorted(axes) != list(range(x.ndim)) or axes[0] != 0:
        raise ValueError(f"[transpose] expected the axes of {x.shape} in some order, 0 first, received {axes}.")
    steps = _steps(x.shape)
    return _rearrange(x, [x.shape[a] for a in axes[1:]], [steps[a - 1] for a in axes[1:]])


def moveaxis(x: Any, source: int, destination: int) -> Any:
    """One axis at another place."""
    if not isinstance(x, Symbolic):
        return np.moveaxis(np.asarray(x), source, destination)
    source, destination = _axis("moveaxis", x, source), _axis("moveaxis", x, destination)
    order = [a for a in range(x.ndim) if a != source]
    order.insert(destination, source)
    return transpose(x, order)


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Two axes exchanged."""
    if not isinstance(x, Symbolic):
        return np.swapaxes(np.asarray(x), axis1, axis2)
    axis1, axis2 = _axis("swapaxes", x, axis1), _axis("swapaxes", x, axis2)
    order = list(range(x.ndim))
    order[axis1], order[axis2] = axis2, axis1
    return transpose(x, order)


def with_last(x: Any, axes: Sequence[int], function: Callable[[Any], Any]) -> Any:
    """`function` of x with these axes, counted from 0, at the end and in order; then every axis stands at its place."""
    order = [a for a in range(x.ndim) if a not in axes] + sorted(axes)
    if order == list(range(x.ndim)):
        return function(x)
    return transpose(function(transpose(x, order)), [order.index(a) for a in range(x.ndim)])


def flip(x: Any, axis: int) -> Any:
    """The elements of one axis in reverse."""
    if not isinstance(x, Symbolic):
        return np.flip(np.asarray(x), axis)
    return get_item(x, (*[slice(None)] * _axis("flip", x, axis), slice(None, None, -1)))


def expand_dims(x: Any, axis: int) -> Any:
    """One more axis, of size 1."""
    from .ops import reshape

    if not isinstance(x, Symbolic):
        return np.expand_dims(np.asarray(x), axis)
    shape = list(x.shape)
    shape.insert(_axis("expand_dims", x, axis, 1), 1)
    return reshape(x, [-1, *shape[1:]])


def squeeze(x: Any, axis: int | None = None) -> Any:
    """Without an axis of size 1, or all such axes behind the batch."""
    from .ops import reshape

    if not isinstance(x, Symbolic):
        return np.squeeze(np.asarray(x), axis)
    gone = [i for i in range(1, x.ndim) if x.shape[i] == 1] if axis is None else [_axis("squeeze", x, axis)]
    if any(x.shape[i] != 1 for i in gone):
        raise ValueError(f"[squeeze] expected an axis of size 1 in {x.shape}, received axis {axis}.")
    return reshape(x, [-1, *[n for i, n in enumerate(x.shape) if i and i not in gone]])


def stack(xs: Sequence[Any], axis: int = 0) -> Any:
    """Tensors of one shape along a new axis."""
    from .ops import concatenate

    if not any(isinstance(x, Symbolic) for x in xs):
        return np.stack([np.asarray(x) for x in xs], axis)
    return concatenate([expand_dims(x, axis) for x in xs], axis)


def split(x: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Any]:
    """Equal parts, or parts that begin at these indices."""
    if not isinstance(x, Symbolic):
        return np.split(np.asarray(x), indices_or_sections, axis)
    axis = _axis("split", x, axis)
    size = x.shape[axis]
    if isinstance(indices_or_sections, int):
        if indices_or_sections < 1 or size % indices_or_sections:
            raise ValueError(f"[split] expected a divisor of {size}, received {indices_or_sections}.")
        each = size // indices_or_sections
        indices_or_sections = list(range(each, size, each))
    ends = [0, *indices_or_sections, size]
    before = [slice(None)] * axis
    return [get_item(x, (*before, slice(a, b))) for a, b in pairwise(ends)]


def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """Elements at constant whole-number indices along one axis; an index may come more than once."""
    from .ops import concatenate

    if not isinstance(x, Symbolic):
        return np.take(np.asarray(x), indices, axis)
    if axis is None or isinstance(indices, Symbolic):
        raise ValueError(
            f"[take] expected an axis and constant indices for a tensor of shape {x.shape}, received axis {axis} and "
            f"indices {indices!r}. Tables that codes look up are a matter of Embedding layers."
        )
    axis = _axis("take", x, axis)
    indices = np.asarray(indices)
    if indices.ndim > 1 or indices.dtype.kind not in "iu":
        raise ValueError(f"[take] expected a whole number or a list of them, received {indices!r}.")
    before = [slice(None)] * axis
    if indices.ndim == 0:
        return get_item(x, (*before, int(indices)))
    parts = []
    for i in indices.tolist():
        size = x.shape[axis]
        if not -size <= i < size:
            raise IndexError(f"[take] expected indices from {-size} to {size - 1}, received {i}.")
        parts.append(get_item(x, (*before, slice(i % size, i % size + 1))))
    return concatenate(parts, axis)
