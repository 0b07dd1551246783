"""The learning rate sweep: train with a rate that grows exponentially, and watch the loss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import _core
from .columns import rows_in
from .data import batch_size_of, is_stream, positive
from .tree import map_structure

if TYPE_CHECKING:
    from .model import Model

_DIVERGED = 4.0  # times the best smoothed loss
_SMOOTHING = 0.9
_WARM_UP = 10  # steps until the smoothed loss is more than the luck of a batch


class RateSearch(NamedTuple):
    """What a sweep found.

    Attributes
    ----------
    rates : ndarray of float64, shape (n,)
        The learning rate of each step, from small to large.
    losses : ndarray of float64, shape (n,)
        The loss of each step's batch, before its update.
    suggestion : float
        A tenth of the rate at which the smoothed loss was lowest, just before it turns and climbs.
    """

    rates: np.ndarray
    losses: np.ndarray
    suggestion: float

    def plot(self, ax: Any = None) -> Any:
        """Draw losses over rates, with matplotlib; returns the axes."""
        if ax is None:
            import matplotlib.pyplot as plt

            ax = plt.subplots()[1]
        smooth = _smoothed(self.losses)
        ax.semilogx(self.rates, self.losses, alpha=0.3)
        ax.semilogx(self.rates, smooth)
        ax.axvline(self.suggestion, linestyle="--")
        ax.set_xlabel("learning rate")
        ax.set_ylabel("loss")
        ax.set_ylim(0.9 * smooth.min(), 1.1 * self.losses[0])
        return ax


def find_learning_rate(
    model: Model, x: Any, y: Any, batch_size: Any, min_rate: float, max_rate: float, epochs: Any
) -> RateSearch:
    """`Model.find_learning_rate`."""
    where = "find_learning_rate"
    optimizer = model._require(where, training=True).optimizer
    if not 0 < min_rate < max_rate < math.inf:
        raise ValueError(f"[{where}] expected 0 < min_rate < max_rate, received {min_rate} and {max_rate}.")
    if is_stream(x):
        raise ValueError(f"[{where}] expected arrays in x, received {type(x).__name__}.")
    n = rows_in(model._columns(x, y, where=where))  # checks them, and builds the model
    size = min(batch_size_of(batch_size, n, None, where), n)
    per_epoch = n // size
    steps = per_epoch * positive(epochs, where, "epochs")
    if steps < 2:
        raise ValueError(f"[{where}] expected at least 2 batches, received {n} rows for batches of {size}.")
    rates = min_rate * (max_rate / min_rate) ** (np.arange(steps) / (steps - 1))
    x, y = map_structure(np.asarray, x), map_structure(np.asarray, y)
    state, rate = model._get_state() | {"compile": None}, optimizer._learning_rate
    losses: list[float] = []
    try:
        for step in range(steps):
            if step % per_epoch == 0:
                order = _core.permutation(n, model._seed_now(), step // per_epoch)
            rows = order[step % per_epoch * size :][:size]
            optimizer._learning_rate = float(rates[step])
            logs = model.train_on_batch(_take(x, rows), _take(y, rows), return_dict=True)
            if not math.isfinite(logs["loss"]):
                break
            losses.append(float(logs["loss"]))
            if step >= _WARM_UP and losses[-1] > _DIVERGED * _smoothed(np.array(losses))[_WARM_UP:].min():
                break
    finally:
        optimizer._learning_rate = rate
        model._set_state(state)
    if len(losses) < 2:
        raise ValueError(
            f"[{where}] expected a finite loss at the rate {min_rate}, received none. "
            "Lower min_rate, or scale the inputs."
        )
    found = np.array(losses)
    first = min(_WARM_UP, len(found) // 2)
    turn = first + int(np.argmin(_smoothed(found)[first:]))
    return RateSearch(rates[: len(found)], found, float(rates[turn]) / 10)


def _take(arrays: Any, rows: np.ndarray) -> Any:
    return map_structure(lambda a: a[rows], arrays)


def _smoothed(losses: np.ndarray) -> np.ndarray:
    """Exponential means, corrected for their start."""
    out, mean = np.empty_like(losses), 0.0
    for i, loss in enumerate(losses):
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
        out[i] = mean / (1 - _SMOOTHING ** (i + 1))
    return out
