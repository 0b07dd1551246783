"""Penalties: of variables as they lie in their panels, and of batches; with the gradients they add."""

from __future__ import annotations

import numpy as np
import pytest

import harness
import reference
from harness import SIZES, Case
from hotloop import _core
from hotloop.testing import check_gradient, run_op
from tolerances import assert_close

L1L2 = {"kind": "l1_l2", "l1": 0.3, "l2": 0.7}
SHAPES = [(), (1,), (40,), (1, 1), (3, 5), (7, 33), (300, 17), (2, 3, 5), (1, 9000), (600, 40)]


def orthogonal(mode, factor=0.5):
    return {"kind": "orthogonal", "factor": factor, "mode": mode}


def values(rng, shape, dtype):
    x = rng.standard_normal(shape).astype(dtype)
    if x.size > 3:
        x.reshape(-1)[1:3] = 0, -0.0
    return x


def check(attrs, dtype, x, batch=False):
    arrays = {"inputs": [x]} if batch else {"inputs": [], "variables": [x]}
    run = run_op("penalty", attrs=attrs, dtype=dtype, training=True, **arrays)
    exact = x.astype(float)
    want = reference.penalty(exact, **attrs, batch=batch)
    gradient = reference.penalty_gradient(exact, **attrs, batch=batch)
    got = run.input_gradients[0] if batch else run.variable_gradients[0]
    row = _core.row(dtype)
    assert_close(run.metrics[0, 2], want, "sum", row, dtype, min(x.size, 4096))
    scale = np.abs(gradient).max()
    if "factor" in attrs:  # the difference of two terms of this size; it is 0 for vectors of one element
        scale = attrs["factor"] / np.linalg.norm(exact, axis=1 if attrs["mode"] == "rows" else 0).min()
    assert_close(got.reshape(gradient.shape), gradient, "sum", row, dtype, max(x.shape, default=1), scale)
    alone = run_op("penalty", attrs=attrs, dtype=dtype, **arrays)
    assert alone.metrics[0, 2] == run.metrics[0, 2]
    if dtype == "float64" and x.size < 300:
        away = np.where(np.abs(x) < 1e-3, 0.1, x)  # from the corner of |x|
        pair = ([away], []) if batch else ([], [away])
        assert check_gradient("penalty", pair[0], attrs, pair[1]) < harness.FINITE_DIFFERENCE_ERROR


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("attrs", [L1L2, {"l1": 0.1}, {"l2": 2.0}], ids=["both", "l1", "l2"])
def test_the_penalty_of_a_variable_counts_every_element_once(shape, attrs, dtype, rng):
    check(attrs, dtype, values(rng, shape, dtype))


@pytest.mark.parametrize("columns", SIZES)
def test_the_penalty_of_a_batch_is_divided_by_its_rows(columns, dtype, rng):
    check(L1L2, dtype, values(rng, (5, columns), dtype), batch=True)
    check(L1L2, dtype, values(rng, (1, 2, columns), dtype), batch=True)


@pytest.mark.parametrize("shape", [(2, 2), (1, 5), (5, 1), (3, 20), (20, 3), (17, 33), (40, 40)], ids=str)
@pytest.mark.parametrize("mode", ["rows", "columns"])
def test_orthogonal_rows_and_columns_pay_for_their_angles(shape, mode, dtype, rng):
    check(orthogonal(mode), dtype, rng.standard_normal(shape).astype(dtype))


def test_orthogonal_vectors_and_zeros_pay_nothing(dtype):
    for mode in ("rows", "columns"):
        for w in (np.eye(5), np.zeros((3, 4))):
            run = run_op("penalty", [], orthogonal(mode), [w], dtype=dtype, training=True)
            assert run.metrics[0, 2] == 0
            np.testing.assert_array_equal(run.variable_gradients[0], np.zeros_like(w))


def test_a_nan_weight_makes_the_loss_nan_and_names_the_step(dtype):
    w = np.ones((3, 3))
    w[1, 1] = np.nan
    for attrs in (L1L2, orthogonal("rows")):
        run = run_op("penalty", [], attrs, [w], dtype=dtype, training=True, step=7)
        assert np.isnan(run.metrics[0, 2])
        assert run.metrics[0, 3] == 7
        assert np.isnan(run.variable_gradients[0][1, 1])


@pytest.mark.parametrize("attrs", [L1L2, orthogonal("rows"), orthogonal("columns")], ids=lambda a: str(a))
def test_a_variable_s_penalty_has_the_same_bits_on_any_team(attrs, dtype, rng):
    shape = (1500, 300) if attrs is L1L2 else (150, 130)
    harness.check_team(Case("penalty", [], attrs, [rng.standard_normal(shape)]), dtype, rng)


def test_a_batch_s_penalty_has_the_same_bits_on_any_team(dtype, rng):
    harness.check_team(Case("penalty", [rng.standard_normal((1201, 300))], L1L2), dtype, rng)


def test_the_mean_over_an_epoch_weighs_batches_by_their_rows(dtype, rng):
    x = rng.standard_normal((10, 3)).astype(dtype)
    run = run_op("penalty", [x], {"l1": 1.0}, dtype=dtype, batch_size=4)
    np.testing.assert_allclose(run.metrics[0, :2], [np.abs(x.astype(float)).sum(), 10], rtol=1e-6)


@pytest.mark.parametrize(
    ("attrs", "message"),
    [
        ({"kind": "l3"}, "expected kind 'l1_l2', 'orthogonal' or 'value', received 'l3'"),
        ({"l1": -1.0}, "expected a finite l1 of at least 0, received -1"),
        ({"l2": float("nan")}, "expected a finite l2"),
        ({"l1": float("inf")}, "expected a finite l1"),
        ({"factor": 1.0}, "unknown attribute 'factor'"),
        ({"kind": "orthogonal", "mode": "diagonals"}, "expected mode 'rows' or 'columns', received 'diagonals'"),
    ],
)
def test_attributes_that_make_no_penalty_are_refused(attrs, message):
    with pytest.raises(ValueError, match=message):
        run_op("penalty", [], attrs, [np.ones((2, 2))])


def test_only_kernels_can_be_orthogonal():
    with pytest.raises(ValueError, match="expected a variable of rank 2, received"):
        run_op("penalty", [], orthogonal("rows"), [np.ones(3)])
    with pytest.raises(ValueError, match="expected a variable of rank 2, received"):
        run_op("penalty", [np.ones((2, 3))], orthogonal("rows"))
