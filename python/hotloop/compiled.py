"""What `compile` was given, resolved against a model's outputs: loss and metric nodes, and the names they log under."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from . import losses as losses_module
from . import metrics as metrics_module
from .identifiers import suggestion
from .metrics.own import Parts, first_rows, result_of, same_parts, trace_metric
from .trace import Feed, Trace, Traced, traced_values


@dataclass(frozen=True, eq=False)
class Term:
    """A loss or a metric of one output; one node."""

    output: int
    log_name: str
    node: Any  # Loss or Metric
    weighted: bool  # sample weights enter
    weight: float = 1.0  # of a loss in the total
    target_shape: tuple[Any, ...] = ()  # as the data have it
    rows: int = 1  # of `Plan.metrics()`
    parts: Parts = ()  # of a metric of one's own


@dataclass(eq=False)
class Resolved:
    """The terms for one set of outputs and targets.

    Attributes
    ----------
    output_names : tuple of str
    losses, metrics : list of Term
        In the order of their nodes.
    """

    output_names: tuple[str, ...]
    losses: list[Term] = field(default_factory=list)
    metrics: list[Term] = field(default_factory=list)

    def shown(self) -> list[Term]:
        """Losses of outputs that are logged by their own names."""
        return self.losses if len(self.losses) > 1 else []

    def targets(self) -> set[int]:
        """Outputs that need a target."""
        return {term.output for term in self.losses + self.metrics}

    def add_nodes(self, trace: Trace, predictions: Sequence[Traced], weighted: Sequence[int]) -> None:
        """Write all terms into the graph. `weighted`: the outputs whose sample weights are given."""
        for op, terms in (("loss", self.losses), ("metric", self.metrics)):
            for number, term in enumerate(terms):
                prediction = predictions[term.output]
                if op == "metric" and term.node.own:
                    parts = self._own(trace, term, prediction, weighted)
                    self.metrics[number] = replace(term, parts=parts, rows=sum(rows for _, rows in parts))
                    continue
                if op == "metric" and term.node.summed:
                    inputs = self._parts(trace, term, prediction)
                elif term.node.custom:
                    inputs = [self._custom(trace, term, prediction).value(trace.dtype)] * 2
                else:
                    inputs = [prediction.value(trace.dtype), self._target(trace, term, prediction.shape)]
                if term.weighted and term.output in weighted:
                    inputs.append(trace.fed(Feed(("w", term.output), (), trace.dtype, "sample_weight"), trace.dtype))
                attrs = term.node.node_attrs()
                if op == "loss":
                    attrs = {**attrs, "weight": float(term.weight)}
                trace.add_loss_or_metric(op, inputs, attrs, self.output_names[term.output])

    def _custom(self, trace: Trace, term: Term, prediction: Traced) -> Traced:
        name = self.output_names[term.output]
        target = trace.input(("y", term.output), tuple(term.target_shape[1:]), trace.dtype, name)
        return traced_values(term.node.call, trace, term.node.name or term.log_name, target, prediction)

    def _own(self, trace: Trace, term: Term, prediction: Traced, weighted: Sequence[int]) -> Parts:
        name = self.output_names[term.output]
        target = trace.input(("y", term.output), tuple(term.target_shape[1:]), trace.dtype, name)
        weight = None
        if term.weighted and term.output in weighted:
            weight = trace.input(("w", term.output), (), trace.dtype, "sample_weight")
        parts = trace_metric(trace, term.node, target, prediction, weight)
        same_parts(term.node, term.parts, parts)
        return parts

    def _parts(self, trace: Trace, term: Term, prediction: Traced) -> list[int]:
        shape, name = term.node.target_sample(tuple(prediction.shape[1:])), self.output_names[term.output]
        target = trace.input(("y", term.output), shape, trace.dtype, name)
        with trace.layer(term.node.name, None):
            return [part.value(trace.dtype) for part in term.node.traced_parts(target, prediction)]

    @property
    def rows(self) -> int:
        """Rows of `Plan.metrics()` that losses and metrics take; those of penalties follow."""
        return len(self.losses) + sum(term.rows for term in self.metrics)

    def first_rows(self) -> np.ndarray | None:
        """Totals and counts that an epoch begins with: None, which is zeros, but for metrics of one's own."""
        if not any(term.node.own for term in self.metrics):
            return None
        rows = np.zeros((self.rows, 2))
        first = len(self.losses)
        for term in self.metrics:
            if term.node.own:
                rows[first : first + term.rows] = first_rows(term.node, term.parts)
            first += term.rows
        return rows

    def _target(self, trace: Trace, term: Term, shape: tuple[Any, ...]) -> int:
        name = self.output_names[term.output]
        if not term.node.class_numbers:
            return trace.fed(Feed(("y", term.output), tuple(shape[1:]), trace.dtype, name), trace.dtype)
        if len(shape) < 2:
            raise ValueError(f"[compile] expected output '{name}' to have an axis of classes, received shape {shape}.")
        return trace.fed(Feed(("y", term.output), tuple(shape[1:-1]), "int32", name, limit=int(shape[-1])), "int32")

    def logs(self, rows: np.ndarray) -> dict[str, Any]:
        """Names and numbers from the nodes' totals and counts, in alphabetical order."""
        values = {}
        total, shown = 0.0, self.shown()
        for term, row in zip(self.losses, rows, strict=False):
            value = float(row[0] / row[1]) if row[1] else 0.0
            total += term.weight * value
            if term in shown:
                values[term.log_name] = value
        first = len(self.losses)
        for term in self.metrics:
            mine = rows[first : first + term.rows]
            own = term.node.own
            values[term.log_name] = result_of(term.node, term.parts, mine) if own else term.node.result_from_rows(mine)
            first += term.rows
        total += sum(float(row[0] / row[1]) for row in rows[first:] if row[1])
        values["loss"] = total
        return dict(sorted(values.items()))

    def result(self, logs: dict[str, Any], as_dict: bool) -> Any:
        """What `evaluate` returns: the loss alone, a list in the order of the names, or the dict."""
        values = [logs[name] for name in self.names_in_order()]
        return logs if as_dict else values[0] if len(values) == 1 else values

    def names_in_order(self) -> list[str]:
        """Loss, metrics under their own names, losses of outputs, the rest."""
        names = ["loss"]
        names += [term.log_name for term in self.metrics if term.log_name == term.node.name]
        names += [term.log_name for term in self.shown()]
        return names + sorted(term.log_name for term in self.metrics if term.log_name not in names)


