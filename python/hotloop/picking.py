"""Functions of `hotloop.ops` that pick elements: by indices, by order. An index computed in a model is a number."""

from __future__ import annotations

from typing import Any

import numpy as np

from .elementwise import is_batch, is_symbolic
from .own_name import own_name
from .shaping import axis_of, get_item, under
from .tensor import Symbolic, TraceError
from .trace import Traced, refuse_weights
from .variable import Variable

__all__ = ["argsort", "sort", "take", "take_along_axis", "top_k"]


@own_name
def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """Elements at whole-number indices along one axis; an index may come more than once.

    The indices are constants, or x is a weight (V, D) and they are a tensor of codes: then axis 0 gives rows of the
    weight, zeros for a code outside 0 .. V - 1. `take_along_axis` picks from tensors by tensors, sample by sample.
    """
    from .ops import apply, codes, concatenate

    if isinstance(x, Variable) and isinstance(indices, Traced):
        if axis != 0 or x.ndim != 2:
            raise ValueError(
                f"[take] expected axis 0 of a weight (V, D) for codes that are a tensor, received axis {axis} of shape "
                f"{x.shape}."
            )
        return apply("embedding", [codes(indices, x.shape[0]), x])
    if isinstance(indices, Symbolic):
        raise TraceError(
            f"[take] expected constant indices for x of shape {np.shape(x)}, received a tensor of shape "
            f"{indices.shape}. ops.take_along_axis(x, indices, axis) picks sample by sample; codes pick rows of a "
            "weight, or of an Embedding layer."
        )
    if not is_symbolic([x]):
        return np.take(np.asarray(x), indices, axis)
    axis = axis_of("take", x, axis)
    indices = np.asarray(indices)
    if indices.dtype.kind not in "iu":
        raise ValueError(f"[take] expected whole numbers, received {indices!r}.")
    before, size = [slice(None)] * axis, x.shape[axis]
    for i in indices.ravel().tolist():
        if not -size <= i < size:
            raise IndexError(f"[take] expected indices from {-size} to {size - 1}, received {i}.")
    if indices.ndim == 0:
        return get_item(x, (*before, int(indices)))
    parts = [get_item(x, (*before, run)) for run in _runs((indices.ravel() % max(size, 1)).tolist())]
    y = parts[0] if len(parts) == 1 else concatenate(parts, axis)
    if indices.ndim == 1:
        return y
    return under(y, [*x.shape[is_batch(x) : axis], *indices.shape, *x.shape[axis + 1 :]])


def _runs(indices: list[int]) -> list[slice]:
    """Slices that give these indices one after the other, each as long as its step stays the same."""
    runs, at = [], 0
    while at < len(indices):
        first, end = indices[at], at + 1
        step = indices[end] - first if end < len(indices) and indices[end] != first else 1
        while end < len(indices) and indices[end] - indices[end - 1] == step:
            end += 1
        stop = indices[end - 1] + (1 if step > 0 else -1)
        runs.append(slice(first, None if stop < 0 else stop, step))
        at = end
    return runs or [slice(0, 0)]


@own_name
def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Any:
    """Elements along one axis, each place by an index of its own: `take_along_axis(q, action, 1)` is Q(s, a).

    Parameters
    ----------
    x : tensor (batch, ..)
    indices : tensor
        Of as many axes, and of x's sizes, or 1, on all but `axis`; codes (int32), or numbers, whose whole part counts.
        -1 is the last element. Outside [-size, size) the result is NaN.
    axis : int

    Returns
    -------
    tensor
        Of the indices' size on `axis`. The gradient goes to the elements that were picked.
    """
    from .ops import apply, cast

    if not isinstance(x, Symbolic) and not isinstance(indices, Symbolic):
        refuse_weights("take_along_axis", [x, indices])
        return np.take_along_axis(np.asarray(x), np.asarray(indices), axis)
    if not isinstance(x, Symbolic):
        raise TraceError(
            f"[take_along_axis] expected a tensor to pick from, received {type(x).__name__}. ops.take(x, indices, "
            "axis=0) picks rows of a weight."
        )
    axis = axis_of("take_along_axis", x, axis)
    if not isinstance(indices, Symbolic):
        indices = np.asarray(indices)
        if indices.ndim != x.ndim or indices.size != indices.shape[axis]:
            raise ValueError(
                f"[take_along_axis] expected a tensor, or constants of size 1 on every axis but {axis}, received "
                f"constants of shape {indices.shape}."
            )
        return take(x, indices.ravel(), axis)
    if indices.ndim != x.ndim:
        raise ValueError(
            f"[take_along_axis] expected indices with the {x.ndim} axes of x {x.shape}, received {indices.shape}. "
            "ops.expand_dims adds one."
        )
    for other in range(1, x.ndim):
        if other != axis and indices.shape[other] == 1 != x.shape[other]:
            indices = _copies(cast(indices, "float32"), x.shape[other], other)
        elif other != axis and x.shape[other] == 1 != indices.shape[other]:
            x = _copies(x, indices.shape[other], other)
    return apply("take_along_axis", [x, indices], {"axis": axis})


def _copies(x: Any, count: int, axis: int) -> Any:
    from .ops import tile

    return tile(x, [count if i == axis else 1 for i in range(x.ndim)])


@own_name
def argsort(x: Any, axis: int | None = -1) -> Any:
    """Where the elements of one axis stand, smallest first; equal ones in their order, NaN last. No gradient."""
    from .ops import apply

    if not isinstance(x, Symbolic):
        refuse_weights("argsort", [x])
        return np.argsort(np.asarray(x), axis, kind="stable")
    return apply("argsort", [x], {"axis": axis_of("argsort", x, axis)})


@own_name
def sort(x: Any, axis: int | None = -1) -> Any:
    """The elements of one axis, smallest first, NaN last. The gradient goes back to where each stood."""
    if not isinstance(x, Symbolic):
        refuse_weights("sort", [x])
        return np.sort(np.asarray(x), axis)
    return take_along_axis(x, argsort(x, axis), axis)


@own_name
def top_k(x: Any, k: int, sorted: bool = True) -> tuple[Any, Any]:
    """The k largest elements of the last axis, largest first, and their places; of equal ones the first come first.

    They are in order whatever `sorted` is. The places of a model's tensor are numbers of its dtype, without gradient.
    """
    from .ops import apply

    size = x.shape[-1] if isinstance(x, Symbolic) else np.shape(x)[-1]
    if not isinstance(k, (int, np.integer)) or not 0 <= k <= size:
        raise ValueError(f"[top_k] expected k from 0 to {size}, the size of the last axis, received {k!r}.")
    if not isinstance(x, Symbolic):
        refuse_weights("top_k", [x])
        x = np.asarray(x)
        places = size - 1 - np.argsort(x[..., ::-1], -1, kind="stable")[..., ::-1][..., :k]
        return np.take_along_axis(x, places, -1), places.astype(np.int32)
    last = axis_of("top_k", x, -1)
    places = get_item(apply("argsort", [x], {"axis": last, "descending": True}), (..., slice(0, int(k))))
    return take_along_axis(x, places, last), places
