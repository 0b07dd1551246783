"""Metrics of one's own: `update_state` is traced once, and what it assigns goes from batch to batch inside the plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..tensor import TraceError
from ..trace import Feed, Trace, Traced, TracedInput, traced_values
from ..variable import Variable

if TYPE_CHECKING:
    from .metric import Metric

Parts = tuple[tuple[Any, int], ...]  # what a metric keeps, a Variable or a Metric of the package, and its rows


def trace_metric(trace: Trace, metric: Metric, y_true: Any, y_pred: Traced, sample_weight: Any) -> Parts:
    """Write what `metric.update_state` does into the graph; the rows of `Plan.metrics()` it takes, in order."""
    with trace.layer(metric.name, None), trace.counting():
        for variable in metric.variables:
            trace.hold(variable)
        arguments = (y_true, y_pred) if sample_weight is None else (y_true, y_pred, sample_weight)
        metric.update_state(*arguments)
        return trace.keep_states()


def count_traced(metric: Any, y_true: Any, y_pred: Traced, sample_weight: Any) -> None:
    """`update_state` of a metric of the package while a metric of one's own is traced."""
    trace = y_pred.trace
    rows = metric.rows(y_pred.shape)
    inputs = _inputs(trace, metric, y_true, y_pred)
    if sample_weight is not None:
        inputs.append(_alike(sample_weight, ()).value(trace.dtype))
    trace.count(metric, inputs, rows, metric.node_attrs())


def count_values(metric: Any, values: Traced, sample_weight: Any) -> None:
    """`update_state` of a Mean or a Sum while a metric of one's own is traced."""
    trace = values.trace
    if values.shape[:1] != (None,):
        raise TraceError(
            f"[{metric.name}] expected values of samples, received one of the whole batch, of shape {values.shape}. "
            "Keep its sum in a variable."
        )
    inputs = [traced_values(lambda *_: values, trace, metric.name, values, values).value(trace.dtype)] * 2
    if sample_weight is not None:
        inputs.append(_alike(sample_weight, ()).value(trace.dtype))
    trace.count(metric, inputs, 1, {"kind": "value"})


def _inputs(trace: Trace, metric: Any, y_true: Any, y_pred: Traced) -> list[int]:
    if metric.summed:
        parts = metric.traced_parts(_alike(y_true, metric.target_sample(tuple(y_pred.shape[1:]))), y_pred)
        return [part.value(trace.dtype) for part in parts]
    if metric.custom:
        return [traced_values(metric.call, trace, metric.name, y_true, y_pred).value(trace.dtype)] * 2
    if not metric.class_numbers:
        return [y_pred.value(trace.dtype), _alike(y_true, y_pred.shape[1:]).value(trace.dtype)]
    if not isinstance(y_true, TracedInput):
        raise TraceError(f"[{metric.name}] expected y_true as the data have it, received a tensor made from it.")
    feed = Feed(y_true.feed.source, tuple(y_pred.shape[1:-1]), "int32", y_true.feed.name, limit=int(y_pred.shape[-1]))
    return [y_pred.value(trace.dtype), trace.fed(feed, "int32")]


def _alike(x: Any, sample: tuple[Any, ...]) -> Any:
    from .. import ops

    return x if tuple(x.shape[1:]) == tuple(sample) else ops.reshape(x, (-1, *sample))


def first_rows(metric: Metric, parts: Parts) -> np.ndarray:
    """Totals and counts that an epoch begins with, of shape (rows, 2): what `reset_state` leaves."""
    rows = np.zeros((sum(n for _, n in parts), 2))
    first = 0
    with metric.loading:
        metric.reset_state()
        for thing, n in parts:
            if isinstance(thing, Variable):
                rows[first : first + n, 0] = thing.numpy().ravel()
            first += n
    return rows


def result_of(metric: Metric, parts: Parts, rows: np.ndarray) -> Any:
    """What `metric.result` makes of totals and counts."""
    with metric.loading:
        _load(parts, rows)
        return number_or_array(metric, metric.result())


def _load(parts: Parts, rows: np.ndarray) -> None:
    first = 0
    counted: dict[int, tuple[Any, np.ndarray]] = {}
    for thing, n in parts:
        mine = rows[first : first + n]
        first += n
        if isinstance(thing, Variable):
            thing.assign(mine[:, 0].reshape(thing.shape))
        else:  # counted more than once, maybe
            known = counted.get(id(thing))
            counted[id(thing)] = (thing, mine if known is None else known[1] + mine)
    for thing, mine in counted.values():
        thing.take_rows(mine)


def number_or_array(metric: Metric, result: Any) -> Any:
    """A result as logs have it."""
    array = np.asarray(result)
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"[{metric.name}] expected `result` to return a number or an array, received {type(result).__name__}."
        )
    return float(array) if array.ndim == 0 else array


def same_parts(metric: Metric, known: Parts, now: Parts) -> None:
    """Refuse a metric that keeps other things in training than in evaluation."""
    if known and [(id(thing), n) for thing, n in known] != [(id(thing), n) for thing, n in now]:
        raise TraceError(
            f"[{metric.name}] expected the same variables and metrics in every call of update_state, received others. "
            "Make them in `__init__`."
        )


def variables_in(values: Sequence[Any]) -> list[Variable]:
    """Variables among these, in lists too, and those of metrics among them."""
    found: list[Variable] = []
    for value in values:
        if isinstance(value, Variable):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            found += variables_in(value)
        elif hasattr(value, "update_state"):
            found += value.variables
    return list(dict.fromkeys(found))
