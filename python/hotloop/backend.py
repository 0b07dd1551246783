"""`keras.backend`: what Keras 3 left of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .config import (
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from .utils import clear_session

__all__ = [
    "backend", "clear_session", "epsilon", "floatx", "image_data_format", "is_float_dtype", "is_int_dtype",
    "is_keras_tensor", "set_epsilon", "set_floatx", "set_image_data_format", "standardize_dtype",
]  # fmt: skip


def backend() -> str:
    """The name of the engine: always "hotloop"."""
    return "hotloop"


def standardize_dtype(dtype: Any) -> str:
    """The name of a dtype, or `floatx()` for None.

    Examples
    --------
    >>> standardize_dtype(np.int32), standardize_dtype(None)
    ('int32', 'float32')
    """
    return floatx() if dtype is None else np.dtype(dtype).name


def is_float_dtype(dtype: Any) -> bool:
    """Whether a dtype is a float type."""
    return np.dtype(standardize_dtype(dtype)).kind == "f"


def is_int_dtype(dtype: Any) -> bool:
    """Whether a dtype is an integer type, signed or not."""
    return np.dtype(standardize_dtype(dtype)).kind in "iu"


def is_keras_tensor(x: Any) -> bool:
    """Whether `x` is a symbolic tensor, as `Input` and layers called on one give."""
    from .tensor import KerasTensor

    return isinstance(x, KerasTensor)
