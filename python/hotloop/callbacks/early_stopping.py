"""EarlyStopping: ends training when a logged number has stopped improving."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..identifiers import unknown_name
from ..metrics import better
from ..progress import say
from .callback import Callback


class EarlyStopping(Callback):
    """Stops training when a logged number has stopped improving.

    Parameters
    ----------
    monitor : str
        Key of the logs.
    min_delta : float
        What an improvement must exceed.
    patience : int
        Epochs without improvement before training stops.
    verbose : int
        1 says when it stops or restores.
    mode : {"auto", "min", "max"}
        "auto" tells from the metric, or from the end of the key.
    baseline : float, optional
        Epochs that do not beat it count as without improvement.
    restore_best_weights : bool
        Whether the model ends with the weights of the best epoch, also if training ran to its end.
    start_from_epoch : int
        Epochs before this one (from 0) are not looked at.

    Notes
    -----
    NaN is never an improvement, and never the best. The optimizer's state is not restored.

    Examples
    --------
    >>> stopping = EarlyStopping(patience=5, restore_best_weights=True)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        if mode not in ("auto", "min", "max"):
            raise unknown_name("EarlyStopping mode", mode, ("auto", "min", "max"))
        if patience < 0 or start_from_epoch < 0:
            raise ValueError(
                "[EarlyStopping] expected patience and start_from_epoch of at least 0, "
                f"received {patience} and {start_from_epoch}."
            )
        self.monitor, self.mode, self.baseline = monitor, mode, baseline
        self.min_delta, self.patience, self.start_from_epoch = abs(min_delta), patience, start_from_epoch
        self.verbose, self.restore_best_weights = verbose, restore_best_weights
        self.on_train_begin()

    def on_train_begin(self, logs: Any = None) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best: float | None = None
        self.best_weights: list[np.ndarray] | None = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        value = self._monitored(logs or {})
        if value is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self._remember(epoch)
        self.wait += 1
        if self._improves(value, self.best):
            self.best = value
            self._remember(epoch)
            if self.baseline is None or self._improves(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:
        if self.stopped_epoch > 0 and self.verbose > 0:
            say(f"Epoch {self.stopped_epoch + 1}: early stopping\n")
        if self.best_weights is not None:
            if self.verbose > 0:
                say(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.\n")
            self.model.set_weights(self.best_weights)

    def _remember(self, epoch: int) -> None:
        self.best_epoch = epoch
        if self.restore_best_weights:
            self.best_weights = self.model.get_weights()

    def _monitored(self, logs: Mapping[str, Any]) -> float | None:
        if self.monitor not in logs:
            warnings.warn(
                f"EarlyStopping is to watch '{self.monitor}', which is not in the logs: {', '.join(logs)}.",
                stacklevel=2,
            )
            return None
        return float(logs[self.monitor])

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
                f"[EarlyStopping] expected mode='min' or mode='max' for monitor='{self.monitor}', received 'auto', "
                "which cannot tell whether more is better."
            )
        return direction
