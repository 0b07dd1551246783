"""Slices, transposed and reversed axes, and places of the largest elements."""

from __future__ import annotations

import numpy as np
import pytest

import harness
from harness import Case

CASES = [
    ((4, 9), {"shape": [3], "strides": [1], "offset": 2}),
    ((4, 9), {"shape": [], "strides": [], "offset": 8}),
    ((4, 9), {"shape": [4], "strides": [-2], "offset": 8}),
    ((4, 3, 5), {"shape": [5, 3], "strides": [1, 5]}),
    ((4, 3, 5), {"shape": [2, 2], "strides": [5, 2], "offset": 1}),
    ((4, 2, 3, 4), {"shape": [4, 2, 3], "strides": [1, 12, 4]}),
    ((4, 37), {"shape": [31], "strides": [1], "offset": 3}),
]


@pytest.mark.parametrize(("shape", "attrs"), CASES)
def test_elements_are_taken_from_their_places_and_gradients_go_back(shape, attrs, dtype, rng):
    case = Case("rearrange", [rng.standard_normal(shape)], attrs, kind="copy")
    harness.check_op(case, dtype, rng)
    harness.check_any_batch(case, dtype)


def test_rearranging_has_the_same_bits_for_any_team(dtype, rng):
    attrs = {"shape": [17, 30], "strides": [1, 17]}
    harness.check_team(Case("rearrange", [rng.standard_normal((501, 30, 17))], attrs), dtype, rng)


@pytest.mark.parametrize(
    "attrs",
    [
        {"shape": [4], "strides": [1], "offset": 6},
        {"shape": [4], "strides": [-1], "offset": 2},
        {"shape": [4], "strides": [0]},
        {"shape": [2, 3], "strides": [2, 1]},
        {"shape": [2, 3], "strides": [1]},
    ],
)
def test_places_outside_or_taken_twice_are_refused(attrs):
    with pytest.raises(ValueError, match="expected"):
        Case("rearrange", [np.ones((2, 9))], attrs).run()


@pytest.mark.parametrize("shape", [(5, 1), (5, 37), (5, 3, 4), (5, 3, 2, 9)])
@pytest.mark.parametrize("smallest", [False, True])
def test_the_place_of_the_largest_is_found(shape, smallest, dtype, rng):
    x = rng.integers(-3, 3, shape).astype(float)  # many are equal
    for axis in range(1, len(shape)):
        case = Case("argmax", [x], {"axis": axis, "smallest": smallest}, kind="copy")
        harness.check_forward(case, dtype)
        harness.check_any_batch(case, dtype)


def test_the_place_of_a_nan_is_that_of_the_largest(dtype):
    x = np.array([[1.0, np.nan, 3.0, np.nan], [np.nan, 1.0, 2.0, 3.0], [1.0, 1.0, 0.0, 1.0]])
    for smallest, want in ((False, x.argmax(-1)), (True, x.argmin(-1))):
        got = Case("argmax", [x], {"smallest": smallest}).typed(dtype).run(dtype=dtype).output
        np.testing.assert_array_equal(got, want)
