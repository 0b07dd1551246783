"""Dropout: exactly the mask the random layout prescribes, forward and backward."""

from __future__ import annotations

import numpy as np
import pytest

import harness
import reference
from harness import SIZES, Case
from hotloop import _core

SEED = 0x1234_5678_9ABC_DEF0


def dropout(x, rate=0.3, stream=5):
    return Case("dropout", [x], {"rate": rate, "stream": stream})


def run(x, dtype, rate=0.3, stream=5, **options):
    return dropout(x, rate, stream).typed(dtype).run(dtype=dtype, **options)


@pytest.mark.parametrize("columns", [*SIZES, 200])
def test_the_mask_is_the_prescribed_one_for_every_width(columns, dtype, rng):
    x = rng.standard_normal((5, columns)).astype(dtype)
    upstream = rng.standard_normal(x.shape).astype(dtype)
    got = run(x, dtype, training=True, upstream=upstream, seed=SEED, step=9)
    want = reference.dropout(x.astype(float), 0.3, 5, seed=SEED, step=9)
    gradient = reference.dropout(upstream.astype(float), 0.3, 5, seed=SEED, step=9)
    harness.assert_close(got.output, want, "map", _core.row(dtype), dtype)
    harness.assert_close(got.input_gradients[0], gradient, "map", _core.row(dtype), dtype)


@pytest.mark.parametrize(
    "changed", [{"seed": 1}, {"seed": 1 << 40}, {"step": 1}, {"step": 1 << 33}, {"stream": 1}], ids=str
)
def test_seed_step_and_stream_each_give_another_mask(changed, dtype):
    x = np.ones((4, 100))
    options = {"seed": 0, "step": 0, "stream": 0}
    first, second = run(x, dtype, **options).output, run(x, dtype, **(options | changed)).output
    assert not np.array_equal(first, second)
    keyed = options | changed
    mask = reference.dropout_mask(x.shape, 0.3, seed=keyed["seed"], stream=keyed["stream"], step=keyed["step"])
    np.testing.assert_array_equal(second != 0, mask)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_kept_share_and_the_mean_are_right(rate, dtype):
    y = run(np.ones((200, 500)), dtype, rate=rate, seed=3).output
    assert abs((y != 0).mean() - (1 - rate)) < 5 * np.sqrt(rate * (1 - rate) / y.size)
    np.testing.assert_allclose(y[y != 0], 1 / (1 - rate), rtol=1e-6)


def test_rate_zero_keeps_all_and_rate_one_nothing(dtype, rng):
    x = rng.standard_normal((3, 70)).astype(dtype)
    assert harness.same_bits(run(x, dtype, rate=0.0).output, x)
    gone = run(x, dtype, rate=1.0, training=True)
    np.testing.assert_array_equal(gone.output, np.zeros_like(x))
    np.testing.assert_array_equal(gone.input_gradients[0], np.zeros_like(x))


def test_a_dropped_nan_is_gone(dtype):
    x = np.full((4, 64), np.nan, dtype)
    mask = reference.dropout_mask(x.shape, 0.3, seed=1, stream=5)
    np.testing.assert_array_equal(np.isnan(run(x, dtype, seed=1).output), mask)


def test_a_sample_of_any_rank_draws_the_mask_of_its_flat_row(dtype):
    x = np.ones((3, 5, 30))
    flat = run(x.reshape(3, 150), dtype, seed=2).output
    np.testing.assert_array_equal(run(x, dtype, seed=2).output.reshape(3, 150), flat)


def test_the_mask_is_the_same_for_any_team_and_precision(dtype, rng):
    harness.check_team(dropout(rng.standard_normal((401, 515))), dtype, rng, seed=4)
    x = np.ones((7, 90))
    np.testing.assert_array_equal(run(x, "float32", seed=4).output != 0, run(x, "float64", seed=4).output != 0)


def test_the_mask_is_the_same_however_a_call_is_split_into_batches(dtype):
    x = np.ones((23, 40))
    whole = run(x, dtype, seed=6).output
    for batch_size in (1, 4, 10):
        parts = run(x, dtype, seed=6, batch_size=batch_size).output
        np.testing.assert_array_equal(parts, whole)


