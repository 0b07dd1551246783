"""Models with a `compute_loss` of their own: it is traced into the compiled loop."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import ref

from .compiled import Resolved, Term
from .tensor import TraceError
from .trace import Trace, Traced, TracedInput, traced_values
from .tree import flatten, pack_like

if TYPE_CHECKING:
    from .training import Training

_NAME = "compute_loss"


class CompiledLoss(Traced):
    """What `super().compute_loss(...)` and `self.losses` are inside a traced `compute_loss`.

    A multiple of the compiled loss of some predictions, a multiple of the penalties, and a rest that is traced. It may
    be multiplied by numbers, and added to; its kernels stay those of any other model.
    """

    def __init__(
        self, trace: Trace, predictions: list[Traced] | None, factor: float, penalties: float, rest: Any = None
    ) -> None:
        self.trace, self.predictions, self.factor, self.rest = trace, predictions, factor, rest
        self.penalties = penalties
        self.shape, self.dtype = (), trace.dtype

    def value(self, dtype: str) -> int:
        raise TraceError(
            "[compute_loss] expected super().compute_loss(...) and self.losses to be multiplied by numbers or added "
            "to, with * and +, received another operation on them."
        )

    def __add__(self, other: Any) -> Any:
        if isinstance(other, numbers.Real) and other == 0:  # the beginning of sum(...)
            return self
        factor, penalties, rest = self.factor, self.penalties, other
        predictions = self.predictions
        if isinstance(other, CompiledLoss):
            if predictions is not None and other.predictions is not None:
                raise TraceError("[compute_loss] expected the compiled loss once, received a sum of two.")
            factor, penalties, rest = factor + other.factor, penalties + other.penalties, other.rest
            predictions = predictions if other.predictions is None else other.predictions
        if self.rest is not None:
            rest = self.rest if rest is None else self.rest + rest
        return CompiledLoss(self.trace, predictions, factor, penalties, rest)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self + -1 * other

    def __mul__(self, other: Any) -> Any:
        if not isinstance(other, numbers.Real):
            self.value(self.dtype)
        rest, f = None if self.rest is None else self.rest * float(other), float(other)
        return CompiledLoss(self.trace, self.predictions, self.factor * f, self.penalties * f, rest)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return self * (1 / other) if isinstance(other, numbers.Real) else self.value(self.dtype)


class OwnLoss(Resolved):
    """The terms of a model with a `compute_loss` of its own.

    Parameters
    ----------
    model : Training
        Not held.
    base : Resolved
        What the model was compiled with.
    targets : sequence of tuple or None
        Shapes of the targets that the data has.
    """

    def __init__(self, model: Training, base: Resolved, targets: Sequence[tuple[Any, ...] | None]) -> None:
        super().__init__(base.output_names, list(base.losses), base.metrics)
        self._model, self._base, self._targets = ref(model), base, targets
        self._traced: tuple[bool, bool] | None = None  # whether the compiled loss, and another, are part of it

    def shown(self) -> list[Term]:
        """Losses of outputs that are logged by their own names."""
        compiled = self._traced is None or self._traced[0]
        return self.losses[: len(self._base.losses)] if compiled and len(self._base.losses) > 1 else []

    def add_nodes(self, trace: Trace, predictions: Sequence[Traced], weighted: Sequence[int]) -> None:
        """Trace the model's `compute_loss`."""
        loss = self._call(trace, predictions, weighted)
        if not isinstance(loss, CompiledLoss):
            loss = CompiledLoss(trace, None, 0, 0, loss)
        trace.penalty_factor, rest = loss.penalties, loss.rest
        traced = (loss.predictions is not None, rest is not None)
        if self._traced not in (None, traced):
            raise TraceError(
                "[compute_loss] expected the same terms in training and in evaluation, received super().compute_loss "
                "or others in one of them alone. Multiply what is to vanish by 0."
            )
        terms: list[Term] = []
        if loss.predictions is not None:
            terms = [replace(term, weight=term.weight * loss.factor) for term in self._base.losses]
            Resolved(self.output_names, terms).add_nodes(trace, loss.predictions, weighted)
        if rest is not None:
            value = traced_values(lambda *_: rest, trace, _NAME, predictions[0], predictions[0]).value(trace.dtype)
            attrs = {"kind": "value", "weight": 1.0}
            trace.add_loss_or_metric("loss", [value, value], attrs, _NAME)
            terms = [*terms, Term(0, _NAME, None, False)]
        Resolved(self.output_names, [], self.metrics).add_nodes(trace, predictions, weighted)
        self._traced, self.losses = traced, terms

    def _call(self, trace: Trace, predictions: Sequence[Traced], weighted: Sequence[int]) -> Any:
        model = self._model()
        assert model is not None
        names = self.output_names

        def fed(kind: str, i: int, shape: tuple[int, ...], name: str) -> TracedInput:
            return trace.input((kind, i), shape, trace.dtype, name)

        y = [None if t is None else fed("y", i, t[1:], names[i]) for i, t in enumerate(self._targets)]
        w = [fed("w", i, (), "sample_weight") if i in weighted else None for i in range(len(names))]
        with trace.layer(_NAME, None):
            loss = model.compute_loss(
                x=model._traced_inputs(trace),
                y=pack_like(model._outputs, y),
                y_pred=pack_like(model._outputs, list(predictions)),
                sample_weight=pack_like(model._outputs, w) if weighted else None,
                training=bool(trace.training),
            )
        if not isinstance(loss, Traced):
            raise TypeError(
                f"[compute_loss] expected a tensor made from y, y_pred and x with hotloop.ops, received "
                f"{type(loss).__name__}."
            )
        return loss


def compiled_loss(model: Training, y: Any, y_pred: Any) -> CompiledLoss:
    """`super().compute_loss(...)` while the model's own is traced."""
    predictions = flatten(y_pred)
    for i, leaf in enumerate(flatten(y)):
        if leaf is not None and not (isinstance(leaf, TracedInput) and leaf.feed.source == ("y", i)):
            raise TraceError("[compute_loss] expected super().compute_loss with y as it was given, received another.")
    if len(predictions) != len(model.output_names) or not all(isinstance(leaf, Traced) for leaf in predictions):
        raise TraceError(
            f"[compute_loss] expected y_pred with {len(model.output_names)} tensors, received {len(predictions)}."
        )
    return CompiledLoss(predictions[0].trace, predictions, 1, 1)


def compiled_penalties(trace: Trace) -> list[CompiledLoss]:
    """`losses` of a model while its `compute_loss` is traced: all its penalties as one."""
    return [CompiledLoss(trace, None, 0, 1)]
