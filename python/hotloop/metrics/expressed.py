"""Metrics whose values are expressions of `hotloop.losses`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from .. import ops
from ..losses import formulas
from .metric import MeanMetricWrapper, Metric


def _equal(y_true: Any, y_pred: Any) -> Any:
    return ops.equal(y_true, y_pred)


class _Expressed(MeanMetricWrapper):
    """A formula without options."""

    direction = "down"
    formula: ClassVar[Callable[..., Any]]

    def __init__(self, name: str | None = None, dtype: str | None = None) -> None:
        super().__init__(type(self).formula, name or self.kind, dtype)

    def get_config(self) -> dict[str, Any]:
        return Metric.get_config(self)


class MeanAbsolutePercentageError(_Expressed):
    """Mean of 100 abs((y_true - y_pred) / max(abs y_true, epsilon)).

    Parameters
    ----------
    name, dtype
        Of `Metric`.
    """

    kind, formula = "mean_absolute_percentage_error", staticmethod(formulas.mean_absolute_percentage_error)


class MeanSquaredLogarithmicError(_Expressed):
    """Mean of (log(y_pred + 1) - log(y_true + 1))^2.

    Parameters
    ----------
    name, dtype
        Of `Metric`.
    """

    kind, formula = "mean_squared_logarithmic_error", staticmethod(formulas.mean_squared_logarithmic_error)


class LogCoshError(_Expressed):
    """Mean of log cosh(y_pred - y_true).

    Parameters
    ----------
    name, dtype
        Of `Metric`.
    """

    kind, formula = "logcosh", staticmethod(formulas.log_cosh)


class Hinge(_Expressed):
    """Mean of max(1 - y_true y_pred, 0), y_true of -1 and 1 (or 0 and 1).

    Parameters
    ----------
    name, dtype
        Of `Metric`.
    """

    kind, formula = "hinge", staticmethod(formulas.hinge)


class SquaredHinge(_Expressed):
    """Mean of max(1 - y_true y_pred, 0)^2, y_true of -1 and 1 (or 0 and 1).

    Parameters
    ----------
    name, dtype
        Of `Metric`.
    """

    kind, formula = "squared_hinge", staticmethod(formulas.squared_hinge)


class CategoricalHinge(_Expressed):
    """Mean of `losses.categorical_hinge`.

    Parameters
    ----------
    name, dtype
        Of `Metric`.
    """

    kind, formula = "categorical_hinge", staticmethod(formulas.categorical_hinge)


class KLDivergence(_Expressed):
    """Mean of the sums of y_true log(y_true / y_pred).

    Parameters
    ----------
    name, dtype
        Of `Metric`.
    """

    kind, formula = "kl_divergence", staticmethod(formulas.kl_divergence)


class Poisson(_Expressed):
    """Mean of y_pred - y_true log y_pred.

    Parameters
    ----------
    name, dtype
        Of `Metric`.
    """

    kind, formula = "poisson", staticmethod(formulas.poisson)


class Accuracy(_Expressed):
    """Share of predictions that equal y_true exactly.

    Parameters
    ----------
    name, dtype
        Of `Metric`.
    """

    kind, formula = "accuracy", staticmethod(_equal)
    direction = "up"


def _cosine(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    return -formulas.cosine_similarity(y_true, y_pred, axis)


class CosineSimilarity(MeanMetricWrapper):
    """Mean cosine of the angle between y_true and y_pred: 1 for the same direction, unlike the loss.

    Parameters
    ----------
    name, dtype
        Of `Metric`.
    axis : int
        Of the vectors.
    """

    kind, direction = "cosine_similarity", "up"

    def __init__(self, name: str | None = None, dtype: str | None = None, axis: int = -1) -> None:
        super().__init__(_cosine, name or self.kind, dtype, axis=axis)
        self.axis = axis

    def get_config(self) -> dict[str, Any]:
        return {**Metric.get_config(self), "axis": self.axis}
