"""The same elements under other axes."""

from __future__ import annotations

import pytest

import harness
from harness import Case


@pytest.mark.parametrize(
    ("before", "after"), [((6,), (2, 3)), ((2, 3), (6,)), ((4, 5), (5, 4)), ((33,), (33, 1)), ((2, 3, 4), (4, 6))]
)
def test_reshaped_elements_keep_their_order(before, after, dtype, rng):
    x = rng.standard_normal((5, *before))
    harness.check_op(Case("reshape", [x], {"shape": list(after)}, kind="copy"), dtype, rng)


def test_an_axis_of_minus_one_is_worked_out(dtype, rng):
    x = rng.standard_normal((5, 4, 6)).astype(dtype)
    assert harness.run_op("reshape", [x], {"shape": [3, -1]}, dtype=dtype).output.shape == (5, 3, 8)


@pytest.mark.parametrize("shape", [[5], [7, -1], [-1, -1], [3, 9], [0, -1], [2**62, 4]])
def test_a_shape_that_does_not_fit_is_refused(shape, rng):
    with pytest.raises(ValueError, match="expected"):
        harness.run_op("reshape", [rng.standard_normal((5, 4, 6))], {"shape": shape})


def test_a_reshape_is_the_same_in_any_batch(dtype, rng):
    harness.check_any_batch(Case("reshape", [rng.standard_normal((13, 6, 7))], {"shape": [14, 3]}), dtype)
