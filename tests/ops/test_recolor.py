"""Colours of images, forward and backward, with exactly the draws that the random layout prescribes."""

from __future__ import annotations

import numpy as np
import pytest

import harness
import reference
from harness import Case
from hotloop import _core

SEED = 0x1234_5678_9ABC_DEF0
RANGES = [(0.0, 255.0), (0.0, 1.0), (-1.0, 1.0)]
FACTORS = {"brightness": (-0.6, 0.7), "contrast": (0.3, 2.0), "saturation": (0.0, 1.0), "hue": (0.0, 1.0)}


def attrs_of(kind, low=0.0, high=1.0):
    return {"kind": kind, "factor_low": FACTORS[kind][0], "factor_high": FACTORS[kind][1], "low": low, "high": high}


def images(rng, shape, low=0.0, high=1.0):
    """With black, white, grey and pure colours among them."""
    x = rng.uniform(low, high, shape)
    x[0, 0, 0], x[-1, -1, -1], x[0, -1, -1] = low, high, (low + high) / 2
    x[-1, 0, 0, 1:] = low
    return x


def shapes(kind):
    return [(3, 4, 5, 3), (2, 1, 1, 3)] if kind in ("saturation", "hue") else [(3, 4, 5, 3), (2, 1, 1, 1), (4, 7, 9, 1)]


@pytest.mark.parametrize("kind", FACTORS)
@pytest.mark.parametrize("values", RANGES, ids=str)
def test_every_sample_changes_as_its_draw_prescribes(kind, values, dtype, rng):
    attrs = {**attrs_of(kind, *values), "stream": 4}
    for shape in shapes(kind):
        x = images(rng, shape, *values).astype(dtype)
        got = Case("recolor", [x], attrs).run(dtype=dtype, seed=SEED, step=9).output
        want = reference.recolor(x.astype(float), **attrs, seed=SEED, step=9)
        # hues of nearly grey pixels are differences of nearly equal numbers
        harness.assert_close(got, want, "norm", _core.row(dtype), dtype, scale=np.abs(values).max() * 2)


@pytest.mark.parametrize("kind", ["brightness", "contrast"])
def test_gradients_go_back_where_nothing_is_clipped(kind, dtype, rng):
    attrs = {**attrs_of(kind), "stream": 4}
    for shape in shapes(kind):
        x, upstream = images(rng, shape).astype(dtype), rng.standard_normal(shape).astype(dtype)
        run = Case("recolor", [x], attrs).run(dtype=dtype, training=True, upstream=upstream, seed=SEED, step=9)
        exact = upstream.astype(float), x.astype(float)
        (want,) = reference.recolor_gradient(*exact, **attrs, seed=SEED, step=9)
        harness.assert_close(run.input_gradients[0], want, "sum", _core.row(dtype), dtype, shape[1] * shape[2])


@pytest.mark.parametrize("kind", FACTORS)
def test_the_gradient_is_that_of_finite_differences(kind, rng):
    attrs = attrs_of(kind, -9.0, 9.0)  # far from any clip
    harness.check_finite_differences(Case("recolor", [rng.uniform(0.2, 0.8, (3, 2, 3, 3))], attrs))


@pytest.mark.parametrize("kind", FACTORS)
def test_colours_are_the_same_for_any_team_and_batch(kind, dtype, rng):
    attrs = {**attrs_of(kind), "stream": 4}
    harness.check_team(Case("recolor", [images(rng, (301, 9, 17, 3))], attrs), dtype, rng, seed=4)
    harness.check_any_batch(Case("recolor", [images(rng, (13, 4, 5, 3))], attrs), dtype)


def test_hues_turn_both_ways(dtype):
    x = np.tile(np.array([1.0, 0.0, 0.0]), (2000, 1, 1, 1))
    attrs = {**attrs_of("hue"), "factor_low": 0.5, "factor_high": 0.5}
    y = Case("recolor", [x], attrs).typed(dtype).run(dtype=dtype, seed=3).output[:, 0, 0]
    assert 900 < (y[:, 1] > 0.4).sum() < 1100
    assert 900 < (y[:, 2] > 0.4).sum() < 1100


@pytest.mark.parametrize(
    ("shape", "changed", "message"),
    [
        ((2, 4, 4), {}, "expected images of shape"),
        ((2, 4, 4, 1), {"kind": "hue"}, "expected images of 3 channels"),
        ((2, 4, 4, 3), {"kind": "colour"}, "expected one of 'brightness', 'contrast'"),
        ((2, 4, 4, 3), {"low": 1.0}, "expected a range of values"),
        ((2, 4, 4, 3), {"factor_low": 3.0}, "expected factor from"),
        ((2, 4, 4, 3), {"stream": -1}, "expected a stream"),
    ],
)
def test_colours_that_make_no_sense_are_refused(shape, changed, message):
    with pytest.raises(ValueError, match=message):
        Case("recolor", [np.ones(shape)], {**attrs_of("contrast"), **changed}).run()
