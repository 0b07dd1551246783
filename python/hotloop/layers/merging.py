"""Add and Concatenate: several tensors into one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import ops
from .layer import Layer


class Add(Layer):
    """Sum of a list of tensors of one shape.

    Parameters
    ----------
    **kwargs
        Of `Layer`.
    """

    def call(self, inputs: Any) -> Any:
        return ops.apply("add", _at_least_one(self, inputs))


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


def concatenate(inputs: Sequence[Any], axis: int = -1, **kwargs: Any) -> Any:
    """`Concatenate(axis, **kwargs)(inputs)`."""
    return Concatenate(axis, **kwargs)(inputs)


def _at_least_one(layer: Layer, inputs: Any) -> list[Any]:
    if not isinstance(inputs, (list, tuple)) or not inputs:
        raise ValueError(
            f"[{type(layer).__name__} '{layer.name}'] expected a list of tensors, received {type(inputs).__name__}."
        )
    return list(inputs)
