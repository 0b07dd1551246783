"""Sizes that users give: whole numbers within what the engine can count."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

MOST_ELEMENTS = 2**48 - 1


def checked_size(value: Any, where: str, what: str, least: int = 1) -> int:
    """An integer from `least` to 2**48 - 1; ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not least <= value <= MOST_ELEMENTS:
        raise ValueError(
            f"[{where}] expected {what} to be an integer of at least {least} and below 2**48, received {value!r}."
        )
    return int(value)


def checked_shape(shape: Any, where: str, what: str, least: int = 1) -> tuple[int, ...]:
    """A tuple of such integers with fewer than 2**48 elements in all."""
    if not isinstance(shape, Sequence) or isinstance(shape, str):
        raise ValueError(f"[{where}] expected {what} to be a tuple such as (784,), received {shape!r}.")
    sizes = tuple(checked_size(n, where, f"every axis of {what}", least) for n in shape)
    if math.prod(n for n in sizes if n > 0) > MOST_ELEMENTS:
        raise ValueError(f"[{where}] expected {what} with fewer than 2**48 elements, received {sizes}.")
    return sizes


def checked_numbers(values: Any, where: str, what: str) -> np.ndarray:
    """A vector of finite numbers, float64; ValueError for anything else."""
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        array = np.empty(())
    if array.ndim != 1 or not np.isfinite(array).all():
        shown = repr(values)
        raise ValueError(f"[{where}] expected {what} to be a list of finite numbers, received {shown[:200]}.")
    return array


def checked_axes(layer: Any, axis: Any) -> Any:
    """One int, or a list of them."""
    axes = list(axis) if isinstance(axis, (list, tuple)) else [axis]
    if not axes or any(isinstance(a, bool) or not hasattr(a, "__index__") for a in axes):
        raise TypeError(
            f"[{type(layer).__name__} '{layer.name}'] expected axis to be an int or a list of them, received {axis!r}."
        )
    return [int(a) for a in axes] if isinstance(axis, (list, tuple)) else int(axis)


def feature_axes(layer: Any, axis: Any, shape: Any) -> list[int]:
    """The axes of `shape` that a layer's `axis` names, from 1 on, in order."""
    rank = len(shape)
    given = axis if isinstance(axis, list) else [axis]
    named = sorted({a % rank for a in given if -rank <= a < rank})
    if len(named) != len(given) or named[0] == 0:
        raise ValueError(
            f"[{type(layer).__name__} '{layer.name}'] expected axis to name axes of shape {tuple(shape)} other than "
            f"the batch, received {axis}."
        )
    return named