def check_against_oracle(x, dtype, attrs, rng):
    x = x.astype(dtype)
    upstream = rng.standard_normal(x.shape).astype(dtype)
    got = Case("dropout", [x], attrs).run(dtype=dtype, training=True, upstream=upstream, seed=SEED, step=9)
    want = reference.dropout(x.astype(float), **attrs, seed=SEED, step=9)
    (gradient,) = reference.dropout_gradient(upstream.astype(float), x.astype(float), **attrs, seed=SEED, step=9)
    harness.assert_close(got.output, want, "map", _core.row(dtype), dtype)
    harness.assert_close(got.input_gradients[0], gradient, "map", _core.row(dtype), dtype)


@pytest.mark.parametrize("columns", [1, 5, 16, 33, 200])
@pytest.mark.parametrize("rate", [0.2, 0.9, 1.0])
def test_alpha_dropout_gives_what_selu_saturates_to(columns, rate, dtype, rng):
    check_against_oracle(rng.standard_normal((7, columns)), dtype, {"rate": rate, "stream": 5, "alpha": True}, rng)


def test_alpha_dropout_keeps_mean_and_variance(dtype, rng):
    y = Case("dropout", [rng.standard_normal((400, 500))], {"rate": 0.3, "alpha": True}).typed(dtype).run(dtype=dtype)
    assert abs(y.output.mean()) < 0.01
    assert abs(y.output.std() - 1) < 0.01


SHARED = [
    ((6, 40), [1, 0]), ((6, 40), [0, 1]), ((6, 40), [1, 1]), ((6, 7, 33), [0, 1, 0]), ((6, 7, 33), [0, 0, 1]),
    ((6, 7, 33), [0, 1, 1]), ((6, 7, 33), [1, 0, 1]), ((6, 7, 33), [0, 7, 1]), ((6, 3, 4, 5), [0, 1, 0, 1]),
    ((6, 3, 4, 5), [0, 0, 1, 0]), ((2, 3, 1, 5, 2, 3), [1, 1, 0, 1, 0, 1]), ((6, 1, 70), [0, 1, 0]),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "noise_shape"), SHARED, ids=str)
@pytest.mark.parametrize("alpha", [False, True])
def test_elements_along_an_axis_of_one_share_their_fate(shape, noise_shape, alpha, dtype, rng):
    attrs = {"rate": 0.4, "stream": 3, "noise_shape": noise_shape, "alpha": alpha}
    check_against_oracle(rng.standard_normal(shape), dtype, attrs, rng)


def test_a_noise_shape_that_shares_nothing_is_the_plain_mask(dtype, rng):
    x = rng.standard_normal((4, 5, 6)).astype(dtype)
    shared = Case("dropout", [x], {"rate": 0.3, "stream": 5, "noise_shape": [0, 5, 0]}).run(dtype=dtype, seed=1)
    assert harness.same_bits(shared.output, run(x, dtype, seed=1).output)


@pytest.mark.parametrize("noise_shape", [[0, 1, 0], [1, 0, 0]], ids=str)
def test_a_shared_mask_is_the_same_for_any_team_and_any_batch(noise_shape, dtype, rng):
    attrs = {"rate": 0.4, "stream": 3, "noise_shape": noise_shape}
    case = Case("dropout", [rng.standard_normal((300, 7, 200))], attrs)
    harness.check_team(case, dtype, rng, seed=4)
    harness.check_any_batch(Case("dropout", [rng.standard_normal((13, 3, 20))], attrs), dtype)


@pytest.mark.parametrize("noise_shape", [[0], [2, 0], [0, 3], [0, 1, 1], []], ids=str)
def test_a_noise_shape_that_does_not_fit_is_refused(noise_shape):
    with pytest.raises(ValueError, match="expected a noise_shape that fits"):
        Case("dropout", [np.ones((4, 5))], {"rate": 0.4, "noise_shape": noise_shape}).run()
