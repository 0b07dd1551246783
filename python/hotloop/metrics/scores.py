"""Scores of whole columns: F-scores and R2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from .summed import SummedMetric, ratio

_EPSILON = 1e-7  # of Keras's denominators


class _ColumnScore(SummedMetric):
    """Some sums for each column of y_pred, which must have two axes."""

    direction = "up"
    whole_row = True
    _kinds = 0  # of sums

    def rows(self, y_pred_shape: Sequence[Any]) -> int:
        if len(y_pred_shape) != 2:
            raise ValueError(f"[{self.name}] expected y_pred of shape (samples, columns), received {y_pred_shape}.")
        return self._kinds * int(y_pred_shape[1])


class FBetaScore(_ColumnScore):
    """(1 + beta^2) precision recall / (beta^2 precision + recall) of each class (van Rijsbergen, "Information
    Retrieval", 1979).

    Parameters
    ----------
    average : {None, "micro", "macro", "weighted"}
        The result: an array of the classes' scores; one score of all entries; the mean of the scores; their mean
        weighted with the number of ones in each class.
    beta : float
        How much recall counts against precision.
    threshold : float, optional
        A prediction above it is a one; unless told, the largest of a sample.
    name, dtype
        Of `Metric`.

    Examples
    --------
    >>> score = FBetaScore(average="micro", threshold=0.5)
    >>> round(score([[1, 1], [1, 0]], [[0.9, 0.2], [0.6, 0.7]]), 4)
    0.6667
    """

    _kinds = 4

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: str | None = None,
    ) -> None:
        super().__init__(dtype, name)
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(
                f"[{self.name}] expected average None, 'micro', 'macro' or 'weighted', received {average!r}."
            )
        if not beta > 0:
            raise ValueError(f"[{self.name}] expected beta above 0, received {beta}.")
        if threshold is not None and not 0 < threshold <= 1:
            raise ValueError(f"[{self.name}] expected a threshold above 0, at most 1, received {threshold}.")
        self.average, self.beta, self.threshold = average, float(beta), threshold

    def parts(self, y_true: Any, y_pred: Any) -> list[Any]:
        if self.threshold is None:
            largest = ops.max(y_pred, axis=-1, keepdims=True)
            ones = ops.logical_and(y_pred >= largest, ops.abs(y_pred) > 1e-9)
        else:
            ones = y_pred > self.threshold
        ones = ops.cast(ones, str(y_pred.dtype))
        return [
            ops.concatenate([ones * y_true, ones * (1.0 - y_true), (1.0 - ones) * y_true, y_true + 0.0 * ones], axis=-1)
        ]

    def result_of(self, sums: np.ndarray) -> Any:
        counts = sums.reshape(4, -1)
        tp, fp, fn, weights = counts.sum(1, keepdims=True) if self.average == "micro" else counts
        precision, recall = tp / (tp + fp + _EPSILON), tp / (tp + fn + _EPSILON)
        square = self.beta**2
        scores = (1 + square) * precision * recall / (square * precision + recall + _EPSILON)
        if self.average is None:
            return scores
        if self.average == "weighted":
            return float(np.sum(scores * weights) / (weights.sum() + _EPSILON))
        return float(scores.mean())

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "average": self.average, "beta": self.beta, "threshold": self.threshold}


class F1Score(FBetaScore):
    """2 precision recall / (precision + recall) of each class.

    Parameters
    ----------
    average, threshold, name, dtype
        Of `FBetaScore`.
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: str | None = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        return {name: value for name, value in super().get_config().items() if name != "beta"}


class R2Score(_ColumnScore):
    """1 - sum (y - p)^2 / sum (y - mean y)^2 of each column: 1 for perfect predictions, 0 for the mean of y.

    Parameters
    ----------
    class_aggregation : {"uniform_average", "variance_weighted_average", None}
        The mean of the columns' scores, alike or weighted with their variances; None: an array of them.
    num_regressors : int
        Above 0 the score is adjusted to that many explaining variables; the sum of sample weights is then the number
        of samples (Keras takes the number of entries of y_pred, too many where it has several columns).
    name, dtype
        Of `Metric`.

    Examples
    --------
    >>> round(R2Score()([[1.0], [2.0], [4.0]], [[1.0], [2.5], [3.5]]), 4)
    0.8929
    """

    _kinds = 4

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: str | None = None,
    ) -> None:
        super().__init__(dtype, name)
        known = (None, "uniform_average", "variance_weighted_average")
        if class_aggregation not in known:
            raise ValueError(f"[{self.name}] expected class_aggregation among {known}, received {class_aggregation!r}.")
        if num_regressors < 0:
            raise ValueError(f"[{self.name}] expected num_regressors of at least 0, received {num_regressors}.")
        self.class_aggregation, self.num_regressors = class_aggregation, num_regressors

    def parts(self, y_true: Any, y_pred: Any) -> list[Any]:
        sums = [y_true + 0.0, ops.square(y_true), ops.square(y_true - y_pred), ops.ones_like(y_pred)]
        return [ops.concatenate(sums, axis=-1)]

    def result_of(self, sums: np.ndarray) -> Any:
        total, squares, residual, count = sums.reshape(4, -1)
        variation = squares - total * ratio(total, count)
        scores = np.where(variation != 0, 1 - ratio(residual, variation), 0.0)
        if self.class_aggregation == "variance_weighted_average":
            scores = ratio(np.sum(variation * scores), np.sum(variation))
        elif self.class_aggregation == "uniform_average":
            scores = scores.mean()
        left = count[0] - self.num_regressors - 1
        if self.num_regressors and left > 0:
            scores = 1 - (1 - scores) * (count[0] - 1) / left
        return scores

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "class_aggregation": self.class_aggregation, "num_regressors": self.num_regressors,
        }  # fmt: skip
