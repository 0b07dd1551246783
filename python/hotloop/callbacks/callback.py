"""Callback: hooks between batches and epochs, and History, which keeps every epoch's logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import ref

from ..identifiers import Checked


class Callback(Checked):
    """Base class: override the hooks of interest.

    Attributes
    ----------
    model : Model
        Set before training starts; `self.model.stop_training = True` ends it.
    params : dict
        "verbose", "epochs" and "steps".

    Notes
    -----
    `logs` is a dict of floats, with running means over the epoch so far in batch hooks. In `on_epoch_end` it is
    shared: what a callback adds, later callbacks and History see.

    Examples
    --------
    >>> class Stop(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         if logs["loss"] < 0.1:
    ...             self.model.stop_training = True
    """

    model: Any = None
    params: Mapping[str, Any] = {}
    saves = False  # whether it writes the state of training, and is therefore called after the others
    writes = False  # whether it has a file or folder of its own, which is for one training

    def get_state(self) -> dict[str, Any]:
        """What a checkpoint is to keep: numbers, strings, None, lists and dicts of them, and lists of arrays."""
        return {}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `get_state` gave; called after `on_train_begin`."""

    def set_params(self, params: Mapping[str, Any]) -> None:
        self.params = params

    def set_model(self, model: Any) -> None:
        self.model = model

    def on_train_begin(self, logs: Any = None) -> None: ...

    def on_train_end(self, logs: Any = None) -> None: ...

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None: ...

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None: ...

    def on_batch_begin(self, batch: int, logs: Any = None) -> None: ...

    def on_batch_end(self, batch: int, logs: Any = None) -> None: ...

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.on_batch_end(batch, logs=logs)

    def on_test_begin(self, logs: Any = None) -> None: ...

    def on_test_end(self, logs: Any = None) -> None: ...

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None: ...

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None: ...

    def on_predict_begin(self, logs: Any = None) -> None: ...

    def on_predict_end(self, logs: Any = None) -> None: ...

    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None: ...

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None: ...


class History(Callback):
    """Every epoch's logs; `fit` returns one.

    Attributes
    ----------
    model : Model or None
        None when nobody else holds the model any more.
    history : dict of str to list of float
    epoch : list of int
    """

    def __init__(self) -> None:
        self._model: ref[Any] | None = None
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    @property
    def model(self) -> Any:
        return None if self._model is None else self._model()

    def set_model(self, model: Any) -> None:
        self._model = ref(model)  # the model holds its History: that one must not hold it back

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_model": None}

    def on_train_begin(self, logs: Any = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def get_state(self) -> dict[str, Any]:
        return {"epoch": list(self.epoch), "history": {name: list(values) for name, values in self.history.items()}}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.epoch, self.history = list(state["epoch"]), {name: list(v) for name, v in state["history"].items()}
