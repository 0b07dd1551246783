"""Losses and metrics on arrays, outside of a model: bring the arrays into rows and run the op that models run."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from . import _core
from .config import floatx


class Rows(NamedTuple):
    """Arrays as the ops take them.

    Attributes
    ----------
    where : str
        Who asked, for messages.
    y_pred : ndarray (rows, columns)
    y_true : ndarray (rows, columns), or (rows,) of int32 class numbers
    shape : tuple of int
        The axes that were folded into rows: the shape of the values.
    """

    where: str
    y_pred: np.ndarray
    y_true: np.ndarray
    shape: tuple[int, ...]


def to_rows(where: str, y_true: Any, y_pred: Any, *, class_numbers: bool = False, dtype: str | None = None) -> Rows:
    """Check two arrays against each other and fold all axes but the last into rows.

    Ranks that differ by an axis of size 1 at the end are brought together.

    Raises
    ------
    ValueError
        If the shapes do not fit, there are no samples, or class numbers lie outside the classes.
    """
    y_pred, y_true = np.asarray(y_pred, dtype or floatx()), np.asarray(y_true)
    if y_pred.ndim == 0 or y_pred.size == 0:
        raise ValueError(f"[{where}] expected y_pred with at least one sample, received shape {y_pred.shape}.")
    if class_numbers:
        y_true = _class_numbers(where, y_true, y_pred)
    else:
        y_true, y_pred = _same_rank(y_true, y_pred)
        if y_true.shape != y_pred.shape:
            raise ValueError(f"[{where}] expected y_true of shape {y_pred.shape}, received {y_true.shape}.")
        y_true = np.ascontiguousarray(y_true, y_pred.dtype).reshape(-1, y_pred.shape[-1])
    shape = y_pred.shape[:-1]
    return Rows(where, np.ascontiguousarray(y_pred).reshape(-1, y_pred.shape[-1]), y_true, shape)


def _same_rank(y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if y_true.ndim == y_pred.ndim + 1 and y_true.shape[-1] == 1:
        return y_true[..., 0], y_pred
    if y_pred.ndim == y_true.ndim + 1 and y_pred.shape[-1] == 1:
        return y_true[..., None], y_pred
    return y_true, y_pred


def _class_numbers(where: str, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = y_true[..., 0]
    if y_true.shape != y_pred.shape[:-1]:
        raise ValueError(
            f"[{where}] expected y_true of class numbers, shape {y_pred.shape[:-1]}, received {y_true.shape}. "
            "For one-hot targets take the categorical variant."
        )
    flat = np.ascontiguousarray(y_true).reshape(-1)
    bad = _core.check_labels(flat, y_pred.shape[-1])
    if bad >= 0:
        raise ValueError(
            f"[{where}] expected whole class numbers in [0, {y_pred.shape[-1]}), received {flat[bad]} at {bad}."
        )
    return flat.astype(np.int32)


def to_weights(rows: Rows, sample_weight: Any) -> np.ndarray | None:
    """Sample weights, one for each row, broadcast over the axes they lack; None stays None."""
    if sample_weight is None:
        return None
    weight = np.asarray(sample_weight, rows.y_pred.dtype)
    if weight.ndim == len(rows.shape) + 1 and weight.shape[-1] == 1:
        weight = weight[..., 0]
    shaped = weight.reshape(weight.shape + (1,) * (len(rows.shape) - weight.ndim))
    try:
        return np.ascontiguousarray(np.broadcast_to(shaped, rows.shape)).reshape(-1)
    except ValueError:
        raise ValueError(
            f"[{rows.where}] expected sample_weight of shape {rows.shape}, received {np.shape(sample_weight)}."
        ) from None


def total(op: str, rows: Rows, attrs: dict[str, Any], weight: np.ndarray | None = None) -> tuple[float, float]:
    """Sum of weight * value over all rows, and what the op counts: rows for a loss, weights for a metric."""
    runner = _runner(op, rows, attrs, weight, len(rows.y_pred))
    metrics = runner.run([a for a in (rows.y_pred, rows.y_true, weight) if a is not None]).metrics
    return float(metrics[0, 0]), float(metrics[0, 1])


def each(op: str, rows: Rows, attrs: dict[str, Any]) -> np.ndarray:
    """The value of every row, in the shape the rows came in."""
    runner = _runner(op, rows, attrs, None, 1)
    dataset = _core.Dataset([rows.y_pred, rows.y_true])
    n = len(rows.y_pred)
    values = np.empty(n, rows.y_pred.dtype)
    for i in range(n):
        runner.plan.reset_metrics()
        runner.trainer.run(runner.plan, dataset, i, 1, 1, n)
        values[i] = runner.plan.metrics()[0, 0]
    return values.reshape(rows.shape)


def weighted_mean(values_total: float, count: float) -> float:
    """total / count, and 0 where nothing was counted."""
    return values_total / count if count else 0.0


def _runner(op: str, rows: Rows, attrs: dict[str, Any], weight: np.ndarray | None, max_rows: int) -> Any:
    from .testing import OpRunner

    inputs = [rows.y_pred, rows.y_true] + ([] if weight is None else [weight])
    return OpRunner(op, inputs, attrs, dtype=rows.y_pred.dtype.name, max_rows=max_rows)
