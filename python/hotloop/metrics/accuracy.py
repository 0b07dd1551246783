"""Accuracies."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import rowwise
from .metric import NamedMetric, Quotient


class BinaryAccuracy(Quotient):
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


class TopKCategoricalAccuracy(Quotient):
    """Share of samples where fewer than k predictions are larger than the one at the largest entry of y_true.

    Parameters
    ----------
    k : int
    name, dtype
        Of `Metric`.
    """

    kind, direction, whole_row = "top_k_categorical_accuracy", "up", True

    def __init__(self, k: int = 5, name: str | None = None, dtype: str | None = None) -> None:
        super().__init__(dtype, name)
        if k < 1:
            raise ValueError(f"[{self.name}] expected k of at least 1, received {k}.")
        self.k = int(k)

    def node_attrs(self) -> dict[str, Any]:
        return {"kind": self.kind, "k": self.k}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "k": self.k}


class SparseTopKCategoricalAccuracy(TopKCategoricalAccuracy):
    """Share of samples where fewer than k predictions are larger than the one at the class number y_true.

    Parameters
    ----------
    k : int
    name, dtype
        Of `Metric`.
    from_sorted_ids : bool
        False: y_pred are scores of the classes, not their numbers.

    Examples
    --------
    >>> SparseTopKCategoricalAccuracy(k=2)([2, 0], [[0.1, 0.6, 0.3], [0.1, 0.6, 0.3]])
    0.5
    """

    kind, class_numbers = "sparse_top_k_categorical_accuracy", True

    def __init__(
        self, k: int = 5, name: str | None = None, dtype: str | None = None, from_sorted_ids: bool = False
    ) -> None:
        super().__init__(k, name, dtype)
        if from_sorted_ids:
            raise ValueError(f"[{self.name}] expected from_sorted_ids=False, received {from_sorted_ids}.")


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> np.ndarray:
    """1 for each sample where fewer than k predictions are larger than the one at the largest of y_true, else 0."""
    return TopKCategoricalAccuracy(k).values(y_true, y_pred)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> np.ndarray:
    """1 for each sample where fewer than k predictions are larger than the one at the class number y_true, else 0."""
    return SparseTopKCategoricalAccuracy(k).values(y_true, y_pred)


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
