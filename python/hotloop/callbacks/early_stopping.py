"""EarlyStopping: ends training when a logged number has stopped improving."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..progress import say
from .monitoring import Patient


class EarlyStopping(Patient):
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
    every : int, optional
        Look every so many batches instead, at the model evaluated on `validation_data`; then `patience` and
        `best_epoch` count those checks, and `start_from_epoch` epochs still.
    validation_data : tuple (x, y) or (x, y, sample_weight), optional

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
        *,
        every: int | None = None,
        validation_data: Any = None,
    ) -> None:
        super().__init__(monitor, mode, min_delta, every, validation_data)
        if patience < 0 or start_from_epoch < 0:
            raise ValueError(
                "[EarlyStopping] expected patience and start_from_epoch of at least 0, "
                f"received {patience} and {start_from_epoch}."
            )
        self.baseline, self.patience, self.start_from_epoch = baseline, patience, start_from_epoch
        self.verbose, self.restore_best_weights = verbose, restore_best_weights
        self.on_train_begin()

    def on_train_begin(self, logs: Any = None) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = self._batches = 0
        self.best: float | None = None
        self.best_weights: list[np.ndarray] | None = None

    def look(self, time: int, logs: Mapping[str, Any]) -> None:
        value = self._monitored(logs)
        if value is None or self._epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self._remember(time)
        self.wait += 1
        if self._improves(value, self.best):
            self.best = value
            self._remember(time)
            if self.baseline is None or self._improves(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and time > 0:
            self.stopped_epoch = time
            self.model.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:
        what = "epoch" if self.every is None else "check"
        if self.stopped_epoch > 0 and self.verbose > 0:
            say(f"{what.capitalize()} {self.stopped_epoch + 1}: early stopping\n")
        if self.best_weights is not None:
            if self.verbose > 0:
                say(f"Restoring model weights from the end of the best {what}: {self.best_epoch + 1}.\n")
            self.model.set_weights(self.best_weights)

    def get_state(self) -> dict[str, Any]:
        return {
            "wait": self.wait, "stopped_epoch": self.stopped_epoch, "best_epoch": self.best_epoch, "best": self.best,
            "batches": self._batches, "best_weights": self.best_weights,
        }  # fmt: skip

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.wait, self.stopped_epoch, self.best_epoch = state["wait"], state["stopped_epoch"], state["best_epoch"]
        self.best, self._batches, self.best_weights = state["best"], state["batches"], state["best_weights"]

    def _remember(self, time: int) -> None:
        self.best_epoch = time
        if self.restore_best_weights:
            self.best_weights = self.model.get_weights()
