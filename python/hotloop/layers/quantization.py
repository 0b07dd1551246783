"""Weights in fewer bits: what `Layer.quantize` and `Model.quantize` do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..variable import COMPACT, note_structure, rounded_to_bfloat16

if TYPE_CHECKING:
    from ..model import Model

LARGEST = {"float16": 65504.0, "bfloat16": 3.38953e38, "int8": 3.40282e38}  # numbers that can be stored
EPSILON = 1e-7  # Keras's: a column of zeros has a scale too


def abs_max_quantize(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers from -127 to 127 for a kernel (inputs, units), and the scale of each unit that made them.

    Returns
    -------
    values : ndarray of int8, shape (inputs, units)
        round(scale kernel), ties to even.
    scale : ndarray of float32, shape (units,)
        127 / (the largest magnitude + 1e-7), as Keras's `abs_max_quantize` along axis 0.
    """
    kernel = np.asarray(kernel, np.float32)
    scale = (127 / (np.abs(kernel).max(axis=0, initial=0) + np.float32(EPSILON))).astype(np.float32)
    return np.clip(np.round(kernel * scale), -127, 127).astype(np.int8), scale


def fits(kernel: np.ndarray, mode: str) -> bool:
    """Whether numbers are finite and, rounded to a way to store them, still are."""
    with np.errstate(over="ignore"):
        stored = rounded_to_bfloat16(kernel) if mode == "bfloat16" else kernel
        stored = kernel.astype(np.float16) if mode == "float16" else stored
    return bool(np.isfinite(stored).all())


def checked_storage(mode: Any, where: str) -> str:
    """One of the ways to store weights."""
    if mode not in COMPACT:
        raise ValueError(f"[{where}] expected one of {', '.join(COMPACT)}, received {mode!r}.")
    return mode


def quantize_model(model: Model, mode: Any, filters: Any) -> None:
    """`Model.quantize`."""
    from .dense import Dense

    where = f"quantize '{model.name}'"
    checked_storage(mode, where)
    if not model.built:
        raise ValueError(
            f"[{where}] expected a model with weights, received one that is not built. Call it on data first."
        )
    wanted = _wanted(filters, where)
    layers = [layer for layer in model._all_layers() if type(layer) is Dense and layer.built and wanted(layer)]
    if not layers:
        raise ValueError(f"[{where}] expected a model with Dense layers that the filters choose, received none.")
    before = [(layer, dict(layer.__dict__)) for layer in layers]
    try:
        for layer in layers:
            layer.quantize(mode)
        model._program("predict")
    except Exception:
        for layer, attributes in before:
            layer.__dict__.clear()
            layer.__dict__.update(attributes)
        note_structure()
        raise


def _wanted(filters: Any, where: str) -> Callable[[Any], bool]:
    if filters is None:
        return lambda layer: True
    if callable(filters):
        return filters
    patterns = [filters] if isinstance(filters, str) else filters
    if not isinstance(patterns, (list, tuple)) or not all(isinstance(pattern, str) for pattern in patterns):
        raise TypeError(
            f"[{where}] expected filters as a string, a list of strings or a function, received {filters!r}."
        )
    try:
        compiled = [re.compile(pattern) for pattern in patterns]
    except re.error as error:
        raise ValueError(f"[{where}] expected filters as regular expressions, received {filters!r}: {error}.") from None
    return lambda layer: any(pattern.match(layer.name) for pattern in compiled)
