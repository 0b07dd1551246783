"""SummedMetric: a metric of several sums, which only its result brings together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops, rowwise
from ..trace import Traced
from .metric import Metric
from .own import count_traced


class SummedMetric(Metric):
    """Base class: what `parts` gives is added up over samples, weighted; `result_of` makes the result of the sums.

    Parameters
    ----------
    dtype, name
        Of `Metric`.

    Attributes
    ----------
    sums : ndarray of float64
        So far; empty before the first sample.
    """

    sums: np.ndarray
    summed = True
    kind = "sums"

    def parts(self, y_true: Any, y_pred: Any) -> list[Any]:
        """Expressions of the shape (samples, n): values to add up; of a histogram the bins, and 1 or 0 for a hit."""
        raise NotImplementedError

    def rows(self, y_pred_shape: Sequence[Any]) -> int:
        """How many sums there are."""
        raise NotImplementedError

    def target_sample(self, sample: tuple[Any, ...]) -> tuple[Any, ...]:
        """Shape of a sample of y_true, for that of y_pred."""
        return sample

    def result_of(self, sums: np.ndarray) -> Any:
        """The result, of sums of shape (rows,)."""
        raise NotImplementedError

    def node_attrs(self) -> dict[str, Any]:
        return {"kind": self.kind}

    def result_from_rows(self, rows: np.ndarray) -> Any:
        result = np.asarray(self.result_of(rows[:, 0]))
        return float(result) if result.ndim == 0 else result

    def take_rows(self, rows: np.ndarray) -> None:
        self.sums = rows[:, 0].copy()

    def traced_parts(self, y_true: Any, y_pred: Any) -> list[Any]:
        """`parts` as the op takes them: two tensors of two axes."""
        if len(y_pred.shape) == 1:
            y_pred = ops.reshape(y_pred, (-1, 1))
        wanted = self.target_sample(tuple(y_pred.shape[1:]))
        if tuple(y_true.shape[1:]) != wanted:
            y_true = ops.reshape(y_true, (-1, *wanted))
        parts = [ops.flatten(part) for part in self.parts(y_true, y_pred)]
        return parts * 2 if len(parts) == 1 else parts

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count the samples of two arrays, weighted."""
        from ..testing import run_op

        if isinstance(y_pred, Traced):
            return count_traced(self, y_true, y_pred, sample_weight)
        inputs = self.arrays(y_true, y_pred, sample_weight)
        sums = run_op("metric", inputs, self.node_attrs(), dtype=inputs[0].dtype.name).metrics[:, 0]
        if len(self.sums) not in (0, len(sums)):
            raise ValueError(
                f"[{self.name}] expected y_pred with as many columns as before, received shape {np.shape(y_pred)}. "
                "Call reset_state first."
            )
        self.sums = sums + self.sums if len(self.sums) else sums.copy()

    def arrays(self, y_true: Any, y_pred: Any, sample_weight: Any) -> list[np.ndarray]:
        """The inputs of the op: parts, and weights where there are any."""
        y_pred = np.asarray(y_pred)
        if y_pred.ndim == 1:
            y_pred = y_pred.reshape(-1, 1)
        rows = rowwise.to_rows(self.name, y_true, y_pred, dtype=self.dtype)
        weight = rowwise.to_weights(rows, sample_weight)
        inputs = [np.asarray(part, rows.y_pred.dtype) for part in self.traced_parts(rows.y_true, rows.y_pred)]
        return inputs if weight is None else [*inputs, weight]

    def result(self) -> Any:
        """The result so far; 0 before the first sample."""
        return self.result_from_rows(self.sums[:, None]) if len(self.sums) else 0.0

    def reset_state(self) -> None:
        """Forget all samples."""
        super().reset_state()
        self.sums = np.zeros(0)

    def merge_state(self, metrics: Any) -> None:
        """Count what other metrics have counted too."""
        for metric in metrics:
            if len(metric.sums):
                self.sums = metric.sums + self.sums if len(self.sums) else metric.sums.copy()


def ratio(a: Any, b: Any) -> np.ndarray:
    """a / b, and 0 where b is 0."""
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    return np.divide(a, b, out=np.zeros(a.shape), where=b != 0)
