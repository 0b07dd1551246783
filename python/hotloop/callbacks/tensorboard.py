"""TensorBoard: logs and histograms of weights and gradients as files that TensorBoard shows."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..identifiers import take_not_yet
from .callback import Callback
from .event_file import EventFile

_ROWS = 256


class TensorBoard(Callback):
    """Writes logs, and histograms of weights and gradients, as files that TensorBoard shows. Needs no other package.

    Parameters
    ----------
    log_dir : str
        Files go into its folders "train" and "validation".
    histogram_freq : int
        Epochs from one histogram of every weight, and of the gradient of the compiled loss by it on the first 256 rows
        of the training data, to the next; 0 writes none.
    write_graph : bool
        Kept for code written for Keras; the graph is not written.
    write_images : bool
        False.
    write_steps_per_second : bool
    update_freq : "epoch", "batch" or int
        When numbers of batches are written besides: never, after every batch, or after every so many.
    profile_batch : int
        0.
    embeddings_freq : int
        0.
    embeddings_metadata : None

    Notes
    -----
    Tags are Keras's: ``epoch_loss``, ``epoch_learning_rate``, ``batch_loss``, ``evaluation_loss_vs_iterations``,
    ``dense/kernel/histogram``. Gradients, which Keras does not write, are ``dense/kernel/gradient/histogram``, and the
    norm of all of them ``epoch_gradient_norm``.

    Examples
    --------
    >>> board = TensorBoard("logs", histogram_freq=1)
    """

    writes = True

    def __init__(
        self,
        log_dir: Any = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ) -> None:
        later = {"write_images": False, "profile_batch": 0, "embeddings_freq": 0, "embeddings_metadata": None}
        given = {name: value for name, value in locals().items() if name in later}
        take_not_yet("TensorBoard", given, later)
        whole = isinstance(update_freq, int) and not isinstance(update_freq, bool) and update_freq >= 1
        if update_freq not in ("epoch", "batch") and not whole:
            raise ValueError(
                f"[TensorBoard] expected update_freq to be 'epoch', 'batch' or a number of batches, "
                f"received {update_freq!r}."
            )
        if isinstance(histogram_freq, bool) or not isinstance(histogram_freq, int) or histogram_freq < 0:
            raise ValueError(
                f"[TensorBoard] expected histogram_freq to be a number of epochs of at least 0, "
                f"received {histogram_freq!r}."
            )
        self.log_dir, self.histogram_freq, self.write_graph = os.fspath(log_dir), histogram_freq, write_graph
        self.write_steps_per_second, self.update_freq = bool(write_steps_per_second), update_freq
        if update_freq != "epoch":
            self.on_train_batch_end = self._write_batch  # type: ignore[method-assign]
        self._every = int(update_freq) if whole else 1
        self._files: dict[str, EventFile] = {}
        self._training = False
        self._batches = 0
        self._columns: Any = None  # of the rows that gradients are taken on

    def on_train_begin(self, logs: Any = None) -> None:
        self._training, self._batches = True, 0
        running = self.model._running
        if self.histogram_freq and running is not None and self.model._has_loss():
            self._columns = running.first_rows(_ROWS)

    def on_train_end(self, logs: Any = None) -> None:
        self._training, self._columns = False, None
        for file in self._files.values():
            file.close()
        self._files = {}

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._began, self._steps_before = time.perf_counter(), self.model.optimizer.iterations
        self._batch_began = self._began

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        optimizer = self.model.optimizer
        numbers = {**(logs or {}), "learning_rate": optimizer.learning_rate}
        if self.write_steps_per_second:
            numbers["steps_per_second"] = (optimizer.iterations - self._steps_before) / self._since(self._began)
        self._scalars("train", "epoch_", {k: v for k, v in numbers.items() if not k.startswith("val_")}, epoch)
        val = {key.removeprefix("val_"): value for key, value in numbers.items() if key.startswith("val_")}
        if val:
            self._scalars("validation", "epoch_", val, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            for variable in self.model.weights:
                self._file("train").histogram(f"{variable.path}/histogram", variable.numpy(), epoch)
            if self._columns is not None:
                self._gradients(epoch)
            self._file("train").flush()

    def _gradients(self, epoch: int) -> None:
        file, squares = self._file("train"), 0.0
        _, gradients = self.model._watched(self._columns)
        for variable, gradient in zip(self.model.trainable_weights, gradients, strict=True):
            file.histogram(f"{variable.path}/gradient/histogram", gradient, epoch)
            squares += float(np.square(gradient, dtype=np.float64).sum())
        file.scalar("epoch_gradient_norm", squares**0.5, epoch)

    def on_test_end(self, logs: Any = None) -> None:
        if logs and self._training:
            tags = {f"{name}_vs_iterations": value for name, value in logs.items()}
            self._scalars("validation", "evaluation_", tags, self.model.optimizer.iterations)

    def get_state(self) -> dict[str, Any]:
        return {"batches": self._batches}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self._batches = state["batches"]
        self.on_epoch_begin(0)

    def _write_batch(self, batch: int, logs: Any = None) -> None:
        numbers = dict(logs or {})
        if self.write_steps_per_second:
            numbers["steps_per_second"] = 1 / self._since(self._batch_began)
            self._batch_began = time.perf_counter()
        if self._batches % self._every == 0:
            self._scalars("train", "batch_", numbers, self._batches)
        self._batches += 1

    def _scalars(self, where: str, prefix: str, numbers: Mapping[str, Any], step: int) -> None:
        file = self._file(where)
        for name, value in numbers.items():
            if np.ndim(value) == 0:
                file.scalar(prefix + name, float(value), step)
        file.flush()

    def _file(self, where: str) -> EventFile:
        if where not in self._files:
            self._files[where] = EventFile(Path(self.log_dir) / where)
        return self._files[where]

    @staticmethod
    def _since(begin: float) -> float:
        return max(time.perf_counter() - begin, 1e-9)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_files": {}, "_columns": None}
