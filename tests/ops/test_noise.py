"""Normal noise: exactly the draws that the random layout prescribes, forward and backward."""

from __future__ import annotations

import numpy as np
import pytest

import harness
import reference
from harness import SIZES, Case
from hotloop import _core

SEED = 0x1234_5678_9ABC_DEF0


@pytest.mark.parametrize("kind", ["add", "multiply"])
@pytest.mark.parametrize("columns", [*SIZES, 200])
def test_the_noise_is_the_prescribed_one_for_every_width(columns, kind, dtype, rng):
    x = rng.standard_normal((3, 2, columns)).astype(dtype)
    upstream = rng.standard_normal(x.shape).astype(dtype)
    attrs = {"kind": kind, "stddev": 0.5, "stream": 4}
    got = Case("noise", [x], attrs).run(dtype=dtype, training=True, upstream=upstream, seed=SEED, step=9)
    want = reference.noise(x.astype(float), **attrs, seed=SEED, step=9)
    (gradient,) = reference.noise_gradient(upstream.astype(float), x.astype(float), **attrs, seed=SEED, step=9)
    harness.assert_close(got.output, want, "random", _core.row(dtype), dtype)
    harness.assert_close(got.input_gradients[0], gradient, "random", _core.row(dtype), dtype)
    alone = Case("noise", [x], attrs).run(dtype=dtype, seed=SEED, step=9)
    assert harness.same_bits(alone.output, got.output)


@pytest.mark.parametrize("kind", ["add", "multiply"])
def test_the_noise_has_its_mean_and_deviation(kind, dtype):
    y = Case("noise", [np.ones((400, 500))], {"kind": kind, "stddev": 0.5}).typed(dtype).run(dtype=dtype, seed=2).output
    assert abs(y.mean() - 1) < 5 * 0.5 / np.sqrt(y.size)
    assert abs(y.std() - 0.5) < 0.005


@pytest.mark.parametrize("kind", ["add", "multiply"])
def test_the_noise_is_the_same_for_any_team_and_batch(kind, dtype, rng):
    attrs = {"kind": kind, "stddev": 0.5, "stream": 4}
    harness.check_team(Case("noise", [rng.standard_normal((401, 515))], attrs), dtype, rng, seed=4)
    harness.check_any_batch(Case("noise", [rng.standard_normal((13, 77))], attrs), dtype)


@pytest.mark.parametrize(
    ("attrs", "message"),
    [
        ({"stddev": -1.0}, "expected a finite standard deviation of at least 0"),
        ({"stddev": float("nan")}, "expected a finite standard deviation"),
        ({"stddev": 1.0, "kind": "divide"}, "expected kind 'add' or 'multiply', received 'divide'"),
        ({"stddev": 1.0, "stream": -1}, "expected a stream"),
    ],
)
def test_noise_without_a_distribution_is_refused(attrs, message):
    with pytest.raises(ValueError, match=message):
        Case("noise", [np.ones((2, 3))], attrs).run()
