"""Rescaling and standardisation."""

from __future__ import annotations

import numpy as np
import pytest

import harness
from harness import SIZES, Case


def standardize(rng, shape, scalar=False, **attrs):
    size = 1 if scalar else shape[-1]
    variables = [rng.standard_normal(size), rng.random(size) + 0.1]
    return Case(
        "standardize",
        [rng.standard_normal(shape)],
        attrs,
        variables,
        trainable=[False, False],
        scale=lambda x, m, v, **_: np.abs(x) * np.sqrt(v) + np.abs(m) + (np.abs(x) + np.abs(m)) / np.sqrt(v),
    )


@pytest.mark.parametrize("columns", SIZES)
def test_rescaling_and_standardising_are_right_for_every_width(columns, dtype, rng):
    x = rng.standard_normal((4, columns))
    affine = Case("affine", [x], {"scale": 1 / 255, "offset": -0.5}, scale=lambda x: np.abs(x) + 1)
    harness.check_op(affine, dtype, rng, differences=columns <= 9)
    for invert in (False, True):
        harness.check_op(standardize(rng, (4, columns), invert=invert), dtype, rng, differences=columns <= 9)


def test_one_mean_may_serve_all_columns(dtype, rng):
    harness.check_op(standardize(rng, (5, 19), scalar=True), dtype, rng)


def test_standardisation_of_rank_three_uses_each_columns_statistics(dtype, rng):
    harness.check_op(standardize(rng, (3, 4, 5)), dtype, rng)
    harness.check_op(standardize(rng, (3, 2, 16)), dtype, rng, differences=False)


def test_a_constant_column_is_standardised_without_division_by_zero(dtype, rng):
    case = Case(
        "standardize",
        [np.array([[1.0, 2.0], [1.0, 3.0]])],
        {},
        [np.array([1.0, 2.0]), np.array([0.0, 1.0])],
        trainable=[False, False],
    )
    assert np.isfinite(case.typed(dtype).run(dtype=dtype).output).all()
    harness.check_forward(case, dtype)


def test_maps_have_the_same_bits_for_any_team_and_batch(dtype, rng):
    harness.check_team(standardize(rng, (501, 515)), dtype, rng)
    harness.check_any_batch(standardize(rng, (13, 37)), dtype)
    harness.check_team(Case("affine", [rng.standard_normal((801, 515))], {"scale": 3.0, "offset": 1.0}), dtype, rng)
