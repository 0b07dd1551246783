"""Constraints: every norm over the axes it says, on variables as they lie in their panels."""

from __future__ import annotations

import numpy as np
import pytest

import harness
import reference
from harness import Case
from hotloop import _core
from hotloop.testing import run_op
from tolerances import assert_close

KINDS = [
    {"kind": "max_norm", "max_value": 1.5},
    {"kind": "max_norm"},
    {"kind": "unit_norm"},
    {"kind": "min_max_norm", "min_value": 2.0, "max_value": 3.0, "rate": 0.3},
    {"kind": "min_max_norm"},
]
SHAPES = [(1, 1), (3, 5), (5, 3), (7, 16), (7, 33), (300, 17), (17, 300), (1, 40), (40, 1)]


def constrained(attrs, w, dtype):
    return run_op("constraint", [], attrs, [w], dtype=dtype).variables[0]


def check(attrs, w, dtype, terms):
    want = reference.constraint(w.astype(float), **attrs)
    assert_close(constrained(attrs, w, dtype), want, "sum", _core.row(dtype), dtype, terms)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("attrs", KINDS, ids=str)
@pytest.mark.parametrize("axis", [[0], [1], [-1], [0, 1]], ids=str)
def test_a_kernel_s_norms_run_over_the_axis(shape, attrs, axis, dtype, rng):
    check({**attrs, "axis": axis}, rng.standard_normal(shape).astype(dtype), dtype, max(shape))


@pytest.mark.parametrize("n", harness.SIZES)
@pytest.mark.parametrize("attrs", KINDS, ids=str)
def test_a_bias_has_one_norm(n, attrs, dtype, rng):
    check(attrs, rng.standard_normal(n).astype(dtype), dtype, n)


def test_a_variable_of_higher_rank_has_one_norm(dtype, rng):
    check({"kind": "unit_norm", "axis": [0, 1, 2]}, rng.standard_normal((2, 3, 5)).astype(dtype), dtype, 30)
    with pytest.raises(ValueError, match="expected every axis of"):
        constrained({"kind": "unit_norm", "axis": [0]}, np.ones((2, 3, 5)), dtype)


@pytest.mark.parametrize("shape", [(), (5,), (3, 5), (2, 3, 4), (70, 33)], ids=str)
def test_no_weight_stays_negative(shape, dtype, rng):
    w = rng.standard_normal(shape).astype(dtype)
    np.testing.assert_array_equal(constrained({"kind": "non_neg"}, w, dtype), np.maximum(w, 0))


def test_weights_of_norm_zero_stay_zero_and_nan_stays(dtype):
    for attrs in KINDS:
        w = np.zeros((4, 3), dtype)
        w[0, 1] = np.nan
        got = constrained(attrs, w, dtype)
        np.testing.assert_array_equal(got[:, [0, 2]], 0)
        assert np.isnan(got[0, 1])
    assert np.isnan(constrained({"kind": "non_neg"}, np.array([np.nan]), dtype)).all()


@pytest.mark.parametrize("attrs", [*KINDS, {"kind": "non_neg"}], ids=str)
def test_the_bits_are_the_same_on_any_team(attrs, dtype, rng):
    for axis in ([0], [1], [0, 1]):
        over = {} if attrs["kind"] == "non_neg" else {"axis": axis}
        case = Case("constraint", [], {**attrs, **over}, [3 * rng.standard_normal((700, 300))]).typed(dtype)
        alone = case.run(dtype=dtype, n_threads=1).variables[0]
        for team in harness.TEAMS[1:]:
            assert harness.same_bits(alone, case.run(dtype=dtype, n_threads=team).variables[0])


@pytest.mark.parametrize(
    ("attrs", "message"),
    [
        ({"kind": "maxnorm"}, "expected a known kind, received 'maxnorm'. Did you mean 'max_norm'?"),
        ({"kind": "non_neg", "axis": [0]}, "expected attributes of non_neg, received 'axis'"),
        ({"kind": "max_norm", "max_value": -1.0}, "expected a finite max_value of at least 0"),
        ({"kind": "min_max_norm", "rate": float("nan")}, "expected a finite rate"),
        ({"kind": "unit_norm", "axis": [2]}, "expected an axis of"),
        ({"kind": "unit_norm", "axis": [-3]}, "expected an axis of"),
    ],
)
def test_attributes_that_make_no_constraint_are_refused(attrs, message):
    with pytest.raises(ValueError, match=message):
        constrained(attrs, np.ones((2, 2)), "float32")


def test_a_batch_cannot_be_constrained():
    with pytest.raises(ValueError, match="expected a variable, received values with a batch axis"):
        run_op("constraint", [np.ones((2, 2))], {"kind": "non_neg"})
