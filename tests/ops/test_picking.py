"""Elements picked by indices, put in order, summed up to each, and put into larger rows."""

from __future__ import annotations

import numpy as np
import pytest

import harness
from harness import SIZES, Case

SHAPES = [((4, 9), -1), ((3, 5, 4), 1), ((3, 5, 4), 2), ((2, 3, 4, 17), 2), ((7, 1), 1)]


def picks(rng, shape, axis, count, size):
    return rng.integers(-size, size, [count if i == axis % len(shape) else n for i, n in enumerate(shape)])


@pytest.mark.parametrize("count", [1, 3, 11])
@pytest.mark.parametrize("codes", [True, False])
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_each_place_picks_by_its_own_index_and_sends_its_gradient_there(shape, axis, codes, count, dtype, rng):
    index = picks(rng, shape, axis, count, shape[axis])
    index = index.astype(np.int32) if codes else index + rng.choice([0.0, 0.25], index.shape) * (index >= 0)
    inputs, attrs = [rng.standard_normal(shape), index], {"axis": axis}
    case = Case("take_along_axis", inputs, attrs, wrt=[0], kind="copy", gradient_kind="sum", terms=count)
    harness.check_op(case, dtype, rng, shape[0] * count < 20)
    harness.check_any_batch(case, dtype)


def test_picking_has_the_same_bits_for_any_team(dtype, rng):
    x, index = rng.standard_normal((501, 30, 17)), rng.integers(0, 30, (501, 40, 17)).astype(np.int32)
    harness.check_team(Case("take_along_axis", [x, index], {"axis": 1}, wrt=[0]), dtype, rng)


@pytest.mark.parametrize("outside", [3.0, -4.0, 3.5, np.nan, np.inf, -1e30, 1e30])
def test_an_index_outside_gives_nan_and_no_gradient(outside, dtype):
    case = Case("take_along_axis", [[[1.0, 2.0, 4.0]], [[-1.0, outside]]], {}, wrt=[0])
    run = case.typed(dtype).run(dtype=dtype, training=True, upstream=np.array([[5.0, 7.0]], dtype))
    np.testing.assert_array_equal(run.output, [[4.0, np.nan]])
    np.testing.assert_array_equal(run.input_gradients[0], [[0.0, 0.0, 5.0]])


def test_codes_outside_give_nan(dtype):
    codes = np.array([[0, 3, -3, -4, 2**31 - 1, -(2**31)]], np.int32)
    got = Case("take_along_axis", [[[1.0, 2.0, 4.0]], codes]).typed(dtype).run(dtype=dtype).output
    np.testing.assert_array_equal(got, [[1.0, np.nan, 1.0, np.nan, np.nan, np.nan]])


@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 4), (2, 2, 1)])
def test_an_index_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="an index of the shape of x"):
        Case("take_along_axis", [np.ones((2, 3, 4)), np.zeros(shape)], {"axis": 2}).run()


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("size", [*SIZES, 1000])
def test_places_stand_in_the_order_of_the_elements(size, descending, dtype, rng):
    few, many = rng.integers(-3, 3, (4, size)).astype(float), rng.standard_normal((4, size))
    for x in (few, many, np.sort(many, -1), -np.sort(many, -1)):
        case = Case("argsort", [x], {"descending": descending}, kind="copy")
        harness.check_forward(case, dtype)
    harness.check_any_batch(case, dtype)


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_the_axis_that_was_asked_for_is_put_in_order(shape, axis, dtype, rng):
    harness.check_forward(Case("argsort", [rng.standard_normal(shape)], {"axis": axis}, kind="copy"), dtype)


def test_a_nan_counts_as_the_largest(dtype):
    x = np.array([[np.nan, 1.0, np.inf, np.nan, -np.inf, -0.0, 0.0]])
    for descending, want in ((False, [[4, 5, 6, 1, 2, 0, 3]]), (True, [[0, 3, 2, 1, 5, 6, 4]])):
        got = Case("argsort", [x], {"descending": descending}).typed(dtype).run(dtype=dtype).output
        np.testing.assert_array_equal(got, want)


def test_the_order_is_the_same_for_any_team(dtype, rng):
    x = rng.integers(0, 9, (301, 60, 3)).astype(float)
    case = Case("argsort", [x], {"axis": 1}).typed(dtype)
    alone = case.run(dtype=dtype, n_threads=1).output
    for team in harness.TEAMS[1:]:
        assert harness.same_bits(alone, case.run(dtype=dtype, n_threads=team).output)


@pytest.mark.parametrize("columns", SIZES)
def test_sums_up_to_each_element_and_their_gradient_are_right(columns, dtype, rng):
    def scale(x):
        return np.cumsum(np.abs(x), -1)

    case = Case("cumsum", [rng.standard_normal((3, columns))], kind="sum", terms=columns, scale=scale)
    harness.check_op(case, dtype, rng, columns <= 5)
    harness.check_any_batch(case, dtype)


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_sums_go_along_the_axis_that_was_asked_for(shape, axis, dtype, rng):
    case = Case("cumsum", [rng.standard_normal(shape)], {"axis": axis}, kind="sum", terms=shape[axis] * 4)
    harness.check_op(case, dtype, rng, len(shape) < 4)


def test_sums_up_to_each_element_have_the_same_bits_for_any_team(dtype, rng):
    for axis in (1, 2):
        harness.check_team(Case("cumsum", [rng.standard_normal((501, 30, 70))], {"axis": axis}), dtype, rng)


@pytest.mark.parametrize(
    ("shape", "attrs"),
    [
        ((4, 3), {"shape": [9], "strides": [2], "offset": 1}),
        ((4, 3), {"shape": [9], "strides": [-4], "offset": 8}),
        ((4, 2, 5), {"shape": [4, 7], "strides": [7, 1], "offset": 8}),
        ((4, 5, 2), {"shape": [2, 5], "strides": [1, 5]}),
        ((4, 0), {"shape": [5], "strides": [1]}),
        ((4,), {"shape": [3], "strides": [], "offset": 1}),
    ],
)
def test_elements_are_put_at_their_places_among_zeros(shape, attrs, dtype, rng):
    case = Case("place", [rng.standard_normal(shape)], attrs, kind="copy")
    harness.check_op(case, dtype, rng)
    harness.check_any_batch(case, dtype)


def test_placing_has_the_same_bits_for_any_team(dtype, rng):
    attrs = {"shape": [40, 33], "strides": [33, 1], "offset": 34}
    harness.check_team(Case("place", [rng.standard_normal((501, 30, 17))], attrs), dtype, rng)


@pytest.mark.parametrize("attrs", [{"shape": [4], "strides": [2]}, {"shape": [9], "strides": [0]}])
def test_places_outside_or_filled_twice_are_refused(attrs):
    with pytest.raises(ValueError, match="expected"):
        Case("place", [np.ones((2, 3))], attrs).run()
