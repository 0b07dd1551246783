"""Loss values, gradients, weights and the running total."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import harness
import reference
from harness import SIZES, Case
from hotloop import _core
from hotloop.testing import OpRunner, run_op
from tolerances import assert_close

KINDS = [
    ("mean_squared_error", {}),
    ("mean_absolute_error", {}),
    ("linear", {}),
    ("value", {}),
    ("binary_crossentropy", {}),
    ("binary_crossentropy", {"label_smoothing": 0.2}),
    ("binary_crossentropy", {"from_logits": True}),
    ("binary_crossentropy", {"from_logits": True, "label_smoothing": 0.2}),
    ("categorical_crossentropy", {}),
    ("categorical_crossentropy", {"label_smoothing": 0.2}),
    ("categorical_crossentropy", {"from_logits": True, "label_smoothing": 0.2}),
    ("sparse_categorical_crossentropy", {}),
    ("sparse_categorical_crossentropy", {"from_logits": True}),
]
all_kinds = pytest.mark.parametrize(("kind", "options"), KINDS, ids=lambda v: v if isinstance(v, str) else "-".join(v))


def batch(rng, kind, options, shape):
    """Predictions and targets that the loss is smooth at."""
    if options.get("from_logits") or kind in ("mean_squared_error", "mean_absolute_error", "linear", "value"):
        p = 2 * rng.standard_normal(shape)
    else:
        p = rng.uniform(0.05, 0.95, shape)
    if kind.startswith("sparse"):
        return p, rng.integers(0, shape[-1], shape[:-1]).astype(np.int32)
    if kind == "categorical_crossentropy":
        return p, np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]
    if kind == "binary_crossentropy":
        return p, rng.integers(0, 2, shape).astype(float)
    return p, rng.standard_normal(shape)


def compare(dtype, kind, options, p, y, sample_weight=None, **attrs):
    inputs = [p.astype(dtype), y if y.dtype == np.int32 else y.astype(dtype)]
    inputs += [] if sample_weight is None else [sample_weight.astype(dtype)]
    run = run_op("loss", inputs, {"kind": kind} | options | attrs, dtype=dtype, training=True)
    exact = [a if a.dtype == np.int32 else a.astype(float) for a in inputs]
    options = options | attrs | {"precision": dtype}
    want = reference.loss(*exact, kind=kind, **options)
    slope = reference.loss_gradient(*exact, kind=kind, **options)
    row, terms = _core.row(dtype), p[0].size
    values, _ = reference.sample_losses(kind, *exact[:2], **{k: v for k, v in options.items() if k not in attrs})
    scale = np.abs(values).max() * (1 if attrs.get("reduction") != "sum" else values.size) + 1e-6
    scale *= 1 if sample_weight is None else max(1.0, np.abs(sample_weight).max())
    assert_close(run.metrics[0, 2], want, "loss", row, dtype, terms, scale, f"{kind} {options}")
    assert_close(run.input_gradients[0], slope, "loss", row, dtype, terms, None, f"{kind} {options} gradient")
    return run


@all_kinds
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
@pytest.mark.parametrize("columns", [1, 3, 16, 37])
def test_a_loss_and_its_gradient_are_right_with_and_without_weights(kind, options, reduction, columns, dtype, rng):
    p, y = batch(rng, kind, options, (11, columns))
    compare(dtype, kind, options, p, y, reduction=reduction)
    compare(dtype, kind, options, p, y, rng.uniform(0, 2, 11), reduction=reduction)
    compare(dtype, kind, options, p, y, rng.uniform(0, 2, (11, 1)), reduction=reduction)


@all_kinds
@pytest.mark.parametrize("columns", SIZES)
def test_a_loss_is_right_for_any_number_of_outputs(kind, options, columns, dtype, rng):
    p, y = batch(rng, kind, options, (3, columns))
    compare(dtype, kind, options, p, y)


@all_kinds
def test_a_loss_of_rank_three_averages_as_keras_does(kind, options, dtype, rng):
    p, y = batch(rng, kind, options, (5, 4, 3))
    compare(dtype, kind, options, p, y)
    compare(dtype, kind, options, p, y, reduction="sum")


@all_kinds
def test_a_loss_gradient_is_the_slope_of_the_loss(kind, options, rng):
    p, y = batch(rng, kind, options, (4, 3))
    weights = np.array([0.5, 1.0, 0.0, 2.0])
    for inputs, reduction in itertools.product(([p, y], [p, y, weights]), ("sum", "sum_over_batch_size")):
        harness.check_finite_differences(Case("loss", inputs, {"kind": kind, "reduction": reduction} | options))


def test_the_loss_weight_scales_the_gradient_and_not_the_value(dtype, rng):
    p, y = rng.standard_normal((2, 6, 3)).astype(dtype)
    one = run_op("loss", [p, y], {"kind": "mean_squared_error"}, dtype=dtype, training=True)
    half = run_op("loss", [p, y], {"kind": "mean_squared_error", "weight": 0.5}, dtype=dtype, training=True)
    np.testing.assert_array_equal(one.metrics, half.metrics)
    np.testing.assert_array_equal(one.input_gradients[0] * np.asarray(0.5, dtype), half.input_gradients[0])


def test_labels_as_a_column_are_class_numbers_too(dtype, rng):
    p, y = batch(rng, "sparse_categorical_crossentropy", {}, (6, 4))
    flat = compare(dtype, "sparse_categorical_crossentropy", {}, p, y)
    column = compare(dtype, "sparse_categorical_crossentropy", {}, p, y[:, None])
    np.testing.assert_array_equal(flat.metrics, column.metrics)


@pytest.mark.parametrize("kind", ["categorical_crossentropy", "sparse_categorical_crossentropy"])
def test_a_saturated_probability_costs_what_keras_says(kind, dtype):
    p = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    y = np.array([0, 1], np.int32) if kind.startswith("sparse") else np.eye(3)[[0, 1]]
    run = compare(dtype, kind, {}, p, y)
    np.testing.assert_array_equal(run.input_gradients[0], np.zeros((2, 3)))


def test_a_saturated_binary_probability_costs_what_keras_says(dtype):
    p, y = np.array([[0.0], [1.0], [0.0], [1.0]]), np.array([[1.0], [0.0], [0.0], [1.0]])
    run = compare(dtype, "binary_crossentropy", {}, p, y)
    np.testing.assert_array_equal(run.input_gradients[0], np.zeros((4, 1)))


@pytest.mark.parametrize("kind", ["binary_crossentropy", "categorical_crossentropy"])
def test_huge_logits_are_exact(kind, dtype):
    p = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 50.0]])
    compare(dtype, kind, {"from_logits": True}, p, np.array([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]))


def test_totals_over_batches_are_weighted_by_rows(dtype, rng):
    p, y, w = (rng.standard_normal(shape).astype(dtype) for shape in ((23, 3), (23, 3), (23,)))
    exact = [a.astype(float) for a in (p, y, w)]
    for reduction in ("sum_over_batch_size", "sum"):
        attrs = {"kind": "mean_squared_error", "reduction": reduction}
        total, count, last, bad = run_op("loss", [p, y, w], attrs, dtype=dtype, batch_size=5).metrics[0]
        parts = [[a[i : i + 5] for a in exact] for i in range(0, 23, 5)]
        per_batch = [reference.loss(*part, **attrs) for part in parts]
        sizes = [len(part[0]) for part in parts]
        assert count == 23
        assert_close(total, np.dot(per_batch, sizes), "loss", _core.row(dtype), dtype, 23, 23.0)
        assert_close(last, per_batch[-1], "loss", _core.row(dtype), dtype, 5, 5.0)
        assert bad == -1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_the_first_step_with_a_bad_loss_is_reported(value, dtype, rng):
    p, y = rng.standard_normal((2, 20, 3)).astype(dtype)
    bad = p.copy()
    bad[11, 1] = value
    runner = OpRunner("loss", [p, y], {"kind": "mean_squared_error"}, dtype=dtype)
    reported = []
    for step, x in ((100, p), (101, p), (102, bad), (103, bad), (104, p)):
        runner.trainer.run(runner.plan, _core.Dataset([x, y]), 0, 1, 20, 20, step=step)
        reported.append(runner.plan.metrics()[0, 3])
    assert reported == [-1, -1, 102, 102, 102]


@all_kinds
def test_a_loss_has_the_same_bits_for_any_team(kind, options, dtype, rng):
    p, y = batch(rng, kind, options, (701, 65))
    harness.check_team(Case("loss", [p, y, rng.random(701)], {"kind": kind} | options), dtype, rng)


@pytest.mark.parametrize(
    ("attrs", "match"),
    [
        ({"kind": "mean_square_error"}, "Did you mean 'mean_squared_error'"),
        ({"kind": "mean_squared_error", "reduction": "mean_"}, "reduction"),
        ({"kind": "mean_squared_error", "label_smoothing": 0.1}, "label_smoothing"),
        ({"kind": "mean_squared_error", "from_logits": True}, "from_logits"),
        ({"kind": "binary_crossentropy", "label_smoothing": 1.5}, "label_smoothing"),
        ({"kind": "mean_squared_error", "wieght": 2.0}, "Did you mean 'weight'"),
    ],
)
def test_a_loss_without_meaning_is_refused(attrs, match, rng):
    with pytest.raises(ValueError, match=match):
        run_op("loss", [rng.random((4, 3)), rng.random((4, 3))], attrs)


def test_targets_of_another_shape_are_refused(rng):
    p = rng.random((4, 3))
    for y in (rng.random((4, 1)), rng.random(4), rng.random((4, 4)), rng.random((4, 3, 1))):
        with pytest.raises(ValueError, match="y_true"):
            run_op("loss", [p, y], {"kind": "mean_squared_error"})
    with pytest.raises(ValueError, match="sample_weight"):
        run_op("loss", [p, p, rng.random((4, 3))], {"kind": "mean_squared_error"})
