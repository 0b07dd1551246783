"""GradientMonitor: how activations, gradients and updates of each layer develop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..data import positive
from ..progress import say
from .callback import Callback

_RECTIFIED = ("relu", "relu6")
_LIMITS = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0), "hard_tanh": (-1.0, 1.0), "hard_sigmoid": (0.0, 1.0)}
_NEAR = 0.01  # of the distance between the limits
_COLUMNS = {
    "activation_mean": "mean", "activation_std": "std", "gradient_norm": "gradient", "update_ratio": "update/weight",
    "dead": "dead", "saturated": "saturated",
}  # fmt: skip


class GradientMonitor(Callback):
    """Looks at what each layer makes of some rows of the training data, and at its gradients; prints a table.

    Gradients that vanish or explode from layer to layer, units that died and updates that are too large for the weights
    show in it. Training goes on to the same bits as without it.

    Parameters
    ----------
    every : int
        Epochs from one look to the next.
    samples : int
        The first rows of the training data are looked at; of data that comes batch by batch, those of the first batch.
    verbose : bool
        Whether the table is printed at the end of the epoch.

    Attributes
    ----------
    epoch : list of int
        When it has looked.
    history : dict of str to dict of str to list
        By layer, a number for each look, None where it does not apply:

        - "activation_mean", "activation_std": of the layer's outputs, which are those of training;
        - "gradient_norm": of the compiled loss by the layer's trainable weights, together;
        - "update_ratio": the norm of the update that the optimizer would make of this gradient, by that of the weights;
          about 0.001 is healthy;
        - "dead": the share of ReLU units that are zero for all rows;
        - "saturated": the share of a tanh's or sigmoid's outputs within 1 % of a limit.

    Notes
    -----
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.

    Examples
    --------
    >>> import numpy as np, hotloop as keras
    >>> monitor = GradientMonitor(every=2, verbose=False)
    >>> hidden = keras.layers.Dense(4, "relu", name="hidden")
    >>> model = keras.Sequential([keras.Input((3,)), hidden, keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> _ = model.fit(np.ones((8, 3)), np.ones(8), epochs=4, verbose=0, callbacks=[monitor])
    >>> monitor.epoch, len(monitor.history["hidden"]["gradient_norm"])
    ([1, 3], 2)
    """

    def __init__(self, every: int = 1, samples: int = 256, verbose: bool = True) -> None:
        self.every = positive(every, "GradientMonitor", "every")
        self.samples = positive(samples, "GradientMonitor", "samples")
        self.verbose = bool(verbose)
        self.epoch: list[int] = []
        self.history: dict[str, dict[str, list[float | None]]] = {}
        self._columns: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        if not self.model._has_loss():
            raise ValueError("[GradientMonitor] expected a model compiled with a loss, received one without.")
        self.epoch, self.history = [], {}
        self._columns = self.model._running.first_rows(self.samples)

    def on_train_end(self, logs: Any = None) -> None:
        self._columns = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if (epoch + 1) % self.every:
            return
        numbers = look_at(self.model, self._columns)
        self.epoch.append(epoch)
        for layer, found in numbers.items():
            rows = self.history.setdefault(layer, {name: [None] * (len(self.epoch) - 1) for name in _COLUMNS})
            for name in _COLUMNS:
                rows[name].append(found.get(name))
        for layer, rows in self.history.items():
            if layer not in numbers:  # another model's, since a callback compiled or froze
                for name in _COLUMNS:
                    rows[name].append(None)
        if self.verbose:
            say(table(epoch, numbers))

    def get_state(self) -> dict[str, Any]:
        return {"epoch": list(self.epoch), "history": _copied(self.history)}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.epoch, self.history = list(state["epoch"]), _copied(state["history"])

    def plot(self) -> Any:
        """Draw all that was seen over the epochs, a line for each layer; returns matplotlib's figure.

        Raises
        ------
        ImportError
            If matplotlib is not installed (``pip install 'hotloop[plot]'``).
        """
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImportError(
                "[GradientMonitor] expected matplotlib to draw with, which is not installed. "
                "pip install 'hotloop[plot]' brings it."
            ) from error
        figure = Figure(figsize=(12, 7), layout="constrained")
        FigureCanvasAgg(figure)
        for place, (name, title) in enumerate(_COLUMNS.items(), start=1):
            ax = figure.add_subplot(2, 3, place)
            for layer, rows in self.history.items():
                values = [math.nan if value is None else value for value in rows[name]]
                if not all(math.isnan(value) for value in values):
                    ax.plot([epoch + 1 for epoch in self.epoch], values, marker=".", label=layer)
            if name in ("gradient_norm", "update_ratio"):
                ax.set_yscale("log")
            ax.set_title(title)
            ax.set_xlabel("epoch")
            if place == 1 and self.history:
                ax.legend(fontsize="small")
        return figure

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_columns": None}


def look_at(model: Any, columns: Any) -> dict[str, dict[str, float | None]]:
    """The numbers of each layer, by its name."""
    outputs, gradients = model._watched(columns)
    variables, engine = model.trainable_weights, model._get_engine()
    updates: Any = [None] * len(variables) if engine.optimizer is None else engine.update_to_come(variables, gradients)
    of = {id(v): (v, g, u) for v, g, u in zip(variables, gradients, updates, strict=True)}
    result = {}
    for layer, output in outputs:
        found = _activations(layer, output)
        own = [of[id(v)] for v, _ in layer._own_variables() if id(v) in of]
        if own:
            found["gradient_norm"] = _norm(g for _, g, _ in own)
            size = _norm(v.numpy() for v, _, _ in own)
            if own[0][2] is not None and size > 0:
                found["update_ratio"] = _norm(u for _, _, u in own) / size
        result[layer.name] = found
    return result


def table(epoch: int, numbers: Mapping[str, Mapping[str, float | None]]) -> str:
    """The numbers of one epoch as lines of text."""
    rows = [["epoch " + str(epoch + 1), *_COLUMNS.values()]]
    for layer, found in numbers.items():
        rows.append([layer, *(_text(name, found.get(name)) for name in _COLUMNS)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    return "\n".join(["", *lines, ""])


def _copied(history: Any) -> dict[str, dict[str, list[float | None]]]:
    return {layer: {name: list(values) for name, values in rows.items()} for layer, rows in history.items()}


def _activations(layer: Any, output: np.ndarray) -> dict[str, float | None]:
    found: dict[str, float | None] = {
        "activation_mean": float(output.mean(dtype=np.float64)),
        "activation_std": float(output.std(dtype=np.float64)),
    }
    name = _activation(layer)
    if name in _RECTIFIED:
        found["dead"] = float((output == 0).all(axis=0).mean())
    if name in _LIMITS:
        low, high = _LIMITS[name]
        near = _NEAR * (high - low)
        found["saturated"] = float(((output < low + near) | (output > high - near)).mean())
    return found


def _activation(layer: Any) -> str:
    if type(layer).__name__ == "ReLU":
        return "" if layer.negative_slope else "relu"
    return getattr(getattr(layer, "activation", None), "name", "")


def _norm(arrays: Any) -> float:
    return math.sqrt(sum(float(np.square(array, dtype=np.float64).sum()) for array in arrays))


def _text(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{100 * value:.1f} %" if name in ("dead", "saturated") else f"{value:.3g}"
