"""Sums, means and extremes over one axis of a sample."""

from __future__ import annotations

import numpy as np
import pytest

import harness
from harness import SIZES, Case

KINDS = ["sum", "mean", "max", "min"]


def reduce(x, kind, axis, keepdims=False):
    def scale(x):
        total = np.abs(x).sum(axis, keepdims=keepdims)
        return total / x.shape[axis] if kind == "mean" else total

    attrs = {"kind": kind, "axis": axis, "keepdims": keepdims}
    return Case("reduce", [x], attrs, kind="sum", terms=x.shape[axis], scale=scale)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("columns", SIZES)
def test_a_reduction_is_right_for_every_width(kind, columns, dtype, rng):
    harness.check_op(reduce(rng.standard_normal((3, columns)), kind, -1), dtype, rng, differences=columns <= 5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axis", [1, 2, -1, -2])
@pytest.mark.parametrize("keepdims", [True, False])
def test_a_reduction_takes_the_axis_it_is_given(kind, axis, keepdims, dtype, rng):
    harness.check_op(reduce(rng.standard_normal((3, 4, 17)), kind, axis, keepdims), dtype, rng, differences=False)
    harness.check_op(reduce(rng.standard_normal((2, 3, 4)), kind, axis, keepdims), dtype, rng)


@pytest.mark.parametrize("kind", ["max", "min"])
def test_equal_extremes_share_the_gradient_as_in_keras(kind, dtype, rng):
    x = np.array([[1.0, 3.0, 3.0, -2.0, -2.0, 3.0]])
    harness.check_backward(reduce(x, kind, -1), dtype, rng)


@pytest.mark.parametrize("kind", KINDS)
def test_a_reduction_keeps_nan(kind, dtype, rng):
    x = rng.standard_normal((3, 21))
    x[1, 5] = np.nan
    got = reduce(x, kind, -1).typed(dtype).run(dtype=dtype).output
    np.testing.assert_array_equal(np.isnan(got.reshape(-1)), [False, True, False])


@pytest.mark.parametrize("kind", KINDS)
def test_a_reduction_has_the_same_bits_for_any_team_and_batch(kind, dtype, rng):
    harness.check_team(reduce(rng.standard_normal((501, 515)), kind, -1), dtype, rng)
    harness.check_team(reduce(rng.standard_normal((301, 33, 29)), kind, 1), dtype, rng)
    harness.check_any_batch(reduce(rng.standard_normal((13, 37)), kind, -1), dtype)


def test_the_batch_axis_is_not_reduced(rng):
    with pytest.raises(ValueError, match="not the batch axis"):
        harness.run_op("reduce", [rng.standard_normal((3, 4))], {"kind": "sum", "axis": 0})
