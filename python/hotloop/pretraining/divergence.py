"""Contrastive divergence: the loss of an RBM, whose gradient is the difference of two phases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import ref

from .. import ops
from ..compiled import Resolved, Term
from ..elementwise import elementwise
from ..metrics.metric import MeanMetricWrapper
from ..trace import Trace, Traced, traced_values

if TYPE_CHECKING:
    from .rbm import RBM


class _Reported(MeanMetricWrapper):
    """The mean of what a phase computes by the way."""

    direction = "down"

    def __init__(self, name: str) -> None:
        super().__init__(lambda y_true, y_pred: y_pred, name)


class Divergence(Resolved):
    """The terms of an RBM: its loss, and what it logs beside it.

    Parameters
    ----------
    rbm : RBM
        Not held.
    """

    def __init__(self, rbm: RBM) -> None:
        reported = ("reconstruction_error", *(["free_energy"] if rbm.log_free_energy else []))
        metrics = [Term(0, name, _Reported(name), False) for name in reported]
        weights = {"negative_phase": 1.0, "positive_phase": -1.0, "visible_units": 1.0}
        weights |= {"sparsity": 1.0} if rbm.sparsity_cost else {}
        losses = [Term(0, name, None, False, weight) for name, weight in weights.items()]
        super().__init__(tuple(rbm.output_names), losses, metrics)
        self._rbm = ref(rbm)

    def shown(self) -> list[Term]:
        """Losses that are logged by their own names: none."""
        return []

    def targets(self) -> set[int]:
        """None: the data are their own target."""
        return set()

    def add_nodes(self, trace: Trace, predictions: Sequence[Traced], weighted: Sequence[int]) -> None:
        """Write both phases into the graph."""
        rbm = self._rbm()
        assert rbm is not None
        v = rbm._traced_inputs(trace)
        with trace.layer(rbm.name, None):
            losses, metrics = divergence(rbm, trace, v)
        for term, (value, factor) in zip(self.losses, losses, strict=True):
            kind = "value" if factor is None else "linear"  # the sum of value * factor, whose gradient is the factor
            value = value if factor is not None else traced_values(lambda *_, it=value: it, trace, rbm.name, v, v)
            nodes = [one.value(trace.dtype) for one in (value, value if factor is None else factor)]
            trace.add_loss_or_metric("loss", nodes, {"kind": kind, "weight": term.weight}, term.log_name)
        for term, metric in zip(self.metrics, metrics, strict=True):
            node = traced_values(lambda *_, it=metric: it, trace, term.log_name, v, v).value(trace.dtype)
            trace.add_loss_or_metric("metric", [node, node], {"kind": "value"}, term.log_name)


def divergence(rbm: RBM, trace: Trace, v: Any) -> tuple[list[tuple[Any, Any]], list[Any]]:
    """The terms of the loss, each a product of a value and a factor that is held (or of none), and the metrics.

    The loss is the expected energy of v less that of v_k, where the chain comes to. With the units' states held, its
    gradient is the difference of the phases' statistics.
    """
    z = rbm.hidden_logits(v)
    h = rbm.hidden_mean(z)
    persists = rbm.persistent and bool(trace.training)
    state = ops.apply("chain", [rbm.chains]) if persists else rbm.sample_hidden(h)
    mean = rbm.visible_mean(h if persists else state)
    vk = rbm.sample_visible(rbm.visible_mean(state) if persists else mean)
    for _ in range(rbm.k - 1):
        state = rbm.sample_hidden(rbm.hidden_mean(rbm.hidden_logits(vk)))
        vk = rbm.sample_visible(rbm.visible_mean(state))
    zk = rbm.hidden_logits(vk)
    hk = rbm.hidden_mean(zk)
    if persists:
        trace.change("keep_chain", [rbm.sample_hidden(hk), rbm.chains], {})
    bias = elementwise("second", v, rbm.visible_bias)  # for every row
    losses = [(zk, hk), (z, h), (bias, vk - v)]
    if rbm.sparsity_cost:
        losses.append((rbm.sparsity_penalty(z), None))
    return losses, [ops.square(v - mean), *([rbm.free_energy_of(v, z)] if rbm.log_free_energy else [])]
