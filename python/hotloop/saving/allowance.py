"""What a description in a file may make us allocate: the weights that are in the file, and little else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..variable import allowance

_CONSTANTS = 16 << 20  # bytes, beyond twice the file: of layers that were given values instead of weights


class Allowance:
    """Hands out zeros for the weights of a model that is being rebuilt, as long as the file holds such weights.

    A hostile description may ask for a layer of 10^12 units; it is refused here, before memory is asked for.

    Parameters
    ----------
    weights : iterable of (shape, dtype name)
        Of the file.
    file_bytes : int
    """

    def __init__(self, weights: Iterable[tuple[tuple[int, ...], str]], file_bytes: int) -> None:
        self._left = Counter(weights)
        self._constant_bytes = 2 * file_bytes + _CONSTANTS

    def initial(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """A first value for a variable, instead of its initialiser's; takes no memory of its own."""
        if not self._left[shape, dtype]:
            raise ValueError(f"a layer that needs {dtype} weights of shape {shape}, which are not in the file")
        self._left[shape, dtype] -= 1
        return np.broadcast_to(np.zeros((), "float32" if dtype == "bfloat16" else dtype), shape)

    def constant(self, value: np.ndarray) -> np.ndarray:
        """A value that the description itself gives."""
        self._constant_bytes -= 8 * value.size
        if self._constant_bytes < 0:
            raise ValueError(f"a layer with constants of shape {value.shape}")
        return value

    @contextmanager
    def bounding(self) -> Iterator[None]:
        """Within the block every new `Variable` asks here."""
        token: Any = allowance.set(self)
        try:
            yield
        finally:
            allowance.reset(token)
