"""The kernels of dense layers in C: as they are, or without what is zero, as floats or as 8-bit integers."""

from __future__ import annotations

from typing import Any

import numpy as np

_MOST = 127
_SUMMANDS = (2**31 - 1) // _MOST**2  # of 8-bit products that an int32 holds for certain
_INDEX, _FIRST = np.uint16, np.uint32


def quantized(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Kernel (K,N) as w (N,K), int8, and a float32 scale (N) for each output: kernel = (w scale)^T, nearly.

    Raises
    ------
    ValueError
        If an output sums more products than an int32 holds.
    """
    if len(kernel) > _SUMMANDS:
        raise ValueError(f"[export_c] expected dense layers of at most {_SUMMANDS} inputs, received {len(kernel)}.")
    scale = np.abs(kernel).max(axis=0, initial=0.0) / _MOST
    rounded = np.rint(kernel.T / np.where(scale == 0, 1, scale)[:, None])
    return np.clip(rounded, -_MOST, _MOST).astype(np.int8), scale.astype(np.float32)


def dense_call(kernel: np.ndarray, int8: bool) -> tuple[str, dict[str, np.ndarray], str]:
    """How a kernel (K,N) is stored, in the smallest of three ways.

    Returns
    -------
    helper : str
        The function that reads it (c_text.py).
    arrays : dict
        What is stored, by a word for its name.
    arguments : str
        With these words in braces: those that stand between n and the arrays of x, and before b.
    """
    if not int8:
        matrix, scale, name = kernel.astype(np.float32), None, "dense"
        lanes, few = 0, "rows"  # whole rows that are zero
    else:
        matrix, scale = quantized(kernel)
        name, lanes, few = "dense_int8", 1, "columns"
    ways: list[tuple[str, dict[str, np.ndarray]]] = [("", {"w": matrix})]
    if max(kernel.shape) <= np.iinfo(_INDEX).max:
        kept = np.flatnonzero((matrix != 0).any(axis=1 - lanes))
        ways.append((f"_{few}", {few: kept.astype(_INDEX), "w": np.take(matrix, kept, axis=lanes)}))
        _, columns = np.nonzero(matrix)
        counts = (matrix != 0).sum(axis=1)
        first = np.concatenate([[0], np.cumsum(counts)]).astype(_FIRST)
        ways.append(("_sparse", {"first": first, "column": columns.astype(_INDEX), "w": matrix[matrix != 0]}))
    suffix, arrays = min(ways, key=lambda way: sum(a.nbytes for a in way[1].values()))
    if any(a.size == 0 for a in arrays.values()):  # C has no empty arrays
        suffix, arrays = ways[0]
    before: dict[str, Any] = {
        "": "", f"_{few}": f"{len(arrays.get(few, ()))}, {{{few}}}, ", "_sparse": "{first}, {column}, "
    }  # fmt: skip
    after = "{w}, " if scale is None else "{w}, {scale}, "
    if scale is not None:
        arrays["scale"] = scale
    return name + suffix, arrays, before[suffix] + "{x}, " + after
