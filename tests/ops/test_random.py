"""Random numbers: the published generator, the layout that makes them independent of threads, the distributions."""

from __future__ import annotations

import numpy as np
import pytest

import harness
import reference
from hotloop import _core
from hotloop.testing import run_op

SEED = 0xFEDC_BA98_7654_3210
KINDS = [("uniform", -0.5, 2.0), ("normal", 1.0, 0.5), ("truncated_normal", -1.0, 2.0)]


def draw(kind, a, b, rows, shape, dtype, stream=3, **options):
    attrs = {"kind": kind, "a": a, "b": b, "shape": list(shape), "stream": stream}
    return run_op("random", [], attrs, dtype=dtype, rows=rows, **options).output


@pytest.mark.parametrize(
    ("counter", "key"), [([0] * 4, [0] * 2), ([1, 2, 3, 4], [5, 6]), ([2**32 - 1] * 4, [2**32 - 1] * 2)]
)
def test_the_generator_is_philox(counter, key):
    assert list(_core.philox(counter, key)) == [int(word) for word in reference.philox(counter, key)]


@pytest.mark.parametrize(("kind", "a", "b"), KINDS)
@pytest.mark.parametrize("columns", [1, 15, 16, 63, 64, 65, 200])
def test_noise_is_drawn_in_the_prescribed_layout(kind, a, b, columns, dtype):
    got = draw(kind, a, b, 5, (columns,), dtype, seed=SEED, step=7)
    words = reference.random_words(5, columns, seed=SEED, stream=3, step=7, purpose=reference.NOISE)
    want = reference.distribute(words, kind, a, b)
    harness.assert_close(got, want, "random", _core.row(dtype), dtype, 1, abs(a) + 6 * abs(b))


@pytest.mark.parametrize(("kind", "a", "b"), KINDS)
@pytest.mark.parametrize("shape", [(), (3,), (65,), (30, 50)])
def test_initial_values_are_drawn_in_the_prescribed_layout(kind, a, b, shape, dtype):
    got = _core.random(kind, shape, a, b, SEED, 2, dtype)
    n = int(np.prod(shape))
    words = reference.random_words(1, n, seed=SEED, stream=2, step=0, purpose=reference.INITIAL_VALUES)
    assert got.dtype == dtype
    want = reference.distribute(words, kind, a, b).reshape(shape)
    harness.assert_close(got, want, "random", _core.row(dtype), dtype, 1, abs(a) + 6 * abs(b))


@pytest.mark.parametrize(("kind", "a", "b"), KINDS)
def test_a_distribution_has_its_moments_and_its_bounds(kind, a, b, dtype):
    x = _core.random(kind, (400_000,), a, b, 11, 0, dtype).astype(float)
    if kind == "uniform":
        mean, deviation, low, high = (a + b) / 2, (b - a) / np.sqrt(12), a, b
        assert x.max() < b
    else:
        shrink = 0.87962566103423978 if kind == "truncated_normal" else 1.0
        reach = 2.0 if kind == "truncated_normal" else 7.0
        mean, deviation, low, high = a, b * shrink, a - reach * b, a + reach * b
    assert abs(x.mean() - mean) < 5 * deviation / np.sqrt(x.size)
    assert abs(x.std() / deviation - 1) < 0.01
    assert low <= x.min()
    assert x.max() <= high
    correlation = np.corrcoef(x[:-1], x[1:])[0, 1]
    assert abs(correlation) < 5 / np.sqrt(x.size)


@pytest.mark.parametrize("changed", [{"seed": 1}, {"step": 1}, {"stream": 4}], ids=str)
def test_seed_step_and_stream_each_give_other_noise(changed, dtype):
    options = {"seed": 0, "step": 0, "stream": 3}
    first, second = (draw("normal", 0.0, 1.0, 4, (50,), dtype, **o) for o in (options, options | changed))
    assert not np.isclose(first, second).any()


