"""Intersection over union, of a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from ..naming import to_snake_case
from .summed import SummedMetric, ratio

_EPSILON = 1e-7  # of Keras's denominators
_MOST_CLASSES = 1024


class IoU(SummedMetric):
    """Mean over some classes of true positives / (true positives + false positives + false negatives).

    Classes that neither y_true nor y_pred holds are left out of the mean.

    Parameters
    ----------
    num_classes : int
        At most 1024.
    target_class_ids : sequence of int
        The classes of the mean.
    name : str, optional
        "io_u" unless told.
    dtype : str, optional
        Of `Metric`.
    ignore_class : int, optional
        Samples of this y_true do not count.
    sparse_y_true, sparse_y_pred : bool
        Whether it holds class numbers, or for each sample a value a class, of which the largest counts.
    axis : int
        Of the classes, where they have one.

    Notes
    -----
    Numbers outside of 0 to num_classes - 1 do not count. Sample weights may be fractions, which Keras cuts off.

    Examples
    --------
    >>> metric = IoU(num_classes=2, target_class_ids=[0])
    >>> round(metric([0, 0, 1, 1], [0, 1, 0, 1]), 4)
    0.3333
    """

    kind, direction = "histogram", "up"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(dtype, name or to_snake_case(type(self).__name__))
        if not 1 <= num_classes <= _MOST_CLASSES:
            raise ValueError(f"[{self.name}] expected num_classes from 1 to {_MOST_CLASSES}, received {num_classes}.")
        self.num_classes, self.target_class_ids = int(num_classes), [int(i) for i in target_class_ids]
        if not self.target_class_ids or not all(0 <= i < num_classes for i in self.target_class_ids):
            raise ValueError(
                f"[{self.name}] expected target_class_ids from 0 to {num_classes - 1}, received {target_class_ids}."
            )
        self.ignore_class, self.axis = ignore_class, axis
        self.sparse_y_true, self.sparse_y_pred = bool(sparse_y_true), bool(sparse_y_pred)

    def rows(self, y_pred_shape: Sequence[Any]) -> int:
        return 2 * self.num_classes**2

    def node_attrs(self) -> dict[str, Any]:
        return {"kind": "histogram", "bins": self.num_classes**2}

    def target_sample(self, sample: tuple[Any, ...]) -> tuple[Any, ...]:
        labels = list(sample)
        if not self.sparse_y_pred:
            del labels[self._sample_axis(len(sample) + 1) - 1]
        if self.sparse_y_true:
            return tuple(labels)
        if self.sparse_y_pred and labels[-1:] == [1]:
            labels.pop()
        labels.insert(self._sample_axis(len(labels) + 2) - 1, self.num_classes)
        return tuple(labels)

    def _sample_axis(self, rank: int) -> int:
        if self.axis in (0, -rank) or not -rank <= self.axis < rank:
            raise ValueError(f"[{self.name}] expected an axis of samples with {rank - 1} axes, received {self.axis}.")
        return self.axis % rank

    def parts(self, y_true: Any, y_pred: Any) -> list[Any]:
        true, guess = self._labels(y_true, self.sparse_y_true), self._guesses(y_pred)
        shape = tuple(guess.shape[1:])
        true = ops.reshape(true, (-1, *shape))
        inside = ops.logical_and(true >= 0.0, true < float(self.num_classes))
        inside = ops.logical_and(inside, ops.logical_and(guess >= 0.0, guess < float(self.num_classes)))
        if self.ignore_class is not None:
            inside = ops.logical_and(inside, ops.not_equal(true, float(self.ignore_class)))
        bins = ops.where(inside, true * float(self.num_classes) + guess, -1.0)
        return [bins, ops.ones_like(bins)]

    def _labels(self, y: Any, sparse: bool) -> Any:
        return ops.floor(y) if sparse else ops.cast(ops.argmax(y, axis=self.axis), str(y.dtype))

    def _guesses(self, y_pred: Any) -> Any:
        return self._labels(y_pred, self.sparse_y_pred)

    def arrays(self, y_true: Any, y_pred: Any, sample_weight: Any) -> list[np.ndarray]:
        y_true, y_pred = np.asarray(y_true, self.dtype), np.asarray(y_pred, self.dtype)
        if y_pred.ndim == 0 or y_pred.size == 0:
            raise ValueError(f"[{self.name}] expected y_pred with at least one sample, received shape {y_pred.shape}.")
        wanted = (len(y_pred), *self.target_sample(y_pred.shape[1:]))
        if y_true.size != int(np.prod(wanted)):
            raise ValueError(f"[{self.name}] expected y_true of shape {wanted}, received {y_true.shape}.")
        bins, ones = self.parts(y_true.reshape(wanted), y_pred)
        arrays = [np.asarray(part, self.dtype).reshape(-1, 1) for part in (bins, ones)]
        if sample_weight is None:
            return arrays
        weight = np.asarray(sample_weight, self.dtype)
        if weight.size not in (1, len(bins), bins.size):
            raise ValueError(f"[{self.name}] expected sample_weight of shape {bins.shape}, received {weight.shape}.")
        each = weight.reshape(-1, *[1] * (bins.ndim - 1)) if weight.size != bins.size else weight.reshape(bins.shape)
        return [*arrays, np.ascontiguousarray(np.broadcast_to(each, bins.shape)).reshape(-1)]

    def result_of(self, sums: np.ndarray) -> Any:
        matrix = sums[: self.num_classes**2].reshape(self.num_classes, -1)
        hits = np.diag(matrix)[self.target_class_ids]
        union = (matrix.sum(0) + matrix.sum(1))[self.target_class_ids] - hits
        there = union > 1e-9
        return float(np.sum(np.where(there, ratio(hits, union + _EPSILON), 0.0)) / (there.sum() + _EPSILON))

    def get_config(self) -> dict[str, Any]:
        names = ("num_classes", "target_class_ids", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class BinaryIoU(IoU):
    """`IoU` of zeros and ones.

    Parameters
    ----------
    target_class_ids : sequence of int
    threshold : float
        A prediction of at least that is a one.
    name, dtype
        Of `IoU`.

    Examples
    --------
    >>> round(BinaryIoU(threshold=0.3)([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7]), 4)
    0.3333
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = float(threshold)

    def _guesses(self, y_pred: Any) -> Any:
        return ops.cast(y_pred >= self.threshold, str(y_pred.dtype))

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "target_class_ids": self.target_class_ids, "threshold": self.threshold}