class Compiled:
    """The arguments of `compile`, checked as far as they can be without data.

    Parameters
    ----------
    optimizer : Optimizer or None
    loss, loss_weights, metrics, weighted_metrics
        As `Model.compile` takes them.

    Raises
    ------
    ValueError
        For unknown losses and metrics (with a suggestion), or a bare string as metrics.
    """

    def __init__(self, optimizer: Any, loss: Any, loss_weights: Any, metrics: Any, weighted_metrics: Any) -> None:
        self.optimizer = optimizer
        self.loss, self.loss_weights = _made(loss, losses_module), loss_weights
        self.metrics, self.weighted_metrics = (_made(value, metrics_module) for value in (metrics, weighted_metrics))
        for leaf in _leaves(loss):
            losses_module.check(leaf)
        for what, value in (("metrics", metrics), ("weighted_metrics", weighted_metrics)):
            if value is not None and not isinstance(value, (list, tuple, dict)):
                raise ValueError(f"[compile] expected {what} to be a list, received {value!r}. Write [{value!r}].")
            for leaf in _leaves(value):
                metrics_module.check(leaf)
        self._resolved: dict[Any, Resolved] = {}
        self.last: Resolved | None = None  # of the data set seen last

    def check_outputs(self, names: Sequence[str]) -> None:
        """Refuse lists and dicts that do not match the model's outputs."""
        self._losses_of(names)
        for what in ("metrics", "weighted_metrics"):
            _metrics_of(getattr(self, what), names, what)

    def objects(self) -> list[Any]:
        """Losses and metrics that were given as objects."""
        leaves = _leaves(self.loss) + _leaves(self.metrics) + _leaves(self.weighted_metrics)
        return [leaf for leaf in leaves if isinstance(leaf, (losses_module.Loss, metrics_module.Metric))]

    def metric_objects(self) -> list[Any]:
        """All metrics of the data sets seen so far (callbacks look up their direction)."""
        return [term.node for resolved in self._resolved.values() for term in resolved.metrics]

    def resolve(
        self,
        names: Sequence[str],
        shapes: Sequence[tuple[Any, ...]],
        targets: Sequence[tuple[Any, ...] | None],
        keyed: bool,
    ) -> Resolved:
        """The terms for outputs of these names and shapes and targets of these shapes (batch axis first, None).

        The losses of `keyed` outputs, which are a dict, come in the order in which `compile` was given them.
        """
        key = (tuple(names), tuple(shapes), tuple(targets), keyed)
        if key not in self._resolved:
            self._resolved[key] = self._resolve(*key)
        self.last = self._resolved[key]
        return self.last

    def _resolve(self, names: tuple, shapes: tuple, targets: tuple, keyed: bool) -> Resolved:
        result = Resolved(names)
        taken = {"loss"}
        several = len(names) > 1
        losses = self._losses_of(names)
        as_given = [names.index(name) for name in self.loss] if keyed and isinstance(self.loss, dict) else None
        for i in as_given or range(len(names)):
            loss, weight = losses[i]
            if loss is not None:
                target = _known(targets[i], shapes[i])
                loss = losses_module.resolve(loss, target, shapes[i])
                log_name = _unused(f"{names[i]}_loss", taken)
                result.losses.append(Term(i, log_name, loss, True, weight, target))
        for what in ("metrics", "weighted_metrics"):
            for i, items in enumerate(_metrics_of(getattr(self, what), names, what)):
                for item in items:
                    target = _known(targets[i], shapes[i])
                    metric = metrics_module.resolve(item, target, shapes[i])
                    output = f"{names[i]}_" if several else ""
                    name = f"{output}{metric.name}"
                    if what == "weighted_metrics" and name in taken:
                        name = f"{output}weighted_{metric.name}"
                    weighted = what == "weighted_metrics"
                    unused = _unused(name, taken)
                    rows = 0 if metric.own else metric.rows(shapes[i])  # of one's own: known when it is traced
                    result.metrics.append(Term(i, unused, metric, weighted, target_shape=target, rows=rows))
        return result

    def _losses_of(self, names: Sequence[str]) -> list[tuple[Any, float]]:
        n = len(names)
        loss = self.loss
        if isinstance(loss, dict) and not _is_config(loss):
            _check_names(loss, names, "loss", complete=True)
            per_output = [loss[name] for name in names]
        elif isinstance(loss, (list, tuple)):
            _check_length(loss, names, "loss")
            per_output = list(loss)
        else:
            per_output = [loss] * n
        weights = self.loss_weights
        if isinstance(weights, dict):
            _check_names(weights, names, "loss_weights", complete=False)
            weights = [weights.get(name, 1.0) for name in names]
        elif isinstance(weights, (list, tuple)):
            _check_length(weights, names, "loss_weights")
        elif n > 1 and weights is not None:
            raise ValueError(f"[compile] expected one of loss_weights for each of {list(names)}, received {weights}.")
        else:
            weights = [weights] * n
        return [(loss, 1.0 if w is None else float(w)) for loss, w in zip(per_output, weights, strict=True)]


