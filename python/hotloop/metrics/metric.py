"""Metric: what all metrics have; a total and a count, added up over arrays; in a model, a node of the graph."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import initializers, ops, rowwise
from ..config import floatx
from ..identifiers import Configurable, Initialised, function_of, name_of
from ..locks import add_locks
from ..naming import to_snake_case
from ..overrides import is_ours, is_overridden
from ..trace import Traced, squeezed_alike
from ..variable import Variable, tracing
from .own import count_traced, count_values, variables_in


class Metric(Initialised, Configurable):
    """Base class of all metrics, and of one's own.

    A metric of one's own makes variables with `add_variable` in its `__init__`, assigns them in `update_state` and
    computes `result` from them. In a model `update_state` is called once with symbolic tensors, and must be written
    with `hotloop.ops`; what it assigns to variables is then done for every batch without Python. It may also update
    metrics of the package, whose results `result` takes. `result` and `reset_state` are Python: they run when logs are
    made, and before every epoch and evaluation. On arrays all three just run.

    Parameters
    ----------
    dtype : str, optional
        Of the arithmetic on arrays; `config.floatx()` unless told.
    name : str, optional
        "mean_of_squares" of a class MeanOfSquares, unless told.

    Attributes
    ----------
    variables : list of Variable
        What `add_variable` has made, here and in metrics that are attributes.
    direction : {"up", "down", None}
        Which way is better; what callbacks with `mode="auto"` go by.

    Examples
    --------
    >>> from hotloop import ops
    >>> class Largest(Metric):
    ...     def __init__(self, name="largest"):
    ...         super().__init__(name=name)
    ...         self.hits = self.add_variable(shape=(), initializer="zeros", name="hits")
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.hits.assign_add(ops.sum(ops.cast(y_pred > y_true, "float32")))
    ...     def result(self):
    ...         return self.hits
    >>> float(Largest()([[1.0], [2.0]], [[3.0], [1.0]]))
    1.0
    """

    loading: threading.RLock  # of the class: held while variables hold what a plan has counted
    kind: str = ""
    made_first = "dtype"
    not_called = ("__call__",)  # in a model
    direction: str | None = None
    class_numbers = False
    whole_row = False
    custom = False  # `call` is traced
    summed = False  # has several sums (`SummedMetric`)

    def __init__(self, dtype: str | None = None, name: str | None = None) -> None:
        self.name = name or self.kind or to_snake_case(type(self).__name__)
        self.dtype = dtype or floatx()
        ours: Any = next(base for base in type(self).__mro__ if is_ours(base))
        ours.reset_state(self)  # one's own wants what is not made yet

    @property
    def own(self) -> bool:
        """Whether a subclass says how it counts."""
        return any(is_overridden(self, name) for name in ("update_state", "result", "reset_state"))

    def add_variable(
        self,
        shape: Any,
        initializer: Any = "zeros",
        dtype: str | None = None,
        aggregation: str = "sum",
        name: str | None = None,
    ) -> Variable:
        """Make a variable, which `update_state` may assign.

        Parameters
        ----------
        shape : tuple of int
        initializer : str, Initializer or callable
            What it holds until `reset_state`, which makes it 0 unless a subclass says otherwise.
        dtype : str, optional
            `dtype` of the metric unless told. In a model it takes part as a number of the model's dtype.
        aggregation : str
            Kept for code written for Keras.
        name : str, optional
        """
        sizes = (shape,) if isinstance(shape, (int, np.integer)) else shape
        initial = initializers.get("zeros" if initializer is None else initializer)
        variable = Variable(initial, tuple(int(n) for n in sizes), dtype or self.dtype, trainable=False, name=name)
        variable.path = f"{self.name}/{variable.name}"
        self.__dict__.setdefault("_made", []).append(variable)
        trace = tracing.get()
        if trace is not None and trace.counted is not None:
            trace.hold(variable)
        return variable

    def add_weight(
        self, shape: Any = (), initializer: Any = "zeros", dtype: str | None = None, name: str | None = None
    ) -> Variable:
        """`add_variable`, a scalar unless told."""
        return self.add_variable(shape, initializer, dtype, name=name)

    @property
    def variables(self) -> list[Variable]:
        """Variables of this metric and of metrics inside."""
        return variables_in(list(vars(self).values()))

    def node_attrs(self) -> dict[str, Any]:
        """Attributes of the metric node of a model."""
        if not self.kind and not self.own:
            raise ValueError(
                f"[metric '{self.name}'] expected a metric of y_true and y_pred, received {type(self).__name__}, which "
                "no kernel computes."
            )
        return {"kind": self.kind}

    def rows(self, y_pred_shape: Any) -> int:
        """Rows of `Plan.metrics()` that the metric takes."""
        return 1

    def result_from_rows(self, rows: np.ndarray) -> Any:
        """The result of these rows."""
        raise NotImplementedError

    def take_rows(self, rows: np.ndarray) -> None:
        """Have counted what these rows hold."""
        raise NotImplementedError

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count the samples of two arrays, weighted."""
        raise NotImplementedError(f"Metric {type(self).__name__} must override `update_state`.")

    def result(self) -> Any:
        """The result so far."""
        raise NotImplementedError(f"Metric {type(self).__name__} must override `result`.")

    def reset_state(self) -> None:
        """Forget all samples: variables become 0, and metrics inside forget theirs."""
        for variable in vars(self).get("_made", ()):
            variable.assign(np.zeros(variable.shape))
        for value in vars(self).values():
            if isinstance(value, Metric):
                value.reset_state()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """`update_state`, then `result`."""
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


add_locks(Metric, "loading")


class Quotient(Metric):
    """A total and a count, whose quotient is the result; for `dtype` and `name` see `Metric`."""

    direction: str | None = "down"

    def result_from(self, total: float, count: float) -> float:
        """The result of a sum of weighted values and a sum of weights; 0 where nothing was counted."""
        return rowwise.weighted_mean(total, count)

    def result_from_rows(self, rows: np.ndarray) -> Any:
        return self.result_from(float(rows[0, 0]), float(rows[0, 1]))

    def take_rows(self, rows: np.ndarray) -> None:
        self.total, self.count = (float(number) for number in rows[0, :2])

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count the samples of two arrays, weighted."""
        if isinstance(y_pred, Traced):
            return count_traced(self, y_true, y_pred, sample_weight)
        total, count = self._measure(y_true, y_pred, sample_weight)
        self.total += total
        self.count += count

    def result(self) -> float:
        """The result so far."""
        return self.result_from(self.total, self.count)

    def reset_state(self) -> None:
        """Forget all samples."""
        super().reset_state()
        self.total = self.count = 0.0

    def merge_state(self, metrics: Iterable[Any]) -> None:
        """Count what other metrics have counted too."""
        for metric in metrics:
            self.total += metric.total
            self.count += metric.count

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


class Mean(Quotient):
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
        if isinstance(values, Traced):
            return count_values(self, values, sample_weight)
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

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Count numbers, weighted."""
        if isinstance(values, Traced) and values.ndim > 1:
            values = ops.sum(ops.flatten(values), axis=-1)
        super().update_state(values, sample_weight)

    def result_from(self, total: float, count: float) -> float:
        return total


class NamedMetric(Quotient):
    """A metric without options."""

    def __init__(self, name: str | None = None, dtype: str | None = None) -> None:
        super().__init__(dtype, name)


class MeanMetricWrapper(Quotient):
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
        y_true, y_pred = (np.asarray(y, self.dtype) for y in (y_true, y_pred))
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
