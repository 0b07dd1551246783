"""Metrics: totals and counts."""

from __future__ import annotations

import numpy as np
import pytest

import harness
import reference
from harness import SIZES, Case
from hotloop import _core
from hotloop.testing import run_op
from tolerances import assert_close

ERRORS = [
    ("mean_squared_error", {}),
    ("mean_absolute_error", {}),
    ("binary_crossentropy", {"label_smoothing": 0.1}),
    ("binary_crossentropy", {"from_logits": True}),
    ("categorical_crossentropy", {}),
    ("categorical_crossentropy", {"from_logits": True}),
    ("sparse_categorical_crossentropy", {}),
    ("sparse_categorical_crossentropy", {"from_logits": True}),
]
ACCURACIES = [
    ("binary_accuracy", {}),
    ("binary_accuracy", {"threshold": 0.7}),
    ("categorical_accuracy", {}),
    ("sparse_categorical_accuracy", {}),
    ("top_k_categorical_accuracy", {"k": 3}),
    ("sparse_top_k_categorical_accuracy", {"k": 2}),
]
all_kinds = pytest.mark.parametrize(
    ("kind", "options"), ERRORS + ACCURACIES, ids=lambda v: v if isinstance(v, str) else "-".join(v)
)


def batch(rng, kind, shape):
    p = rng.uniform(0.05, 0.95, shape)
    if kind.startswith("sparse"):
        return p, rng.integers(0, shape[-1], shape[:-1]).astype(np.int32)
    if kind.startswith("categorical"):
        return p, np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]
    return p, (rng.integers(0, 2, shape).astype(float) if kind.startswith("binary") else rng.standard_normal(shape))


def compare(dtype, kind, options, *arrays):
    inputs = [a if a.dtype == np.int32 else a.astype(dtype) for a in arrays]
    run = run_op("metric", inputs, {"kind": kind} | options, dtype=dtype)
    exact = [a if a.dtype == np.int32 else a.astype(float) for a in inputs]
    precise = {} if kind.endswith("accuracy") else {"precision": dtype}
    total, count = reference.metric(*exact, kind=kind, **options, **precise)
    row, rows = _core.row(dtype), len(exact[0])
    assert_close(run.metrics[0, 0], total, "metric", row, dtype, exact[0][0].size, 4.0 * rows)
    assert_close(run.metrics[0, 1], count, "metric", row, dtype, rows, max(1.0, count))


@all_kinds
@pytest.mark.parametrize("columns", SIZES)
def test_a_metric_is_right_for_any_number_of_outputs(kind, options, columns, dtype, rng):
    p, y = batch(rng, kind, (7, columns))
    compare(dtype, kind, options, p, y)
    compare(dtype, kind, options, p, y, rng.uniform(0, 2, 7))
    compare(dtype, kind, options, p, y, rng.uniform(0, 2, (7, 1)))


@all_kinds
def test_a_metric_of_rank_three_averages_as_keras_does(kind, options, dtype, rng):
    compare(dtype, kind, options, *batch(rng, kind, (5, 4, 3)))


def test_labels_as_a_column_are_compared_one_by_one(dtype, rng):
    p, y = batch(rng, "sparse_categorical_accuracy", (9, 4))
    compare(dtype, "sparse_categorical_accuracy", {}, p, y[:, None])


def test_ties_and_the_threshold_count_as_in_keras(dtype):
    same = np.full((3, 4), 0.25)
    compare(dtype, "sparse_categorical_accuracy", {}, same, np.array([0, 1, 3], np.int32))
    compare(dtype, "categorical_accuracy", {}, same, np.eye(4)[[0, 1, 3]])
    half = np.array([[0.5], [0.5]])
    compare(dtype, "binary_accuracy", {}, half, np.array([[0.0], [1.0]]))


def test_metrics_add_up_over_batches(dtype, rng):
    p, y = batch(rng, "mean_absolute_error", (23, 3))
    p, y, w = p.astype(dtype), y.astype(dtype), rng.random(23).astype(dtype)
    whole = run_op("metric", [p, y, w], {"kind": "mean_absolute_error"}, dtype=dtype).metrics[0]
    parts = run_op("metric", [p, y, w], {"kind": "mean_absolute_error"}, dtype=dtype, batch_size=5).metrics[0]
    np.testing.assert_allclose(parts[:2], whole[:2], rtol=1e-6)


@all_kinds
def test_a_metric_has_the_same_bits_for_any_team(kind, options, dtype, rng):
    p, y = batch(rng, kind, (701, 65))
    harness.check_team(Case("metric", [p, y, rng.random(701)], {"kind": kind} | options, wrt=[]), dtype, rng)


def test_an_unknown_metric_is_refused(rng):
    with pytest.raises(ValueError, match="Did you mean 'binary_accuracy'"):
        run_op("metric", [rng.random((4, 1)), rng.random((4, 1))], {"kind": "binary_acuracy"})


@pytest.mark.parametrize("columns", SIZES)
@pytest.mark.parametrize("kind", ["sums", "histogram"])
def test_a_metric_of_several_sums_counts_each_with_the_samples_weights(kind, columns, dtype, rng):
    bins = {"bins": 5} if kind == "histogram" else {}
    p = rng.integers(-1, 6, (9, columns)).astype(dtype) if bins else rng.standard_normal((9, columns)).astype(dtype)
    y = rng.integers(0, 2, (9, columns)).astype(dtype)
    for weight in ([], [rng.uniform(0, 2, 9).astype(dtype)], [rng.uniform(0, 2, (9, 1)).astype(dtype)]):
        run = run_op("metric", [p, y, *weight], {"kind": kind} | bins, dtype=dtype)
        exact = reference.metric_sums(*[a.astype(float) for a in (p, y, *weight)], kind=kind, **bins)
        assert_close(run.metrics[:, 0], exact, "metric", _core.row(dtype), dtype, p.size, 20.0 * p.size)


def test_sums_go_on_from_batch_to_batch(dtype, rng):
    p = rng.integers(0, 4, (10, 3)).astype(dtype)
    y = rng.integers(0, 2, (10, 3)).astype(dtype)
    for kind in ({"kind": "sums"}, {"kind": "histogram", "bins": 4}):
        whole = run_op("metric", [p, y], kind, dtype=dtype).metrics
        np.testing.assert_array_equal(
            run_op("metric", [p, y], kind, dtype=dtype, batch_size=3).metrics[:, 0], whole[:, 0]
        )


def test_what_is_no_number_lies_in_no_bin(dtype):
    p, y = np.array([[np.nan, np.inf, 1.0, -1.0, 2.0]], dtype), np.ones((1, 5), dtype)
    rows = run_op("metric", [p, y], {"kind": "histogram", "bins": 2}, dtype=dtype).metrics
    np.testing.assert_array_equal(rows[:, 0], [0, 1, 0, 0])


@pytest.mark.parametrize("kind", [{"kind": "sums"}, {"kind": "histogram", "bins": 7}])
def test_sums_do_not_depend_on_the_team(kind, dtype, rng):
    p, y = rng.integers(0, 7, (300, 65)).astype(dtype), rng.integers(0, 2, (300, 65)).astype(dtype)
    harness.check_team(Case("metric", [p, y, rng.uniform(0, 2, 300)], kind, wrt=[]), dtype, rng)


def test_a_histogram_without_bins_is_refused(dtype):
    with pytest.raises(ValueError, match="bins"):
        run_op("metric", [np.ones((2, 2)), np.ones((2, 2))], {"kind": "histogram", "bins": 0}, dtype=dtype)
