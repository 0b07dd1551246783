"""Random numbers: fresh in every step inside a layer's `call`, arrays outside of it.

All come from the library's Philox, so they do not depend on threads or on how a batch is split. Inside `call` a shape
begins with the batch: write `random.normal(ops.shape(x))`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import ops
from .config import floatx, next_seed
from .variable import tracing

__all__ = ["SeedGenerator", "dropout", "normal", "randint", "truncated_normal", "uniform"]

_SEED_BITS = 2**63 - 1


class SeedGenerator:
    """A seed that gives other numbers at every use: in `call`, of one's own stream; on arrays, one after the other.

    Parameters
    ----------
    seed : int, optional
        Drawn from the seed of `set_random_seed` unless told.

    Examples
    --------
    >>> generator = SeedGenerator(1)
    >>> bool((normal((3,), seed=generator) == normal((3,), seed=generator)).any())
    False
    """

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        self.seed = next_seed() if seed is None else int(seed)
        self.name = name
        self._used = 0

    def next(self) -> int:
        """A seed that was not given before."""
        self._used += 1
        return hash((self.seed, self._used)) & _SEED_BITS

    def stream_in(self, trace: Any) -> int:
        """What an op takes for its stream: in a trace a number by how often it was used there."""
        if trace is None:
            return self.next()
        trace.generators[id(self)] = trace.generators.get(id(self), 0) + 1
        return hash((self.seed, trace.generators[id(self)])) & _SEED_BITS

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


def pass_seed(seed: int, *numbers: int) -> int:
    """The seed of one pass over data, or of one batch of it."""
    return hash((seed, *numbers)) & _SEED_BITS


def normal(
    shape: Sequence[int | None], mean: float = 0.0, stddev: float = 1.0, dtype: str | None = None, seed: Any = None
) -> Any:
    """Normal numbers.

    Parameters
    ----------
    shape : sequence of int
        Inside `call` the first is None (or -1), the batch.
    mean, stddev : float
    dtype : str, optional
        Of arrays; `config.floatx()` unless told.
    seed : int, optional
        The same seed gives the same array; inside `call`, the same numbers wherever this seed is used in a step.

    Examples
    --------
    >>> bool((normal((2, 3), seed=1) == normal((2, 3), seed=1)).all())
    True
    """
    return _drawn("normal", shape, mean, stddev, dtype, seed)


def truncated_normal(
    shape: Sequence[int | None], mean: float = 0.0, stddev: float = 1.0, dtype: str | None = None, seed: Any = None
) -> Any:
    """Normal numbers within two standard deviations; arguments as for `normal`."""
    return _drawn("truncated_normal", shape, mean, stddev, dtype, seed)


def uniform(
    shape: Sequence[int | None], minval: float = 0.0, maxval: float = 1.0, dtype: str | None = None, seed: Any = None
) -> Any:
    """Numbers in [minval, maxval), all equally likely; other arguments as for `normal`."""
    return _drawn("uniform", shape, minval, maxval, dtype, seed)


def randint(shape: Sequence[int | None], minval: int, maxval: int, dtype: str = "int32", seed: Any = None) -> Any:
    """Whole numbers in [minval, maxval); inside `call` as numbers of the model's dtype."""
    if not minval < maxval:
        raise ValueError(f"[randint] expected minval below maxval, received {minval} and {maxval}.")
    values = ops.floor(uniform(shape, minval, maxval, seed=seed))
    return values if tracing.get() is not None else np.minimum(values, maxval - 1).astype(dtype)


def dropout(inputs: Any, rate: float, noise_shape: None = None, seed: int | None = None) -> Any:
    """Zero a share of the elements and divide the others by 1 - rate: `ops.dropout`."""
    if noise_shape is not None:
        raise ValueError(f"[dropout] expected noise_shape=None, received {noise_shape}.")
    return ops.dropout(inputs, rate, seed)


def _drawn(kind: str, shape: Sequence[int | None], a: float, b: float, dtype: str | None, seed: Any) -> Any:
    attrs = {"kind": kind, "a": float(a), "b": float(b)}
    trace = tracing.get()
    if trace is None:
        return _array(attrs, shape, dtype or floatx(), seed)
    if not shape or shape[0] not in (None, -1):
        raise ValueError(
            f"[{kind}] expected a shape that begins with None, the batch, inside `call`, received {tuple(shape)}. "
            "Write ops.shape(x)."
        )
    sample = [int(n) for n in shape[1:]]  # type: ignore[arg-type]
    return trace.add("random", [], {**attrs, "shape": sample, "stream": ops.stream_of(trace, seed)})


def _array(attrs: dict[str, Any], shape: Sequence[int | None], dtype: str, seed: Any) -> np.ndarray:
    from .testing import run_op

    if any(n is None or n < 0 for n in shape):
        raise ValueError(
            f"[random] expected a shape with every axis known, received {tuple(shape)}. A batch axis is known "
            "inside the `call` of a layer alone."
        )
    size = tuple(int(n) for n in shape)  # type: ignore[arg-type]
    count = int(np.prod(size, dtype=int))
    if count == 0:
        return np.zeros(size, dtype)
    seed = seed.next() if isinstance(seed, SeedGenerator) else seed
    number = next_seed() if seed is None else int(seed) & _SEED_BITS
    attrs = {**attrs, "shape": [count], "stream": 0}
    values = run_op(
        "random", [], attrs, dtype="float64" if dtype == "float64" else "float32", rows=1, seed=number
    ).output
    assert values is not None, "the op has an output"
    return values.reshape(size).astype(dtype, copy=False)
