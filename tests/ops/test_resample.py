"""Another number of points along an axis."""

from __future__ import annotations

import numpy as np
import pytest

import harness
from harness import Case

KINDS = ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"]


def case(x, **attrs):
    return Case("resample", [x], attrs, kind="norm", gradient_kind="norm", terms=9, scale=lambda x: np.abs(x).max() + 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("size", [1, 2, 5, 7, 13, 40])
def test_points_are_weighted_as_the_kernel_says(kind, antialias, size, dtype, rng):
    for shape, axis in (((2, 7, 3), 1), ((2, 3, 13, 1), 2), ((2, 3, 5, 33), 2), ((3, 21), 1), ((2, 1, 5), 1)):
        one = case(rng.standard_normal(shape), axis=axis, size=size, kind=kind, antialias=antialias)
        harness.check_op(one, dtype, rng, differences=shape == (2, 7, 3))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("window", [(2, 4), (-3, 13), (-2, 5), (5, 6), (-5, 3)], ids=str)
def test_a_window_may_leave_out_points_or_reach_beyond_them(kind, window, dtype, rng):
    attrs = {"axis": 1, "size": 6, "kind": kind, "begin": window[0], "length": window[1], "fill_value": 0.7}
    one = case(rng.standard_normal((2, 7, 3)), **attrs)
    harness.check_op(one, dtype, rng)


@pytest.mark.parametrize("kind", ["nearest", "bilinear", "bicubic"])
def test_as_many_points_as_there_were_are_the_points_themselves(kind, dtype, rng):
    x = rng.standard_normal((3, 4, 9)).astype(dtype)
    got = Case("resample", [x], {"axis": 1, "size": 4, "kind": kind}).run(dtype=dtype).output
    np.testing.assert_array_equal(got, x)


@pytest.mark.parametrize("kind", KINDS)
def test_points_are_the_same_for_any_team_and_batch(kind, dtype, rng):
    harness.check_team(case(rng.standard_normal((301, 28, 30)), axis=1, size=23, kind=kind), dtype, rng)
    harness.check_any_batch(case(rng.standard_normal((13, 6, 5, 2)), axis=2, size=9, kind=kind), dtype)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"kind": "area"}, "expected one of 'nearest', 'bilinear'"),
        ({"size": 0}, "expected 1 to"),
        ({"length": 0}, "expected 1 to"),
        ({"axis": 0}, "expected an axis"),
        ({"begin": 1 << 40}, "expected a window"),
        ({"fill_value": float("nan")}, "expected a finite fill_value"),
    ],
)
def test_points_that_cannot_be_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        case(np.ones((2, 5)), **{"axis": 1, "size": 3, "kind": "bilinear", **changed}).run()