def _metrics_of(value: Any, names: Sequence[str], what: str) -> list[list[Any]]:
    if value is None:
        return [[] for _ in names]
    if isinstance(value, dict):
        _check_names(value, names, what, complete=False)
        return [_as_list(value.get(name)) for name in names]
    if len(names) == 1:
        return [_leaves(value)]
    _check_length(value, names, what)
    return [_as_list(item) for item in value]


def _as_list(item: Any) -> list[Any]:
    return [] if item is None else list(item) if isinstance(item, (list, tuple)) else [item]


def _leaves(value: Any) -> list[Any]:
    """All identifiers in nested lists and dicts; a dict that describes one object is one."""
    if value is None:
        return []
    if isinstance(value, dict) and not _is_config(value):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


def _made(value: Any, module: Any) -> Any:
    """The same with an object in the place of each description: functions of one's own are only known now."""
    if _is_config(value):
        return module.get(value)
    if isinstance(value, dict):
        return {key: _made(item, module) for key, item in value.items()}
    return [_made(item, module) for item in value] if isinstance(value, list) else value


def _is_config(value: Any) -> bool:
    return isinstance(value, dict) and "class_name" in value


def _check_names(given: dict[str, Any], names: Sequence[str], what: str, complete: bool) -> None:
    for name in given:
        if name not in names:
            raise ValueError(
                f"[compile] expected {what} for outputs among {', '.join(names)}, received '{name}'."
                + suggestion(name, names)
            )
    missing = [name for name in names if name not in given]
    if complete and missing:
        raise ValueError(
            f"[compile] expected {what} for every output, received none for {', '.join(missing)}. Use None to skip one."
        )


def _check_length(given: Sequence[Any], names: Sequence[str], what: str) -> None:
    if len(given) != len(names):
        raise ValueError(
            f"[compile] expected {what} as a list with an item for each output ({', '.join(names)}), received "
            f"{len(given)} items."
        )


def _known(target: tuple[Any, ...] | None, prediction: tuple[Any, ...]) -> tuple[Any, ...]:
    return prediction if target is None else target


def _unused(name: str, taken: set[str]) -> str:
    candidate, number = name, 0
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    taken.add(candidate)
    return candidate
