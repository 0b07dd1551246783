"""Errors: the losses' formulas, averaged over samples."""

from __future__ import annotations

import math
from typing import Any

from .. import losses
from .metric import NamedMetric, Quotient


class MeanSquaredError(NamedMetric):
    """Mean of (y_true - y_pred)^2.

    Parameters
    ----------
    name, dtype
        Of `Metric`.
    """

    kind = "mean_squared_error"


class RootMeanSquaredError(NamedMetric):
    """Square root of the mean of (y_true - y_pred)^2 over everything counted.

    Parameters
    ----------
    name, dtype
        Of `Metric`.
    """

    kind = "mean_squared_error"

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: str | None = None) -> None:
        super().__init__(name, dtype)

    def result_from(self, total: float, count: float) -> float:
        return math.sqrt(super().result_from(total, count))


class MeanAbsoluteError(NamedMetric):
    """Mean of abs(y_true - y_pred).

    Parameters
    ----------
    name, dtype
        Of `Metric`.
    """

    kind = "mean_absolute_error"


class _LossMetric(Quotient):
    """A loss as a metric."""

    def __init__(self, loss: losses.Loss, name: str | None, dtype: str | None) -> None:
        super().__init__(dtype, name)
        self._loss = loss

    def node_attrs(self) -> dict[str, Any]:
        return self._loss.options()

    def get_config(self) -> dict[str, Any]:
        options = {name: value for name, value in self._loss.options().items() if name != "kind"}
        return {**super().get_config(), **options}


class BinaryCrossentropy(_LossMetric):
    """`losses.BinaryCrossentropy` as a metric.

    Parameters
    ----------
    name, dtype
        Of `Metric`.
    from_logits : bool
    label_smoothing : float
    """

    kind = "binary_crossentropy"

    def __init__(
        self,
        name: str | None = None,
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(losses.BinaryCrossentropy(from_logits, label_smoothing), name, dtype)


class CategoricalCrossentropy(_LossMetric):
    """`losses.CategoricalCrossentropy` as a metric.

    Parameters
    ----------
    name, dtype
        Of `Metric`.
    from_logits : bool
    label_smoothing : float
    axis : int
        -1.
    """

    kind, whole_row = "categorical_crossentropy", True

    def __init__(
        self,
        name: str | None = None,
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ) -> None:
        super().__init__(losses.CategoricalCrossentropy(from_logits, label_smoothing, axis), name, dtype)


class SparseCategoricalCrossentropy(_LossMetric):
    """`losses.SparseCategoricalCrossentropy` as a metric.

    Parameters
    ----------
    name, dtype
        Of `Metric`.
    from_logits : bool
    ignore_class : None
    axis : int
        -1.
    """

    kind, whole_row, class_numbers = "sparse_categorical_crossentropy", True, True

    def __init__(
        self,
        name: str | None = None,
        dtype: str | None = None,
        from_logits: bool = False,
        ignore_class: None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(losses.SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis), name, dtype)
