"""Images sampled through affine maps, forward and backward: exactly the draws that the random layout prescribes."""

from __future__ import annotations

import math

import numpy as np
import pytest

import harness
import reference
from harness import Case
from hotloop import _core

SEED = 0x1234_5678_9ABC_DEF0
MAPS = {
    "nothing": {},
    "flips": {"flip_x": True, "flip_y": True},
    "shifts": {"top_low": -3.0, "top_high": 2.5, "left_low": -4.0, "left_high": 6.0},
    "whole shifts": {"top_low": 0.0, "top_high": 4.0, "left_low": 0.0, "left_high": 3.0, "whole": True},
    "turns": {"angle_low": -math.pi, "angle_high": math.pi},
    "zooms": {"zoom_y_low": 0.3, "zoom_y_high": 1.9, "zoom_x_low": 0.5, "zoom_x_high": 2.0},
    "one zoom": {"zoom_y_low": 0.3, "zoom_y_high": 1.9, "one_zoom": True},
    "all": {
        "angle_low": -1.0, "angle_high": 2.0, "zoom_y_low": 0.5, "zoom_y_high": 1.5, "one_zoom": True,
        "top_low": -9.0, "top_high": 9.0, "left_low": 1.5, "left_high": 1.5, "flip_x": True,
    },
}  # fmt: skip
SHAPES = [(5, 6, 7, 1), (4, 5, 9, 3), (3, 1, 1, 2), (3, 1, 8, 1), (2, 28, 28, 1), (2, 17, 37, 2), (1, 3, 3, 17)]
FILLS = ["reflect", "nearest", "wrap", "constant"]


def check(x, attrs, dtype, rng):
    """Forward and backward against the oracle, in several rows with guard bands around them."""
    x = x.astype(dtype)
    attrs = {"stream": 4, **attrs}
    size = attrs.get("size", x.shape[1:3])
    upstream = rng.standard_normal((len(x), *size, x.shape[3])).astype(dtype)
    got = Case("warp", [x], attrs).run(dtype=dtype, training=True, upstream=upstream, seed=SEED, step=9)
    want = reference.warp(x.astype(float), **attrs, seed=SEED, step=9)
    (gradient,) = reference.warp_gradient(upstream.astype(float), x.astype(float), **attrs, seed=SEED, step=9)
    row = _core.row(dtype)
    harness.assert_close(got.output, want, "random", row, dtype, message=f"{attrs}")
    terms = max(1, math.prod(size))
    harness.assert_close(got.input_gradients[0], gradient, "sum", row, dtype, terms, message=f"gradient {attrs}")


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("fill_mode", FILLS)
def test_every_pixel_is_read_where_the_prescribed_map_says(name, interpolation, fill_mode, dtype, rng):
    for shape in SHAPES:
        attrs = {**MAPS[name], "interpolation": interpolation, "fill_mode": fill_mode, "fill_value": 0.5}
        check(rng.standard_normal(shape), attrs, dtype, rng)


@pytest.mark.parametrize("size", [(1, 1), (3, 9), (12, 5), (28, 33)], ids=str)
@pytest.mark.parametrize("name", MAPS)
def test_the_output_has_a_size_of_its_own(size, name, dtype, rng):
    check(rng.standard_normal((3, 6, 8, 2)), {**MAPS[name], "size": list(size)}, dtype, rng)


@pytest.mark.parametrize(
    "changed", [{"seed": 1}, {"seed": 1 << 40}, {"step": 1}, {"step": 1 << 33}, {"stream": 1}], ids=str
)
def test_seed_step_and_stream_each_give_another_map(changed, dtype, rng):
    x = rng.standard_normal((4, 6, 6, 1)).astype(dtype)

    def run(stream=0, **options):
        return Case("warp", [x], {**MAPS["turns"], "stream": stream}).run(dtype=dtype, **options).output

    assert not np.array_equal(run(), run(**changed))


@pytest.mark.parametrize("name", MAPS)
def test_images_are_the_same_for_any_team_and_batch(name, dtype, rng):
    attrs = {**MAPS[name], "stream": 4}
    harness.check_team(Case("warp", [rng.standard_normal((71, 28, 29, 1))], attrs), dtype, rng, seed=4)
    harness.check_any_batch(Case("warp", [rng.standard_normal((13, 6, 7, 3))], attrs), dtype)


@pytest.mark.parametrize("name", ["turns", "all", "shifts"])
def test_the_gradient_is_that_of_finite_differences(name, rng):
    harness.check_finite_differences(Case("warp", [rng.standard_normal((2, 4, 5, 2))], MAPS[name]))


def test_flips_are_fair_and_independent(dtype):
    x = np.tile(np.arange(4.0).reshape(1, 2, 2, 1), (4000, 1, 1, 1))
    attrs = {**MAPS["flips"], "interpolation": "nearest"}
    y = Case("warp", [x], attrs).typed(dtype).run(dtype=dtype, seed=2).output
    corners, counts = np.unique(y[:, 0, 0, 0], return_counts=True)
    np.testing.assert_array_equal(corners, [0, 1, 2, 3])
    assert (abs(counts - 1000) < 5 * math.sqrt(750)).all()


def test_shifts_are_spread_evenly_over_their_interval(dtype):
    x = np.tile(np.arange(64.0).reshape(1, 1, 64, 1), (4000, 1, 1, 1))
    attrs = {"left_low": -8.0, "left_high": 8.0}
    shift = Case("warp", [x], attrs).typed(dtype).run(dtype=dtype, seed=2).output[:, 0, 32, 0] - 32
    assert abs(shift.mean()) < 5 * 16 / math.sqrt(12 * 4000)
    counts = np.histogram(shift, 8, (-8, 8))[0]
    assert counts.sum() == 4000
    assert (abs(counts - 500) < 5 * math.sqrt(500)).all()


@pytest.mark.parametrize(
    ("shape", "attrs", "message"),
    [
        ((2, 28, 28), {}, r"Reshape\(\(height, width, 1\)\)"),
        ((2, 5, 5, 1), {"fill_mode": "mirror"}, "expected fill_mode 'reflect'"),
        ((2, 5, 5, 1), {"interpolation": "cubic"}, "expected interpolation 'bilinear' or 'nearest'"),
        ((2, 5, 5, 1), {"angle_low": 1.0, "angle_high": 0.0}, "expected angle from a finite number"),
        ((2, 5, 5, 1), {"top_low": float("nan")}, "expected top from a finite number"),
        ((2, 5, 5, 1), {"fill_value": float("inf")}, "expected a finite fill_value"),
        ((2, 5, 5, 1), {"size": [3]}, "expected size as height and width"),
        ((2, 5, 5, 1), {"size": [3, 0]}, "expected images of 1 to"),
        ((2, 5, 5, 1), {"stream": -1}, "expected a stream"),
    ],
)
def test_maps_that_lead_nowhere_are_refused(shape, attrs, message):
    with pytest.raises(ValueError, match=message):
        Case("warp", [np.ones(shape)], attrs).run()