def test_noise_has_the_same_bits_for_any_team(dtype):
    alone = draw("normal", 0.0, 1.0, 301, (515,), dtype, n_threads=1)
    for team in harness.TEAMS[1:]:
        assert harness.same_bits(draw("normal", 0.0, 1.0, 301, (515,), dtype, n_threads=team), alone)


@pytest.mark.parametrize("n", [0, 1, 2, 7, 1000])
def test_a_shuffle_holds_every_row_once(n):
    order = _core.permutation(n, SEED, 3)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(np.sort(order), np.arange(n))


def test_a_shuffle_is_a_function_of_seed_and_epoch():
    first = _core.permutation(100, 5, 0)
    np.testing.assert_array_equal(first, _core.permutation(100, 5, 0))
    for seed, epoch in ((5, 1), (6, 0), (5, 2**40), (5 + 2**40, 0)):
        assert not np.array_equal(first, _core.permutation(100, seed, epoch))


def test_a_shuffle_prefers_no_place():
    n, epochs = 8, 4000
    where = np.array([np.argsort(_core.permutation(n, 1, epoch)) for epoch in range(epochs)])
    counts = np.array([np.bincount(where[:, i], minlength=n) for i in range(n)])
    expected = epochs / n
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 49 + 6 * np.sqrt(2 * 49)  # (n - 1)^2 degrees of freedom


@pytest.mark.parametrize(
    ("kind", "a", "b"), [("unifrom", 0.0, 1.0), ("uniform", 1.0, 0.0), ("normal", 0.0, -1.0), ("normal", np.nan, 1.0)]
)
def test_a_distribution_without_meaning_is_refused(kind, a, b):
    with pytest.raises(ValueError, match=r"\[random\] expected"):
        _core.random(kind, (3,), a, b, 0, 0, "float32")


@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize("columns", [*harness.SIZES, 200])
def test_zeros_and_ones_are_drawn_in_the_prescribed_layout(columns, logits, dtype, rng):
    x = (rng.standard_normal((3, 2, columns)) if logits else rng.uniform(size=(3, 2, columns))).astype(dtype)
    attrs = {"logits": logits, "stream": 4}
    got = run_op("bernoulli", [x], attrs, dtype=dtype, seed=SEED, step=9).output
    want = reference.bernoulli(x.astype(float), **attrs, seed=SEED, step=9)
    near = [reference.bernoulli(x + e, **attrs, seed=SEED, step=9) for e in (-1e-5, 1e-5)]  # as rounding may have it
    assert ((got == want) | (near[0] != near[1])).all()
    assert (near[0] != near[1]).mean() < 0.01


def test_probabilities_of_zero_and_one_leave_nothing_to_chance(dtype):
    x = np.repeat([[0.0, 1.0]], 50_000, 0).astype(dtype)
    np.testing.assert_array_equal(run_op("bernoulli", [x], {"stream": 0}, dtype=dtype, seed=1).output, x)


def test_ones_are_as_frequent_as_they_are_probable(dtype):
    y = run_op("bernoulli", [np.full((400, 500), 0.3, dtype)], {"stream": 1}, dtype=dtype, seed=2).output
    assert abs(y.mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / y.size)
    rows, columns = (np.corrcoef(a[:-1].ravel(), a[1:].ravel())[0, 1] for a in (y, y.T))
    assert max(abs(rows), abs(columns)) < 5 / np.sqrt(y.size)


def test_zeros_and_ones_are_the_same_for_any_team_and_batch(dtype, rng):
    attrs = {"logits": True, "stream": 4}
    harness.check_team(harness.Case("bernoulli", [rng.standard_normal((401, 515))], attrs), dtype, rng, seed=4)
    harness.check_any_batch(harness.Case("bernoulli", [rng.standard_normal((13, 77))], attrs), dtype)


@pytest.mark.parametrize(
    ("attrs", "message"),
    [({"stream": -1}, "expected stream from 0"), ({"stream": 0, "logit": True}, "logit"), ({}, "stream")],
)
def test_zeros_and_ones_without_a_stream_are_refused(attrs, message):
    with pytest.raises(ValueError, match=message):
        run_op("bernoulli", [np.ones((2, 3))], attrs)
