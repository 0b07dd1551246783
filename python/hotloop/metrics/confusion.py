"""Metrics of how many predictions lie on the right and the wrong side of thresholds.

Predictions are counted by the thresholds they exceed (a histogram, `csrc/ops/metric.h`), which costs the same for one
threshold and for two hundred; the four counts of every threshold are made from it when the result is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from .summed import SummedMetric, ratio

_OUT = -1e10  # below every threshold


class _Confusion(SummedMetric):
    """Histogram of predictions over `_count` thresholds."""

    kind = "histogram"
    direction: str | None = "up"
    _count = 1

    def bins(self, y_pred: Any) -> Any:
        """The number of thresholds below each prediction."""
        raise NotImplementedError

    def parts(self, y_true: Any, y_pred: Any) -> list[Any]:
        return [self.bins(y_pred), ops.not_equal(y_true, 0.0)]

    def rows(self, y_pred_shape: Sequence[Any]) -> int:
        return 2 * (self._count + 1)

    def node_attrs(self) -> dict[str, Any]:
        return {"kind": "histogram", "bins": self._count + 1}

    def result_of(self, sums: np.ndarray) -> Any:
        hits, misses = sums.reshape(2, -1)
        tp, fp = (np.cumsum(counts[::-1])[::-1][1:] for counts in (hits, misses))
        return self.result_of_counts(tp, fp, np.cumsum(hits)[:-1], np.cumsum(misses)[:-1])

    def result_of_counts(self, tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> Any:
        """The result, of the counts at the thresholds in ascending order."""
        raise NotImplementedError


def _check_class(metric: SummedMetric, class_id: int | None, y_pred: Any) -> None:
    if class_id is not None and not 0 <= class_id < y_pred.shape[-1]:
        raise ValueError(
            f"[{metric.name}] expected class_id from 0 to {y_pred.shape[-1] - 1} for y_pred of shape {y_pred.shape}, "
            f"received {class_id}."
        )


class _AtGivenThresholds(_Confusion):
    """At 0.5, or at each of a list."""

    def __init__(
        self,
        thresholds: Any = None,
        name: str | None = None,
        dtype: str | None = None,
        top_k: int | None = None,
        class_id: int | None = None,
    ) -> None:
        super().__init__(dtype, name)
        given = [_OUT if top_k is not None else 0.5] if thresholds is None else np.ravel(thresholds).tolist()
        for threshold in given:
            if thresholds is not None and not 0 <= threshold <= 1:
                raise ValueError(f"[{self.name}] expected thresholds from 0 to 1, received {threshold}.")
        if top_k is not None and top_k < 1:
            raise ValueError(f"[{self.name}] expected top_k of at least 1, received {top_k}.")
        self.thresholds, self.top_k, self.class_id = thresholds, top_k, class_id
        self._given = [float(threshold) for threshold in given]
        self._count = len(given)

    def parts(self, y_true: Any, y_pred: Any) -> list[Any]:
        _check_class(self, self.class_id, y_pred)
        if self.top_k is not None:
            larger = ops.expand_dims(y_pred, -2) > ops.expand_dims(y_pred, -1)
            y_pred = ops.where(ops.sum(larger, axis=-1) < self.top_k, y_pred, 2 * _OUT)
        if self.class_id is not None:
            y_true, y_pred = (y[..., self.class_id : self.class_id + 1] for y in (y_true, y_pred))
        return super().parts(y_true, y_pred)

    def bins(self, y_pred: Any) -> Any:
        first, *others = self._given
        number = ops.cast(y_pred > first, str(y_pred.dtype))
        for threshold in others:
            number = number + ops.cast(y_pred > threshold, str(y_pred.dtype))
        return number

    def result_of_counts(self, tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> Any:
        order = np.argsort(np.argsort(self._given, kind="stable"), kind="stable")
        values = self.value(*(counts[order] for counts in (tp, fp, fn, tn)))
        return values[0] if self._count == 1 else values

    def value(self, tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> np.ndarray:
        """One for each threshold."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "thresholds": self.thresholds, "top_k": self.top_k, "class_id": self.class_id,
        }  # fmt: skip


