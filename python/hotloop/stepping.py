"""Batches that a model's own `train_step`, `test_step` or `predict_step` makes: Python runs once for each."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .overrides import is_overridden
from .tree import map_structure, pack_like
from .utils import pack_x_y_sample_weight

if TYPE_CHECKING:
    from .data import Chunk
    from .program import Columns
    from .training import Training

STEPS = ("train_step", "test_step", "predict_step")
_TAPES = ("GradientTape", "value_and_grad", "stateless_call", "stateless_apply", "zero_grad")


def own_step(model: Training, mode: str) -> bool:
    """Whether a subclass says how a batch is trained ("train"), tested or predicted."""
    return is_overridden(model, f"{mode}_step")


def check_steps(model: Training) -> None:
    """Refuse steps written for another library's automatic differentiation."""
    for name in STEPS:
        if not is_overridden(model, name):
            continue
        step = getattr(model, name)
        code = getattr(getattr(step, "__func__", step), "__code__", None)
        tape = next((tape for tape in _TAPES if code is not None and tape in code.co_names), None)
        try:
            inspect.signature(step).bind(None)
        except TypeError:
            tape = tape or str(inspect.signature(step))
        if tape is not None:
            raise NotImplementedError(
                f"[{type(model).__name__}] expected a {name}(self, data) in hotloop's own terms, received one with "
                f"`{tape}`: what hotloop computes, no other library can differentiate. Use self.gradients(x, y), or "
                "y_pred, backward = self.vjp(x, training=True), and self.optimizer.apply(gradients, "
                "self.trainable_weights)."
            )


def packed(model: Training, columns: Columns) -> Any:
    """A batch as Keras hands it to a step: x, (x, y) or (x, y, sample_weight)."""
    n_inputs = sum(kind == "x" for kind, _ in columns)
    x = pack_like(model._inputs, [columns["x", i] for i in range(n_inputs)])
    y, w = (
        pack_like(model._outputs, [columns.get((kind, i)) for i in range(len(model.output_names))]) for kind in "yw"
    )
    has_y, has_w = (any(kind == one for kind, _ in columns) for one in "yw")
    return pack_x_y_sample_weight(x, y if has_y else None, w if has_w else None)


def run_step(model: Training, mode: str, data: Any) -> dict[str, Any]:
    """The logs of one batch."""
    name = f"{mode}_step"
    with model._inside_step():
        logs = getattr(model, name)(data)
    if not isinstance(logs, Mapping):
        raise TypeError(
            f"[{type(model).__name__}] expected {name} to return a dict of names and numbers, received "
            f"{type(logs).__name__}."
        )
    return {str(key): _number(model, name, key, value) for key, value in logs.items()}


def predict_step(model: Training, columns: Columns) -> list[np.ndarray]:
    """The outputs of one batch, one array for each output of the model."""
    with model._inside_step():
        outputs = model.predict_step(packed(model, columns))
    leaves: list[np.ndarray] = []
    map_structure(lambda leaf: leaves.append(np.asarray(leaf)), outputs)
    return leaves


def _number(model: Training, step: str, name: str, value: Any) -> float:
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "fiub":
        raise TypeError(
            f"[{type(model).__name__}] expected {step} to return numbers, received {type(value).__name__} of shape "
            f"{array.shape} for '{name}'."
        )
    return float(array.reshape(()))


class StepProgram:
    """In the place of a `Program`: there is none, and data is handed on as it is."""

    penalties = 0

    def bind(self, columns: Columns, where: str) -> Columns:
        """The columns themselves."""
        return columns


class StepTerms:
    """In the place of `Resolved`: logs are what the step returned last."""

    losses: tuple[Any, ...] = ()
    metrics: tuple[Any, ...] = ()
    rows = 0

    def result(self, logs: dict[str, Any], as_dict: bool) -> Any:
        """What `evaluate` returns."""
        values = list(logs.values())
        return logs if as_dict else values[0] if len(values) == 1 else values


class StepPass:
    """In the place of a `Pass`: its batches are calls of the model's step."""

    def __init__(self, model: Training, mode: str, program: Any) -> None:
        self.model, self.mode, self.where = model, mode, "fit" if mode == "train" else "evaluate"
        self.program = program
        self._logs: dict[str, Any] = {}
        self._chunk: Chunk | None = None
        self._bad = -1
        model.reset_metrics()

    def begin(self, chunk: Chunk, rates: bool = True) -> None:
        """The batches that `run` is about."""
        self._chunk = chunk

    def run(self, done: int, count: int) -> int:
        """One batch, the next after the first `done` of the chunk."""
        chunk = self._chunk
        assert chunk is not None
        start = (chunk.first + done) * chunk.batch_size
        rows: Any = slice(start, min(start + chunk.batch_size, chunk.n_rows))
        if chunk.order is not None:
            rows = chunk.order[rows]
        batch = {key: array[rows] for key, array in chunk.dataset.items()}
        self._logs = run_step(self.model, self.mode, packed(self.model, batch))
        if self._bad < 0 and not math.isfinite(self._logs.get("loss", 0.0)):
            optimizer = self.model.optimizer
            self._bad = 0 if optimizer is None else max(0, optimizer.iterations - 1)
        return 1

    def logs(self) -> dict[str, Any]:
        """What the step returned last."""
        return dict(sorted(self._logs.items()))

    def first_bad_step(self) -> int:
        """The first step that gave a loss of NaN or Inf, or -1."""
        return self._bad

    def totals(self) -> np.ndarray:
        """Sums are the step's own business."""
        return np.zeros((0, 2))

    def go_on_from(self, totals: np.ndarray) -> None:
        """Sums of an interrupted epoch: there are none."""

    def finish(self) -> None:
        """Nothing is held."""
