"""ReduceLROnPlateau: lowers the learning rate when a logged number has stopped improving."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..progress import say
from .monitoring import Patient


class ReduceLROnPlateau(Patient):
    """Multiplies the learning rate by a factor when a logged number has stopped improving.

    Parameters
    ----------
    monitor : str
        Key of the logs.
    factor : float
        Below 1.
    patience : int
        Epochs without improvement before the rate falls.
    verbose : int
        1 says when it falls.
    mode : {"auto", "min", "max"}
        "auto" tells from the metric, or from the end of the key.
    min_delta : float
        What an improvement must exceed.
    cooldown : int
        Epochs after a fall in which nothing is counted.
    min_lr : float
        The rate never falls below it.
    every : int, optional
        Look every so many batches instead, at the model evaluated on `validation_data`; then `patience` and
        `cooldown` count those checks.
    validation_data : tuple (x, y) or (x, y, sample_weight), optional

    Notes
    -----
    Adds "learning_rate" to the logs. NaN is never an improvement, and never the best.

    Examples
    --------
    >>> callback = ReduceLROnPlateau(factor=0.5, patience=5)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        *,
        every: int | None = None,
        validation_data: Any = None,
    ) -> None:
        super().__init__(monitor, mode, min_delta, every, validation_data)
        if not 0 <= factor < 1:
            raise ValueError(f"[ReduceLROnPlateau] expected factor in [0, 1), received {factor}.")
        if patience < 0 or cooldown < 0 or min_lr < 0:
            raise ValueError(
                "[ReduceLROnPlateau] expected patience, cooldown and min_lr of at least 0, received "
                f"{patience}, {cooldown} and {min_lr}."
            )
        self.factor, self.patience, self.verbose = factor, patience, verbose
        self.cooldown, self.min_lr = cooldown, min_lr
        self.on_train_begin()

    def on_train_begin(self, logs: Any = None) -> None:
        self.wait = self.cooldown_counter = self._batches = 0
        self.best: float | None = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        super().on_epoch_end(epoch, logs)

    def look(self, time: int, logs: Mapping[str, Any]) -> None:
        value = self._monitored(logs)
        if value is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self._improves(value, self.best):
            self.best, self.wait = value, 0
        elif self.cooldown_counter == 0:
            self.wait += 1
            rate = self.model.optimizer.learning_rate
            if self.wait >= self.patience and rate > np.float32(self.min_lr):
                self._reduce(time, rate)

    def _reduce(self, time: int, rate: float) -> None:
        rate = max(rate * self.factor, self.min_lr)
        self.model.optimizer.learning_rate = rate
        if self.verbose > 0:
            what = "Epoch" if self.every is None else "Check"
            say(f"\n{what} {time + 1}: ReduceLROnPlateau reducing learning rate to {rate}.\n")
        self.cooldown_counter, self.wait = self.cooldown, 0

    def get_state(self) -> dict[str, Any]:
        return {
            "wait": self.wait, "cooldown_counter": self.cooldown_counter, "batches": self._batches, "best": self.best
        }  # fmt: skip

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.wait, self.cooldown_counter = state["wait"], state["cooldown_counter"]
        self._batches, self.best = state["batches"], state["best"]
