"""Layers that make one tensor of several: element by element, joined, or multiplied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from .. import ops
from .layer import Layer


class Add(Layer):
    """Sum of a list of tensors; axes of size 1 are broadcast.

    Parameters
    ----------
    **kwargs
        Of `Layer`.
    """

    def call(self, inputs: Any) -> Any:
        tensors = _at_least_one(self, inputs)
        if all(x.shape == tensors[0].shape for x in tensors):
            return ops.apply("add", tensors)
        return _folded(self, ops.add, tensors)


class Subtract(Layer):
    """The first of two tensors minus the second.

    Parameters
    ----------
    **kwargs
        Of `Layer`.
    """

    def call(self, inputs: Any) -> Any:
        x, y = _same_rank(self, _two(self, inputs))
        return ops.subtract(x, y)


class Multiply(Layer):
    """Product of a list of tensors, element by element; axes of size 1 are broadcast.

    Parameters
    ----------
    **kwargs
        Of `Layer`.
    """

    def call(self, inputs: Any) -> Any:
        return _folded(self, ops.multiply, _at_least_one(self, inputs))


class Average(Layer):
    """Mean of a list of tensors, element by element; axes of size 1 are broadcast.

    Parameters
    ----------
    **kwargs
        Of `Layer`.
    """

    def call(self, inputs: Any) -> Any:
        tensors = _at_least_one(self, inputs)
        return _folded(self, ops.add, tensors) / len(tensors)


class Maximum(Layer):
    """Largest of a list of tensors, element by element; axes of size 1 are broadcast.

    Parameters
    ----------
    **kwargs
        Of `Layer`.
    """

    def call(self, inputs: Any) -> Any:
        return _folded(self, ops.maximum, _at_least_one(self, inputs))


class Minimum(Layer):
    """Smallest of a list of tensors, element by element; axes of size 1 are broadcast.

    Parameters
    ----------
    **kwargs
        Of `Layer`.
    """

    def call(self, inputs: Any) -> Any:
        return _folded(self, ops.minimum, _at_least_one(self, inputs))


class Dot(Layer):
    """Scalar products along one axis of each of two tensors, sample by sample.

    The result has the other axes of the first tensor, then those of the second; of two tensors (batch, n) it is
    (batch, 1).

    Parameters
    ----------
    axes : int or pair of int
        The axis of each; not the batch.
    normalize : bool
        Divide each by its length along the axis first: the cosine.
    **kwargs
        Of `Layer`.

    Raises
    ------
    ValueError
        If the axes differ in size.
    """

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        pair = [axes, axes] if isinstance(axes, int) else list(axes)
        if len(pair) != 2 or not all(isinstance(a, int) and a != 0 for a in pair):
            raise ValueError(f"[Dot '{self.name}'] expected one or two axes other than the batch, received {axes}.")
        self.axes, self.normalize = axes, bool(normalize)

    def call(self, inputs: Any) -> Any:
        x, y = _two(self, inputs)
        a, b = [self.axes] * 2 if isinstance(self.axes, int) else self.axes
        if not -x.ndim < a < x.ndim or not -y.ndim < b < y.ndim or x.shape[a] != y.shape[b]:
            raise ValueError(
                f"[Dot '{self.name}'] expected axes of one size, received axis {a} of {x.shape} and {b} of {y.shape}."
            )
        x, y = (ops.moveaxis(t, axis, -1) for t, axis in ((x, a), (y, b)))
        if self.normalize:
            x, y = (t * ops.rsqrt(ops.maximum(ops.sum(t * t, axis=-1, keepdims=True), 1e-12)) for t in (x, y))
        left, right = x.shape[1:-1], y.shape[1:-1]
        x = ops.reshape(x, (-1, *left, *[1] * len(right), x.shape[-1]))
        y = ops.reshape(y, (-1, *[1] * len(left), *right, y.shape[-1]))
        return ops.sum(x * y, axis=-1, keepdims=not left and not right)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


class Concatenate(Layer):
    """A list of tensors joined along one axis.

    Parameters
    ----------
    axis : int
        Not the batch axis.
    **kwargs
        Of `Layer`.
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = int(axis)

    def call(self, inputs: Any) -> Any:
        return ops.concatenate(_at_least_one(self, inputs), self.axis)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


def add(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Add(**kwargs)(inputs)`."""
    return Add(**kwargs)(inputs)


def subtract(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Subtract(**kwargs)(inputs)`."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Multiply(**kwargs)(inputs)`."""
    return Multiply(**kwargs)(inputs)


def average(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Average(**kwargs)(inputs)`."""
    return Average(**kwargs)(inputs)


def maximum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Maximum(**kwargs)(inputs)`."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Minimum(**kwargs)(inputs)`."""
    return Minimum(**kwargs)(inputs)


def dot(inputs: Sequence[Any], axes: int | Sequence[int] = -1, **kwargs: Any) -> Any:
    """`Dot(axes, **kwargs)(inputs)`."""
    return Dot(axes, **kwargs)(inputs)


def concatenate(inputs: Sequence[Any], axis: int = -1, **kwargs: Any) -> Any:
    """`Concatenate(axis, **kwargs)(inputs)`."""
    return Concatenate(axis, **kwargs)(inputs)


def _at_least_one(layer: Layer, inputs: Any) -> list[Any]:
    if not isinstance(inputs, (list, tuple)) or not inputs:
        raise ValueError(
            f"[{type(layer).__name__} '{layer.name}'] expected a list of tensors, received {type(inputs).__name__}."
        )
    return list(inputs)


def _two(layer: Layer, inputs: Any) -> list[Any]:
    if not isinstance(inputs, (list, tuple)) or len(inputs) != 2:
        received = f"{len(inputs)} of them" if isinstance(inputs, (list, tuple)) else type(inputs).__name__
        raise ValueError(
            f"[{type(layer).__name__} '{layer.name}'] expected a list of two tensors, received {received}."
        )
    return list(inputs)


def _same_rank(layer: Layer, tensors: list[Any]) -> list[Any]:
    """Missing axes are put behind the batch, as Keras does."""
    rank = max(x.ndim for x in tensors)
    return [ops.reshape(x, (-1, *[1] * (rank - x.ndim), *x.shape[1:])) if x.ndim < rank else x for x in tensors]


def _folded(layer: Layer, function: Callable[[Any, Any], Any], tensors: list[Any]) -> Any:
    return reduce(function, _same_rank(layer, tensors))
