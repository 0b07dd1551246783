"""Correlations of each sample's values."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..config import epsilon
from ..trace import squeezed_alike
from .metric import MeanMetricWrapper, Metric


def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Mean of the product of both, each shifted and scaled to mean 0 and deviation 1 along the axis; NaN where one is
    constant.

    Examples
    --------
    >>> import numpy as np
    >>> float(pearson_correlation(np.array([[0.0, 1.0, 2.0]]), np.array([[1.0, 3.0, 5.0]]))[0].round(4))
    1.0
    """
    y_true, y_pred = squeezed_alike(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred))
    parts = [
        (y - ops.mean(y, axis=axis, keepdims=True)) / ops.std(y, axis=axis, keepdims=True) for y in (y_true, y_pred)
    ]
    return ops.mean(parts[0] * parts[1], axis=axis)


def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """2 cov(y, p) / (var y + var p + (mean y - mean p)^2 + epsilon) along the axis.

    Examples
    --------
    >>> import numpy as np
    >>> float(concordance_correlation(np.array([[0.0, 1.0, 2.0]]), np.array([[0.0, 1.0, 2.0]]))[0].round(4))
    1.0
    """
    y_true, y_pred = squeezed_alike(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred))
    true_mean, mean = (ops.mean(y, axis=axis, keepdims=True) for y in (y_true, y_pred))
    true_off, off = y_true - true_mean, y_pred - mean
    spread = ops.mean(ops.square(true_off) + ops.square(off), axis=axis, keepdims=True)
    norm = spread + ops.square(true_mean - mean) + epsilon()
    return ops.mean(2.0 * true_off * off / norm, axis=axis)


class _Correlation(MeanMetricWrapper):
    direction = "up"

    def __init__(self, fn: Any, name: str | None, dtype: str | None, axis: int) -> None:
        super().__init__(fn, name, dtype, axis=axis)
        self.axis = axis

    def get_config(self) -> dict[str, Any]:
        return {**Metric.get_config(self), "axis": self.axis}


class PearsonCorrelation(_Correlation):
    """Mean over samples of `pearson_correlation`: 1 where y_pred is y_true but for a shift and a positive factor.

    Parameters
    ----------
    name, dtype
        Of `Metric`.
    axis : int
        Along which a sample's values are compared.

    Notes
    -----
    Pearson, "Note on regression and inheritance in the case of two parents", 1895. A sample whose values are all alike
    has no correlation, and makes the mean NaN.
    """

    def __init__(self, name: str | None = "pearson_correlation", dtype: str | None = None, axis: int = -1) -> None:
        super().__init__(pearson_correlation, name, dtype, axis)


class ConcordanceCorrelation(_Correlation):
    """Mean over samples of `concordance_correlation`: 1 where y_pred is y_true.

    Parameters
    ----------
    name, dtype
        Of `Metric`.
    axis : int
        Along which a sample's values are compared.

    Notes
    -----
    Lin, "A concordance correlation coefficient to evaluate reproducibility", Biometrics 45, 1989.
    """

    def __init__(self, name: str | None = "concordance_correlation", dtype: str | None = None, axis: int = -1) -> None:
        super().__init__(concordance_correlation, name, dtype, axis)
