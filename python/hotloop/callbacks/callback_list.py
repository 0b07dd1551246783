"""CallbackList: several callbacks as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from .callback import Callback, History
from .progbar_logger import ProgbarLogger

_TRAIN_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
_TEST_HOOKS = ("on_test_batch_begin", "on_test_batch_end")
_PREDICT_HOOKS = ("on_predict_batch_begin", "on_predict_batch_end")


class CallbackList(Callback):
    """Several callbacks in their order; then History, callbacks that save, and the progress bar.

    Parameters
    ----------
    callbacks : Callback or (nested) list of Callback, optional
    add_history, add_progbar : bool
        Whether to add those two if the list has none.
    model : Model, optional
    **params
        Of `Callback.set_params`.

    Attributes
    ----------
    overrides_batch_hooks, overrides_test_batch_hooks, overrides_predict_batch_hooks : bool
        Whether any callback is to be called between batches of `fit`, `evaluate` or `predict`.
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        self.callbacks = list(_flatten(callbacks))
        if add_history and self.history is None:
            self.callbacks.append(History())
        if add_progbar and self.progbar is None:
            self.callbacks.append(ProgbarLogger())
        # those that save see what all others have made of the batch or epoch; the bar's last word ends it
        self._in_turn = sorted(self.callbacks, key=lambda c: (isinstance(c, ProgbarLogger), c.saves))
        self.overrides_batch_hooks = self._overrides(_TRAIN_HOOKS)
        self.overrides_test_batch_hooks = self._overrides(_TEST_HOOKS)
        self.overrides_predict_batch_hooks = self._overrides(_PREDICT_HOOKS)
        if model is not None:
            self.set_model(model)
        if params:
            self.set_params(params)

    @property
    def history(self) -> History | None:
        """The History among them."""
        return next((c for c in self.callbacks if isinstance(c, History)), None)

    @property
    def progbar(self) -> ProgbarLogger | None:
        """The progress bar among them."""
        return next((c for c in self.callbacks if isinstance(c, ProgbarLogger)), None)

    def show_progress(self, batch: int, logs: Any = None) -> None:
        """Batches up to this one (from 0) are done: for the bar, which needs no batch hook."""
        if self.progbar is not None:
            self.progbar.show(batch, _plain(logs))

    def set_params(self, params: Mapping[str, Any]) -> None:
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        self.model = model
        for callback in self.callbacks:
            callback.set_model(model)
        if self.history is not None:
            model.history = self.history

    def on_train_begin(self, logs: Any = None) -> None:
        self._call("on_train_begin", logs)

    def on_train_end(self, logs: Any = None) -> None:
        self._call("on_train_end", logs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._call("on_epoch_begin", logs, epoch)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._call("on_epoch_end", logs, epoch)

    def on_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._call_batch("on_batch_begin", batch, logs)

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        self._call_batch("on_batch_end", batch, logs)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._call_batch("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._call_batch("on_train_batch_end", batch, logs)

    def on_test_begin(self, logs: Any = None) -> None:
        self._call("on_test_begin", logs)

    def on_test_end(self, logs: Any = None) -> None:
        self._call("on_test_end", logs)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._call_batch("on_test_batch_begin", batch, logs)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self._call_batch("on_test_batch_end", batch, logs)

    def on_predict_begin(self, logs: Any = None) -> None:
        self._call("on_predict_begin", logs)

    def on_predict_end(self, logs: Any = None) -> None:
        self._call("on_predict_end", logs)

    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._call_batch("on_predict_batch_begin", batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        self._call_batch("on_predict_batch_end", batch, logs)

    def _call(self, hook: str, logs: Any, *args: int) -> None:
        logs = _plain(logs)
        for callback in self._in_turn:
            getattr(callback, hook)(*args, logs)

    def _call_batch(self, hook: str, batch: int, logs: Any) -> None:
        logs = _plain(logs)
        for callback in self._in_turn:
            getattr(callback, hook)(batch, logs=logs)

    def _overrides(self, hooks: Iterable[str]) -> bool:
        return any(_overrides(callback, hook) for callback in self.callbacks for hook in hooks)


def _flatten(callbacks: Any) -> Iterator[Callback]:
    if callbacks is None:
        return
    if isinstance(callbacks, CallbackList):
        yield from callbacks.callbacks
    elif isinstance(callbacks, (list, tuple)):
        for item in callbacks:
            yield from _flatten(item)
    elif isinstance(callbacks, Callback):
        yield callbacks
    else:
        raise TypeError(f"[callbacks] expected instances of hotloop.callbacks.Callback, received {callbacks!r}.")


def _overrides(callback: Callback, hook: str) -> bool:
    return hook in vars(callback) or getattr(type(callback), hook) is not getattr(Callback, hook)


def _plain(logs: Mapping[str, Any] | None) -> dict[str, Any]:
    """The logs in the order of their names, with Python floats for numbers."""
    return {name: _number(value) for name, value in sorted((logs or {}).items())}


def _number(value: Any) -> Any:
    scalar = isinstance(value, (int, float, np.generic)) or (isinstance(value, np.ndarray) and value.ndim == 0)
    return float(value) if scalar else value
