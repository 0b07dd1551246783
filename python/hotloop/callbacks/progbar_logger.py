"""ProgbarLogger: shows the progress of `fit`, `evaluate` and `predict`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..progress import Progbar, say
from .callback import Callback


class ProgbarLogger(Callback):
    """The progress bar of `fit`, `evaluate` and `predict`; validation inside `fit` is silent."""

    def __init__(self) -> None:
        self._bar: Progbar | None = None
        self._training = False
        self._seen = 0
        self.set_params({})

    def set_params(self, params: Mapping[str, Any]) -> None:
        super().set_params(params)
        self._verbose, self._epochs = params.get("verbose", 1), params.get("epochs", 1)
        self._target = params.get("steps")

    def show(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Batches up to this one (from 0) are done."""
        self._seen = batch + 1
        if self._bar is not None and self._verbose == 1:
            self._bar.update(self._seen, list((logs or {}).items()), finalize=False)

    def on_train_begin(self, logs: Any = None) -> None:
        self._training = True

    def on_train_end(self, logs: Any = None) -> None:
        self._training = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._start()
        if self._verbose and self._epochs > 1:
            say(f"Epoch {epoch + 1}/{self._epochs}\n")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._finish(logs)

    def on_test_begin(self, logs: Any = None) -> None:
        if not self._training:
            self._start()

    def on_test_end(self, logs: Any = None) -> None:
        if not self._training:
            self._finish(logs)

    def on_predict_begin(self, logs: Any = None) -> None:
        self._start()

    def on_predict_end(self, logs: Any = None) -> None:
        self._finish(logs)

    def _start(self) -> None:
        self._seen = 0
        self._bar = Progbar(self._target, verbose=self._verbose, stateless_metrics=())

    def _finish(self, logs: Mapping[str, Any] | None) -> None:
        if self._bar is None:
            return
        if self._target is None:
            self._target = self._bar.target = self._seen
        self._bar.update(self._target, list((logs or {}).items()), finalize=True)
        self._bar = None