class Precision(_AtGivenThresholds):
    """Share of true ones among what is predicted as one; 0 where nothing is.

    Parameters
    ----------
    thresholds : float or list of float, optional
        A prediction above it is a one; 0.5 unless told. For several the result is an array.
    top_k : int, optional
        Only the k largest predictions of a sample can be ones; all that are equal to the k-th are.
    class_id : int, optional
        Count this column alone.
    name, dtype
        Of `Metric`.

    Examples
    --------
    >>> Precision()([0, 0, 1, 1], [0.1, 0.6, 0.5, 0.9])
    0.5
    """

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(thresholds, name or "precision", dtype, top_k, class_id)

    def value(self, tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> np.ndarray:
        return ratio(tp, tp + fp)


class Recall(_AtGivenThresholds):
    """Share of what is predicted as one among the true ones; 0 where there are none.

    Parameters
    ----------
    thresholds, top_k, class_id, name, dtype
        Of `Precision`.

    Examples
    --------
    >>> Recall(thresholds=0.3)([0, 1, 1, 1], [0.1, 0.2, 0.5, 0.9])
    0.6666666666666666
    """

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(thresholds, name or "recall", dtype, top_k, class_id)

    def value(self, tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> np.ndarray:
        return ratio(tp, tp + fn)


class _Count(_AtGivenThresholds):
    direction = None

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: str | None = None) -> None:
        super().__init__(thresholds, name or self.called, dtype)

    called = ""

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "thresholds": self.thresholds}