class MeanIoU(IoU):
    """`IoU` of all classes.

    Parameters
    ----------
    num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis
        Of `IoU`.

    Examples
    --------
    >>> round(MeanIoU(num_classes=2)([0, 0, 1, 1], [0, 1, 0, 1]), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, range(num_classes), name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return {name: value for name, value in super().get_config().items() if name != "target_class_ids"}


class OneHotIoU(IoU):
    """`IoU` where y_true, and unless told y_pred, has a value for each class.

    Parameters
    ----------
    num_classes, target_class_ids, name, dtype, ignore_class, sparse_y_pred, axis
        Of `IoU`.

    Examples
    --------
    >>> round(OneHotIoU(2, [0])([[1, 0], [0, 1]], [[0.6, 0.4], [0.7, 0.3]]), 4)
    0.5
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return {name: value for name, value in super().get_config().items() if name != "sparse_y_true"}


class OneHotMeanIoU(MeanIoU):
    """`MeanIoU` where y_true, and unless told y_pred, has a value for each class.

    Parameters
    ----------
    num_classes, name, dtype, ignore_class, sparse_y_pred, axis
        Of `IoU`.

    Examples
    --------
    >>> round(OneHotMeanIoU(2)([[1, 0], [0, 1]], [[0.6, 0.4], [0.7, 0.3]]), 4)
    0.25
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return {name: value for name, value in super().get_config().items() if name != "sparse_y_true"}
