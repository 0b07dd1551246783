"""Functions of `hotloop.ops` that make arrays of known numbers. Beside a tensor of a model they are constants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["arange", "eye", "full", "linspace", "ones", "zeros"]


def _filled(name: str, shape: int | Sequence[int], value: Any, dtype: str | None) -> np.ndarray:
    from .config import floatx

    sizes = tuple(shape) if isinstance(shape, (tuple, list, np.ndarray)) else (shape,)
    if not all(isinstance(n, (int, np.integer)) and n >= 0 for n in sizes):
        raise ValueError(
            f"[{name}] expected whole numbers that are known now, received the shape {shape}. In the shape of a "
            f"tensor: ops.{name}_like(x)."
        )
    return np.full(sizes, value, dtype or floatx())


def full(shape: int | Sequence[int], fill_value: Any, dtype: str | None = None) -> np.ndarray:
    """An array of one number, or of an array repeated along axes, of `config.floatx()` unless told."""
    return _filled("full", shape, fill_value, dtype)


def zeros(shape: int | Sequence[int], dtype: str | None = None) -> np.ndarray:
    """An array of zeros, of `config.floatx()` unless told."""
    return _filled("zeros", shape, 0, dtype)


def ones(shape: int | Sequence[int], dtype: str | None = None) -> np.ndarray:
    """An array of ones, of `config.floatx()` unless told."""
    return _filled("ones", shape, 1, dtype)


def eye(N: int, M: int | None = None, k: int = 0, dtype: str | None = None) -> np.ndarray:
    """N rows and M columns (N unless told) of zeros, with ones on the k-th diagonal; above the main one for k > 0."""
    from .config import floatx

    return np.eye(N, M, k, dtype=dtype or floatx())


def arange(start: float, stop: float | None = None, step: float | None = None, dtype: str | None = None) -> np.ndarray:
    """Numbers from `start` (from 0, where only one is given) to before `stop`: int32 if all are whole, else floats."""
    from .config import floatx

    given = [x for x in (start, stop, step) if x is not None]
    if dtype is None:
        dtype = "int32" if all(isinstance(x, (int, np.integer)) for x in given) else floatx()
    first, end = (0, start) if stop is None else (start, stop)
    return np.asarray(np.arange(first, end, 1 if step is None else step), dtype)


def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: str | None = None,
    axis: int = 0,
) -> Any:  # fmt: skip
    """`num` numbers from `start` to `stop` at equal distances, as floats unless told; with `retstep` the distance too.

    Without `endpoint` they end one step before `stop`. Of arrays the numbers stand along a new axis.
    """
    from .config import floatx

    values, step = np.linspace(start, stop, num, endpoint, retstep=True, axis=axis)
    values = values.astype(dtype or floatx())
    return (values, np.asarray(step, floatx())) if retstep else values
