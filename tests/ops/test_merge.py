"""Add and concatenate."""

from __future__ import annotations

import numpy as np
import pytest

import harness
from harness import SIZES, Case


@pytest.mark.parametrize("columns", SIZES)
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_a_sum_is_right_for_any_width_and_number_of_inputs(columns, count, dtype, rng):
    xs = [rng.standard_normal((3, columns)) for _ in range(count)]
    case = Case("add", xs, kind="sum", terms=count, scale=lambda *xs: sum(map(np.abs, xs)))
    harness.check_op(case, dtype, rng, differences=columns <= 4)


@pytest.mark.parametrize("widths", [(1,), (1, 1), (3, 5), (16, 16), (7, 1, 33), (64, 3, 8, 2)])
def test_concatenated_columns_stand_in_order(widths, dtype, rng):
    xs = [rng.standard_normal((4, width)) for width in widths]
    for axis in (-1, 1):
        harness.check_op(Case("concatenate", xs, {"axis": axis}, kind="copy"), dtype, rng)


@pytest.mark.parametrize(("axis", "shapes"), [(1, [(2, 5), (3, 5)]), (2, [(3, 2), (3, 7)]), (-1, [(4, 16), (4, 1)])])
def test_concatenation_of_rank_three_keeps_rows_apart(axis, shapes, dtype, rng):
    xs = [rng.standard_normal((5, *shape)) for shape in shapes]
    harness.check_op(Case("concatenate", xs, {"axis": axis}, kind="copy"), dtype, rng)


def test_merges_have_the_same_bits_for_any_team_and_batch(dtype, rng):
    xs = [rng.standard_normal((401, 515)) for _ in range(3)]
    harness.check_team(Case("add", xs), dtype, rng)
    harness.check_team(Case("concatenate", xs, {"axis": -1}), dtype, rng)
    harness.check_any_batch(Case("concatenate", [x[:13, :21] for x in xs], {"axis": 1}), dtype)


def test_shapes_that_do_not_fit_are_not_merged(rng):
    a, b = rng.standard_normal((3, 4)), rng.standard_normal((3, 5))
    with pytest.raises(ValueError, match=r"\[add 'arrays'\] expected"):
        harness.run_op("add", [a, b])
    with pytest.raises(ValueError, match=r"\[concatenate 'arrays'\] expected"):
        harness.run_op("concatenate", [a.reshape(3, 2, 2), b], {"axis": 1})
    with pytest.raises(ValueError, match=r"\[concatenate 'arrays'\] expected"):
        harness.run_op("concatenate", [a, a], {"axis": 0})
