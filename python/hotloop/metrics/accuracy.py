"""Accuracies."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import rowwise
from .metric import Metric, NamedMetric


class BinaryAccuracy(Metric):
    """Share of predictions on the right side of a threshold.

    Parameters
    ----------
    name, dtype
        Of `Metric`.
    threshold : float
        A prediction above it counts as 1.
    """

    kind, direction = "binary_accuracy", "up"

    def __init__(self, name: str | None = None, dtype: str | None = None, threshold: float = 0.5) -> None:
        super().__init__(dtype, name)
        if not 0 < threshold < 1:
            raise ValueError(f"[{self.name}] expected a threshold between 0 and 1, received {threshold}.")
        self.threshold = float(threshold)

    def node_attrs(self) -> dict[str, Any]:
        return {"kind": self.kind, "threshold": self.threshold}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "threshold": self.threshold}


class CategoricalAccuracy(NamedMetric):
    """Share of samples whose largest prediction is at the largest entry of a one-hot y_true; the first wins ties.

    Parameters
    ----------
    name, dtype
        Of `Metric`.
    """

    kind, direction, whole_row = "categorical_accuracy", "up", True


class SparseCategoricalAccuracy(NamedMetric):
    """Share of samples whose largest prediction is at the class number y_true; the first wins ties.

    Parameters
    ----------
    name, dtype
        Of `Metric`.

    Examples
    --------
    >>> SparseCategoricalAccuracy()([1, 0], [[0.1, 0.9], [0.2, 0.8]])
    0.5
    """

    kind, direction, whole_row, class_numbers = "sparse_categorical_accuracy", "up", True, True


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> np.ndarray:
    """1 where a prediction is on the right side of the threshold, else 0; in the shape of y_pred."""
    y_pred = np.asarray(y_pred)
    rows = rowwise.to_rows("binary_accuracy", y_true, y_pred)
    apart = rows._replace(y_pred=rows.y_pred.reshape(-1, 1), y_true=rows.y_true.reshape(-1, 1), shape=y_pred.shape)
    return rowwise.each("metric", apart, BinaryAccuracy(threshold=threshold).node_attrs())


def categorical_accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """1 for each sample whose largest prediction is at the largest entry of y_true, else 0."""
    return CategoricalAccuracy().values(y_true, y_pred)


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """1 for each sample whose largest prediction is at the class number y_true, else 0."""
    return SparseCategoricalAccuracy().values(y_true, y_pred)
