"""ModelCheckpoint: saves the model while it trains."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..progress import say
from .monitoring import Monitoring


class ModelCheckpoint(Monitoring):
    """Saves the model, or its weights, after epochs or every so many batches.

    Parameters
    ----------
    filepath : str
        May name the epoch (from 1), the batch (from 1, with a `save_freq` in batches) and logs:
        ``"m_{epoch:02d}_{val_loss:.3f}.safetensors"``. Folders are made.
    monitor : str
        Key of the logs, for `save_best_only`.
    verbose : int
        1 says what is saved.
    save_best_only : bool
        Whether only improvements are saved.
    save_weights_only : bool
        Whether the file holds the weights alone.
    mode : {"auto", "min", "max"}
        "auto" tells from the metric, or from the end of the key.
    save_freq : "epoch" or int
        An int counts batches, over epochs.
    initial_value_threshold : float, optional
        What the first value must beat.

    Notes
    -----
    Where the monitored number is missing, the model is saved and a warning says so. `best` is kept over calls of
    `fit`. A ``.safetensors`` file of the whole model holds everything that ``fit(..., resume=path)`` goes on from;
    it is written after all other callbacks have seen the batch or the epoch.

    Raises
    ------
    ValueError
        If the name's ending is none that can be written.
    KeyError
        If the name asks for a number that is not in the logs.

    Examples
    --------
    >>> best = ModelCheckpoint("best.safetensors", monitor="val_accuracy", save_best_only=True)
    """

    saves = True
    writes = True

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        from ..saving import check_ending

        super().__init__(monitor, mode)
        self.filepath = os.fspath(filepath)
        check_ending(self.filepath, "ModelCheckpoint", weights_only=save_weights_only)
        whole = not isinstance(save_freq, bool) and isinstance(save_freq, int) and save_freq >= 1
        if save_freq != "epoch" and not whole:
            raise ValueError(
                f"[ModelCheckpoint] expected save_freq to be 'epoch' or a number of batches, received {save_freq!r}."
            )
        self.verbose, self.save_best_only, self.save_weights_only = verbose, save_best_only, save_weights_only
        self.save_freq, self.best = save_freq, initial_value_threshold
        self._epoch = self._batches = 0
        if whole:
            self.on_train_batch_end = self._count  # type: ignore[method-assign]  # only then batches are hooked

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch, None, logs or {})

    def get_state(self) -> dict[str, Any]:
        return {"best": self.best, "epoch": self._epoch, "batches": self._batches}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.best, self._epoch, self._batches = state["best"], state["epoch"], state["batches"]

    def _count(self, batch: int, logs: Any = None) -> None:
        self._batches += 1
        if self._batches % self.save_freq == 0:  # type: ignore[operator]
            self._save(self._epoch, batch, logs or {})

    def _save(self, epoch: int, batch: int | None, logs: Mapping[str, Any]) -> None:
        path = Path(self._path(epoch, batch, logs))
        what = f"Epoch {epoch + 1}: "
        if self.save_best_only:
            value = self._monitored(logs)
            if value is not None:
                if not self._improves(value, self.best):
                    if self.verbose > 0:
                        say(f"\n{what}{self.monitor} did not improve from {_number(self.best)}\n")
                    return
                what += f"{self.monitor} improved from {_number(self.best)} to {_number(value)}, "
                self.best = value
        if self.verbose > 0:
            say(f"\n{what}saving model to {path}\n")
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)
        if self.verbose > 0:
            say(f"\nEpoch {epoch + 1}: finished saving model to {path}\n")

    def _path(self, epoch: int, batch: int | None, logs: Mapping[str, Any]) -> str:
        numbers = {"epoch": epoch + 1, **({} if batch is None else {"batch": batch + 1}), **logs}
        try:
            return self.filepath.format(**numbers)
        except KeyError as error:
            raise KeyError(
                f"[ModelCheckpoint] expected '{self.filepath}' to name logs among {', '.join(numbers)}, "
                f"received {error}."
            ) from None
        except TypeError as error:
            raise ValueError(
                f"[ModelCheckpoint] expected '{self.filepath}' to name logs that are single numbers, received {error}."
            ) from None


def _number(value: float | None) -> str:
    return "None" if value is None else f"{value:.5f}"
