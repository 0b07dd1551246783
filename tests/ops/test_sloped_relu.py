"""prelu and rrelu: a learned and a random slope below zero."""

from __future__ import annotations

import numpy as np
import pytest

import harness
import reference
from harness import SIZES, Case
from hotloop import _core

SEED = 0x1234_5678_9ABC_DEF0


def prelu(rng, shape, slopes=None):
    slopes = shape[1:] if slopes is None else slopes
    terms = int(np.prod(shape))
    return Case(
        "prelu",
        [rng.standard_normal(shape)],
        {},
        [rng.standard_normal(slopes)],
        gradient_kind="norm_gradient",
        terms=terms,
    )


def rrelu(x):
    return Case("rrelu", [x], {"lower": 0.125, "upper": 0.5, "stream": 3})


@pytest.mark.parametrize("columns", [*SIZES, 200])
def test_a_learned_slope_and_its_gradient_are_right_for_every_width(columns, dtype, rng):
    harness.check_op(prelu(rng, (5, columns)), dtype, rng, differences=columns <= 9)


@pytest.mark.parametrize(
    ("shape", "slopes"),
    [
        ((4, 7), (1,)),
        ((4, 3, 5), (3, 5)),
        ((4, 3, 5), (1, 5)),
        ((4, 3, 5), (3, 1)),
        ((4, 3, 5), (1, 1)),
        ((3, 2, 17, 3), (1, 17, 1)),
        ((3, 2, 4, 3), (2, 1, 3)),
    ],
)
def test_a_slope_is_shared_along_its_axes_of_size_one(shape, slopes, dtype, rng):
    harness.check_op(prelu(rng, shape, slopes), dtype, rng)


def test_the_gradient_of_a_slope_has_the_same_bits_for_any_team(dtype, rng):
    harness.check_team(prelu(rng, (301, 515)), dtype, rng)
    harness.check_team(prelu(rng, (301, 5, 103), (5, 1)), dtype, rng)
    harness.check_any_batch(prelu(rng, (13, 37)), dtype)


@pytest.mark.parametrize("slopes", [(2,), (3, 1), (7, 7)])
def test_slopes_of_another_shape_are_taken(slopes, rng):
    with pytest.raises(ValueError, match="alpha of the shape of one sample"):
        prelu(rng, (4, 7), slopes).run()


@pytest.mark.parametrize("columns", [*SIZES, 200])
def test_random_slopes_are_the_prescribed_ones_forward_and_backward(columns, dtype, rng):
    x = rng.standard_normal((5, columns)).astype(dtype)
    upstream = rng.standard_normal(x.shape).astype(dtype)
    got = rrelu(x).typed(dtype).run(dtype=dtype, training=True, upstream=upstream, seed=SEED, step=9)
    options = {"lower": 0.125, "upper": 0.5, "stream": 3, "seed": SEED, "step": 9}
    want = reference.rrelu(x.astype(float), **options)
    (gradient,) = reference.rrelu_gradient(upstream.astype(float), x.astype(float), **options)
    harness.assert_close(got.output, want, "map", _core.row(dtype), dtype)
    harness.assert_close(got.input_gradients[0], gradient, "map", _core.row(dtype), dtype)


def test_random_slopes_have_the_same_bits_for_any_team_and_batch(dtype, rng):
    harness.check_team(rrelu(rng.standard_normal((301, 515))), dtype, rng)
    harness.check_any_batch(rrelu(rng.standard_normal((13, 200))), dtype)


def test_random_slopes_fill_their_interval(dtype):
    y = -rrelu(-np.ones((200, 500))).typed(dtype).run(dtype=dtype).output
    assert 0.125 <= y.min() < 0.126
    assert 0.499 < y.max() <= 0.5
    assert abs(y.mean() - 0.3125) < 1e-3


@pytest.mark.parametrize("attrs", [{"lower": 0.5, "upper": 0.1}, {"lower": 0.0, "upper": np.inf}])
def test_slopes_out_of_order_are_taken(attrs):
    with pytest.raises(ValueError, match="lower <= upper"):
        harness.run_op("rrelu", [np.ones((1, 1))], attrs)
