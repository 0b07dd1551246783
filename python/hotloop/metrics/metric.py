"""Metric: a total and a count, added up over arrays; in a model, a node of the graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import rowwise
from ..config import floatx
from ..identifiers import Configurable, Initialised, function_of, name_of
from ..trace import squeezed_alike


class Metric(Initialised, Configurable):
    """Base class: a total and a count, whose quotient is the result.

    Parameters
    ----------
    dtype : str, optional
        Of the arithmetic on arrays; `config.floatx()` unless told.
    name : str, optional

    Attributes
    ----------
    direction : {"up", "down", None}
        Which way is better; what callbacks with `mode="auto"` go by.
    """

    kind: str = ""
    made_first = "dtype"
    not_called = ("update_state", "result", "reset_state", "__call__")  # in a model
    direction: str | None = "down"
    class_numbers = False
    whole_row = False
    custom = False  # `call` is traced
    summed = False  # has several sums (`SummedMetric`)

    def __init__(self, dtype: str | None = None, name: str | None = None) -> None:
        self.name = name or self.kind
        self.dtype = dtype
        self.reset_state()

    def node_attrs(self) -> dict[str, Any]:
        """Attributes of the metric node of a model."""
        if not self.kind:
            raise ValueError(
                f"[metric '{self.name}'] expected a metric of y_true and y_pred, received {type(self).__name__}, which "
                "no kernel computes."
            )
        return {"kind": self.kind}

    def result_from(self, total: float, count: float) -> float:
        """The result of a sum of weighted values and a sum of weights; 0 where nothing was counted."""
        return rowwise.weighted_mean(total, count)

    def rows(self, y_pred_shape: Any) -> int:
        """Rows of `Plan.metrics()` that the metric takes."""
        return 1

    def result_from_rows(self, rows: np.ndarray) -> Any:
        """The result of these rows."""
        return self.result_from(float(rows[0, 0]), float(rows[0, 1]))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count the samples of two arrays, weighted."""
        total, count = self._measure(y_true, y_pred, sample_weight)
        self.total += total
        self.count += count

    def result(self) -> float:
        """The result so far."""
        return self.result_from(self.total, self.count)

    def reset_state(self) -> None:
        """Forget all samples."""
        self.total = self.count = 0.0

    def merge_state(self, metrics: Iterable[Metric]) -> None:
        """Count what other metrics have counted too."""
        for metric in metrics:
            self.total += metric.total
            self.count += metric.count

    def __call__(self, *args: Any, **kwargs: Any) -> float:
        """`update_state`, then `result`."""
        self.update_state(*args, **kwargs)
        return self.result()

    def _measure(self, y_true: Any, y_pred: Any, sample_weight: Any) -> tuple[float, float]:
        if np.ndim(y_pred) == 1 and not self.whole_row:
            y_pred = np.reshape(y_pred, (-1, 1))
        rows = rowwise.to_rows(self.name, y_true, y_pred, class_numbers=self.class_numbers, dtype=self.dtype)
        if sample_weight is None:
            return rowwise.total("metric", rows, self.node_attrs())
        if np.ndim(sample_weight) == 2 and np.shape(sample_weight)[1] == 1:
            sample_weight = np.reshape(sample_weight, -1)
        share = math.prod(rows.shape[np.ndim(sample_weight) :])  # a sample's weight is split among its rows
        weight = rowwise.to_weights(rows, np.asarray(sample_weight, rows.y_pred.dtype) / share)
        return rowwise.total("metric", rows, self.node_attrs(), weight)

    def values(self, y_true: Any, y_pred: Any) -> np.ndarray:
        """One value for each last axis of y_pred."""
        rows = rowwise.to_rows(self.name, y_true, y_pred, class_numbers=self.class_numbers, dtype=self.dtype)
        return rowwise.each("metric", rows, self.node_attrs())

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


class Mean(Metric):
    """Weighted mean of numbers; outside of models.

    Parameters
    ----------
    name, dtype
        Of `Metric`.

    Examples
    --------
    >>> mean = Mean()
    >>> mean.update_state([1.0, 3.0]); mean.result()
    2.0
    """

    direction: str | None = None

    def __init__(self, name: str = "mean", dtype: str | None = None) -> None:
        super().__init__(dtype, name)

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Count numbers, weighted."""
        values = np.asarray(values, np.float64)
        weight = np.ones(()) if sample_weight is None else np.asarray(sample_weight, np.float64)
        weight = np.broadcast_to(weight.reshape(weight.shape + (1,) * (values.ndim - weight.ndim)), values.shape)
        self.total += float((values * weight).sum())
        self.count += float(weight.sum())


class Sum(Mean):
    """Weighted sum of numbers; outside of models.

    Parameters
    ----------
    name, dtype
        Of `Metric`.

    Examples
    --------
    >>> total = Sum()
    >>> total.update_state([1.0, 3.0]); total.result()
    4.0
    """

    def __init__(self, name: str = "sum", dtype: str | None = None) -> None:
        super().__init__(name, dtype)

    def result_from(self, total: float, count: float) -> float:
        return total


class NamedMetric(Metric):
    """A metric without options."""

    def __init__(self, name: str | None = None, dtype: str | None = None) -> None:
        super().__init__(dtype, name)


class MeanMetricWrapper(Metric):
    """The mean of a function of y_true and y_pred: what `metrics=[function]` makes.

    A function that gives one number for a whole batch counts for each of its samples, so a smaller last batch counts
    less; Keras counts all batches alike.

    Parameters
    ----------
    fn : callable
        `fn(y_true, y_pred, **kwargs)`, written with `hotloop.ops` and operators.
    name : str, optional
        The function's unless told.
    dtype : str, optional
        Of `Metric`.
    **kwargs
        Further arguments of `fn`.

    Examples
    --------
    >>> from hotloop import ops
    >>> close = MeanMetricWrapper(lambda y_true, y_pred: ops.abs(y_true - y_pred) < 0.5, name="close")
    >>> close([[1.0], [2.0]], [[1.2], [3.0]])
    0.5
    """

    custom = True
    direction: str | None = None

    def __init__(
        self, fn: Callable[..., Any], name: str | None = None, dtype: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(dtype, name or name_of(fn))
        self.fn, self._kwargs = function_of(type(self).__name__, fn), kwargs

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The values of the samples."""
        return self.fn(*squeezed_alike(y_true, y_pred), **self._kwargs)

    def node_attrs(self) -> dict[str, Any]:
        return {"kind": "value"}

    def values(self, y_true: Any, y_pred: Any) -> np.ndarray:
        y_true, y_pred = (np.asarray(y, self.dtype or floatx()) for y in (y_true, y_pred))
        return np.asarray(self.call(y_true, y_pred))

    def _measure(self, y_true: Any, y_pred: Any, sample_weight: Any) -> tuple[float, float]:
        mean = Mean()
        values = self.values(y_true, y_pred)
        if sample_weight is not None and np.ndim(sample_weight) == values.ndim + 1:
            sample_weight = np.reshape(sample_weight, np.shape(sample_weight)[:-1])
        mean.update_state(values, sample_weight)
        return mean.total, mean.count

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "fn": self.fn, **self._kwargs}