class TruePositives(_Count):
    """Weighted number of ones that are predicted as one.

    Parameters
    ----------
    thresholds, name, dtype
        Of `Precision`.
    """

    called = "true_positives"

    def value(self, tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> np.ndarray:
        return tp


class FalsePositives(_Count):
    """Weighted number of zeros that are predicted as one.

    Parameters
    ----------
    thresholds, name, dtype
        Of `Precision`.
    """

    called = "false_positives"

    def value(self, tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> np.ndarray:
        return fp


class FalseNegatives(_Count):
    """Weighted number of ones that are predicted as zero.

    Parameters
    ----------
    thresholds, name, dtype
        Of `Precision`.
    """

    called = "false_negatives"

    def value(self, tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> np.ndarray:
        return fn


class TrueNegatives(_Count):
    """Weighted number of zeros that are predicted as zero.

    Parameters
    ----------
    thresholds, name, dtype
        Of `Precision`.
    """

    called = "true_negatives"

    def value(self, tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> np.ndarray:
        return tn


class _Best(_Confusion):
    """The best of one share at thresholds where another is large enough."""

    called = bound = ""

    def __init__(
        self,
        value: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(dtype, name or self.called)
        if not 0 <= value <= 1:
            raise ValueError(f"[{self.name}] expected {self.bound} from 0 to 1, received {value}.")
        if num_thresholds < 1:
            raise ValueError(f"[{self.name}] expected num_thresholds of at least 1, received {num_thresholds}.")
        self._value, self.num_thresholds, self.class_id = float(value), num_thresholds, class_id
        self._count = num_thresholds

    def parts(self, y_true: Any, y_pred: Any) -> list[Any]:
        _check_class(self, self.class_id, y_pred)
        if self.class_id is not None:
            y_true, y_pred = (y[..., self.class_id : self.class_id + 1] for y in (y_true, y_pred))
        return super().parts(y_true, y_pred)

    def bins(self, y_pred: Any) -> Any:
        if self._count == 1:
            return ops.cast(y_pred > 0.5, str(y_pred.dtype))
        return ops.ceil(ops.clip(y_pred, 0.0, 1.0) * float(self._count - 1))

    def _best(self, values: np.ndarray, bounds: np.ndarray) -> float:
        within = bounds >= self._value
        return float(values[within].max()) if within.any() else 0.0

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), self.bound: self._value, "num_thresholds": self.num_thresholds,
            "class_id": self.class_id,
        }  # fmt: skip


class SensitivityAtSpecificity(_Best):
    """The largest recall at thresholds where true negatives are at least a share `specificity` of all zeros.

    Parameters
    ----------
    specificity : float
    num_thresholds : int
        Evenly spaced from 0 to 1.
    class_id, name, dtype
        Of `Precision`.
    """

    called, bound = "sensitivity_at_specificity", "specificity"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype)
        self.specificity = self._value

    def result_of_counts(self, tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> Any:
        return self._best(ratio(tp, tp + fn), ratio(tn, tn + fp))


class SpecificityAtSensitivity(_Best):
    """The largest share of true negatives among zeros at thresholds where recall is at least `sensitivity`.

    Parameters
    ----------
    sensitivity : float
    num_thresholds : int
        Evenly spaced from 0 to 1.
    class_id, name, dtype
        Of `Precision`.
    """

    called, bound = "specificity_at_sensitivity", "sensitivity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)
        self.sensitivity = self._value

    def result_of_counts(self, tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> Any:
        return self._best(ratio(tn, tn + fp), ratio(tp, tp + fn))


class PrecisionAtRecall(_Best):
    """The largest precision at thresholds where recall is at least `recall`.

    Parameters
    ----------
    recall : float
    num_thresholds : int
        Evenly spaced from 0 to 1.
    class_id, name, dtype
        Of `Precision`.
    """

    called, bound = "precision_at_recall", "recall"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype)
        self.recall = self._value

    def result_of_counts(self, tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> Any:
        return self._best(ratio(tp, tp + fp), ratio(tp, tp + fn))


class RecallAtPrecision(_Best):
    """The largest recall at thresholds where precision is at least `precision`.

    Parameters
    ----------
    precision : float
    num_thresholds : int
        Evenly spaced from 0 to 1.
    class_id, name, dtype
        Of `Precision`.
    """

    called, bound = "recall_at_precision", "precision"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype)
        self.precision = self._value

    def result_of_counts(self, tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> Any:
        return self._best(ratio(tp, tp + fn), ratio(tp, tp + fp))


class AUC(_Confusion):
    """Area under a curve over all thresholds, approximated by `num_thresholds` of them.

    Parameters
    ----------
    num_thresholds : int
        Evenly spaced from just below 0 to just above 1.
    curve : {"ROC", "PR", "PRGAIN"}
        Recall over the share of zeros predicted as one; precision over recall; or their gains over a guess, at least 0
        (Flach and Kull, "Precision-recall-gain curves", NeurIPS 2015).
    summation_method : {"interpolation", "minoring", "majoring"}
        Between two thresholds: in the middle (of precision and recall by Davis and Goadrich, "The relationship between
        precision-recall and ROC curves", ICML 2006), the smaller value or the larger.
    name, dtype
        Of `Metric`.
    thresholds : list of float, optional
        Between 0 and 1, in the place of evenly spaced ones.
    multi_label : bool
        The mean of the areas of the columns, rather than one area of all entries.
    num_labels : int, optional
        Columns; may be left out.
    label_weights : list of float, optional
        Of the columns in that mean.
    from_logits : bool
        y_pred goes through a sigmoid first.

    Examples
    --------
    >>> AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    0.75
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: str | None = None,
        thresholds: Any = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(dtype, name or "auc")
        self._check("curve", curve, ("ROC", "PR", "PRGAIN"))
        self._check("summation_method", summation_method, ("interpolation", "minoring", "majoring"))
        self.curve, self.summation_method, self.from_logits = curve, summation_method, bool(from_logits)
        self.multi_label, self.num_labels = bool(multi_label), num_labels
        self.label_weights = None if label_weights is None else np.ravel(label_weights).tolist()
        if self.label_weights is not None and not multi_label:
            raise ValueError(f"[{self.name}] expected label_weights only with multi_label=True.")
        self.thresholds = None if thresholds is None else sorted(np.ravel(thresholds).tolist())
        if self.thresholds and not 0 <= self.thresholds[0] <= self.thresholds[-1] <= 1:
            raise ValueError(f"[{self.name}] expected thresholds from 0 to 1, received {thresholds}.")
        self.num_thresholds = num_thresholds if self.thresholds is None else len(self.thresholds) + 2
        if self.num_thresholds < 2:
            raise ValueError(f"[{self.name}] expected num_thresholds of at least 2, received {num_thresholds}.")
        self._count, self._labels = self.num_thresholds, num_labels or 1

    def _check(self, what: str, value: str, known: tuple[str, ...]) -> None:
        if value not in known:
            raise ValueError(f"[{self.name}] expected {what} among {', '.join(known)}, received {value!r}.")

    def rows(self, y_pred_shape: Sequence[Any]) -> int:
        return super().rows(y_pred_shape) * (int(y_pred_shape[-1]) if self.multi_label else 1)

    def node_attrs(self) -> dict[str, Any]:
        return {"kind": "histogram", "bins": (self._count + 1) * self._labels}

    def parts(self, y_true: Any, y_pred: Any) -> list[Any]:
        if self.multi_label:
            self._labels = int(y_pred.shape[-1])
            weights = self._labels if self.label_weights is None else len(self.label_weights)
            if self.num_labels not in (None, self._labels) or weights != self._labels:
                raise ValueError(
                    f"[{self.name}] expected y_pred and label_weights with a column for each of num_labels, received "
                    f"y_pred of shape {y_pred.shape}."
                )
        return super().parts(y_true, y_pred)

    def bins(self, y_pred: Any) -> Any:
        p = ops.clip(ops.sigmoid(y_pred) if self.from_logits else y_pred, 0.0, 1.0)
        if self.thresholds is None:
            number = ops.maximum(ops.ceil(p * float(self._count - 1)), 1.0)
        else:
            number = ops.ones_like(p)
            for threshold in self.thresholds:
                number = number + ops.cast(p > threshold, str(p.dtype))
        if not self.multi_label:
            return number
        columns = [number[..., j : j + 1] + float(j * (self._count + 1)) for j in range(self._labels)]
        return ops.concatenate(columns, axis=-1)

    def result_of(self, sums: np.ndarray) -> Any:
        if not self.multi_label:
            return super().result_of(sums)
        columns = sums.reshape(2, -1, self._count + 1)
        areas = [super(AUC, self).result_of(columns[:, j].ravel()) for j in range(columns.shape[1])]
        return np.average(areas, weights=self.label_weights)

    def result_of_counts(self, tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> Any:
        if self.curve == "PR" and self.summation_method == "interpolation":
            return _interpolated_precision(tp, fp, fn)
        recall = ratio(tp, tp + fn)
        x, y = (ratio(fp, fp + tn), recall) if self.curve == "ROC" else (recall, ratio(tp, tp + fp))
        if self.curve == "PRGAIN":
            scale = ratio(tp + fn, tn + fp)
            x = np.where(tp == 0, 0.0, np.maximum(1 - scale * ratio(fn, tp), 0.0))
            y = np.where(tp == 0, 1.0, 1 - scale * ratio(fp, tp))
        if self.summation_method == "interpolation":
            heights = (y[:-1] + y[1:]) / 2
        else:
            heights = (np.minimum if self.summation_method == "minoring" else np.maximum)(y[:-1], y[1:])
        return float(np.sum((x[:-1] - x[1:]) * heights))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "num_thresholds": self.num_thresholds, "curve": self.curve,
            "summation_method": self.summation_method, "thresholds": self.thresholds, "multi_label": self.multi_label,
            "num_labels": self.num_labels, "label_weights": self.label_weights, "from_logits": self.from_logits,
        }  # fmt: skip


def _interpolated_precision(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> float:
    """Between two thresholds true positives grow linearly with all positives, and precision is their quotient."""
    positives = tp + fp
    new = tp[:-1] - tp[1:]
    slope = ratio(new, positives[:-1] - positives[1:])
    intercept = tp[1:] - slope * positives[1:]
    both = (positives[:-1] > 0) & (positives[1:] > 0)
    growth = np.where(both, ratio(positives[:-1], positives[1:]), 1.0)
    return float(np.sum(ratio(slope * (new + intercept * np.log(growth)), tp[1:] + fn[1:])))
