"""Standardisation of each sample by its own statistics: over trailing axes, of groups, by root mean square or norm."""

from __future__ import annotations

import numpy as np
import pytest

import harness
from harness import SIZES, Case


def norm(rng, shape, **attrs):
    x = 0.5 + rng.standard_normal(shape)
    weights = shape[-1:] if "groups" in attrs else shape[-attrs.get("axes", 1) :]
    count = int(attrs.get("scale", True)) + int(attrs.get("center", True))
    variables = [rng.standard_normal(weights) for _ in range(count)]
    return Case("layer_norm", [x], attrs, variables, kind="norm", gradient_kind="norm_gradient", terms=x[0].size)


@pytest.mark.parametrize("kind", ["layer", "rms", "unit"])
@pytest.mark.parametrize("columns", SIZES)
def test_a_norm_and_its_gradients_are_right_for_every_width(kind, columns, dtype, rng):
    case = norm(rng, (4, columns), kind=kind, epsilon=0.1)  # a small one leaves nothing of the gradient of two columns
    harness.check_forward(case, dtype)
    if kind != "unit" or columns > 1:
        harness.check_op(case, dtype, rng, differences=columns <= 9)


@pytest.mark.parametrize("kind", ["layer", "rms", "unit"])
@pytest.mark.parametrize(("shape", "axes"), [((3, 4, 5), 1), ((3, 4, 5), 2), ((2, 3, 4, 17), 2), ((2, 3, 2, 3), 3)])
def test_a_norm_over_several_axes_has_a_weight_for_each_element(kind, shape, axes, dtype, rng):
    harness.check_op(norm(rng, shape, kind=kind, axes=axes), dtype, rng)


@pytest.mark.parametrize(
    ("shape", "groups"), [((4, 6), 1), ((4, 6), 2), ((4, 6), 3), ((3, 5, 6), 2), ((2, 2, 3, 34), 2)]
)
def test_groups_are_standardised_over_their_channels_and_all_positions(shape, groups, dtype, rng):
    harness.check_op(norm(rng, shape, groups=groups), dtype, rng)


@pytest.mark.parametrize(("center", "scale"), [(False, False), (True, False), (False, True)])
def test_a_norm_without_some_of_its_weights_is_still_a_norm(center, scale, dtype, rng):
    harness.check_op(norm(rng, (3, 7), center=center, scale=scale), dtype, rng)
    harness.check_op(norm(rng, (3, 6), groups=2, center=center, scale=scale), dtype, rng)


def test_a_norm_has_the_same_bits_for_any_team_and_batch(dtype, rng):
    harness.check_team(norm(rng, (301, 515)), dtype, rng)
    harness.check_team(norm(rng, (301, 5, 102), groups=6), dtype, rng)
    harness.check_team(norm(rng, (301, 5, 102), axes=2, kind="rms"), dtype, rng)
    harness.check_any_batch(norm(rng, (13, 37)), dtype)


def test_a_row_without_spread_divides_by_zero(dtype):
    for kind, row in (("layer", 3.0), ("rms", 0.0), ("unit", 0.0)):
        case = Case("layer_norm", [np.full((2, 5), row)], {"kind": kind, "center": False, "scale": False}, kind="norm")
        got = case.typed(dtype).run(dtype=dtype, training=True)
        np.testing.assert_array_equal(got.output, np.zeros((2, 5)))
        assert np.isfinite(got.input_gradients[0]).all()


@pytest.mark.parametrize(
    ("attrs", "words"),
    [
        ({"kind": "batch"}, "kind 'layer', 'rms' or 'unit'"),
        ({"groups": 4}, "groups that divide the 6 channels"),
        ({"axes": 2}, "axes from 1 to 1"),
        ({"epsilon": -1.0}, "epsilon of at least 0"),
    ],
)
def test_what_a_norm_cannot_do_is_taken(attrs, words):
    with pytest.raises(ValueError, match=words):
        harness.run_op("layer_norm", [np.ones((2, 6))], attrs, [np.ones(6), np.ones(6)])
