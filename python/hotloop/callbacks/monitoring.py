"""Monitoring: what the callbacks have in common that watch one logged number."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..identifiers import unknown_name
from ..metrics import better
from .callback import Callback


class Monitoring(Callback):
    """Base of callbacks that watch one logged number.

    Parameters
    ----------
    monitor : str
        Key of the logs.
    mode : {"auto", "min", "max"}
        "auto" tells from the metric, or from the end of the key.
    min_delta : float
        What an improvement must exceed.

    Notes
    -----
    NaN is never an improvement, and never the best.
    """

    def __init__(self, monitor: str, mode: str = "auto", min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise unknown_name(f"{type(self).__name__} mode", mode, ("auto", "min", "max"))
        self.monitor, self.mode, self.min_delta = monitor, mode, abs(min_delta)

    def _monitored(self, logs: Mapping[str, Any]) -> float | None:
        if self.monitor not in logs:
            warnings.warn(
                f"{type(self).__name__} is to watch '{self.monitor}', which is not in the logs: {', '.join(logs)}.",
                stacklevel=3,
            )
            return None
        value = np.asarray(logs[self.monitor])
        if value.size != 1:
            raise ValueError(
                f"[{type(self).__name__}] expected a number for monitor='{self.monitor}', received an array of shape "
                f"{value.shape}. Watch a metric that gives one number (such as average='macro' of F1Score)."
            )
        return float(value.reshape(()))

    def _improves(self, value: float, reference: float | None) -> bool:
        if math.isnan(value):
            return False
        if reference is None:
            return True
        if self._direction() == "up":
            return value - self.min_delta > reference
        return value + self.min_delta < reference

    def _direction(self) -> str:
        if self.mode != "auto":
            return "up" if self.mode == "max" else "down"
        direction = better(self.monitor, getattr(self.model, "metrics", ()))
        if direction is None:
            raise ValueError(
                f"[{type(self).__name__}] expected mode='min' or mode='max' for monitor='{self.monitor}', "
                "received 'auto', which cannot tell whether more is better."
            )
        return direction


class Patient(Monitoring):
    """Base of callbacks that wait some epochs, or some checks within epochs, for an improvement.

    Parameters
    ----------
    monitor, mode, min_delta
        Of `Monitoring`.
    every : int, optional
        Look every so many batches, counted over epochs, instead of after every epoch; needs `validation_data`.
    validation_data : tuple (x, y) or (x, y, sample_weight), optional
        What the model is evaluated on then; its numbers are logged as "val_loss" and so on.
    """

    def __init__(self, monitor: str, mode: str, min_delta: float, every: int | None, validation_data: Any) -> None:
        super().__init__(monitor, mode, min_delta)
        where = type(self).__name__
        if (every is None) != (validation_data is None):
            raise ValueError(f"[{where}] expected both every and validation_data or none of them, received one.")
        if every is not None:
            if isinstance(every, bool) or not isinstance(every, int) or every < 1:
                raise ValueError(f"[{where}] expected every to be an integer of at least 1, received {every!r}.")
            if not isinstance(validation_data, tuple) or not 2 <= len(validation_data) <= 3:
                raise ValueError(f"[{where}] expected validation_data as (x, y) or (x, y, sample_weight).")
            self.on_train_batch_end = self._count  # type: ignore[method-assign]  # only then batches are hooked
        self.every, self.validation_data = every, validation_data
        self._epoch = self._batches = 0

    def look(self, time: int, logs: Mapping[str, Any]) -> None:
        """Compare the number with the best one; `time` counts epochs, or checks, from 0."""
        raise NotImplementedError

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch
        if self.every is None:
            self.look(epoch, logs or {})

    def _count(self, batch: int, logs: Any = None) -> None:
        self._batches += 1
        if self._batches % self.every == 0:  # type: ignore[operator]
            x, y, weights = (*self.validation_data, None)[:3]
            found = self.model.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True)
            numbers = {**(logs or {}), **{f"val_{name}": value for name, value in found.items()}}
            self.look(self._batches // self.every - 1, numbers)  # type: ignore[operator]
