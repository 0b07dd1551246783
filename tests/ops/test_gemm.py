"""Products without bias, and the panel layout that variables live in."""

from __future__ import annotations

import numpy as np
import pytest

import harness
from harness import SIZES, Case
from hotloop import _core


def product(rng, M, K, N, middle=()):
    return Case(
        "matmul",
        [rng.standard_normal((M, *middle, K))],
        variables=[rng.standard_normal((K, N))],
        kind="product",
        terms=K,
        scale=lambda x, w: np.abs(x) @ np.abs(w),
    )


@pytest.mark.parametrize("N", SIZES)
def test_a_product_is_right_for_any_number_of_outputs(N, dtype, rng):
    harness.check_op(product(rng, 5, 7, N), dtype, rng, differences=N <= 9)


@pytest.mark.parametrize("K", SIZES)
def test_a_product_is_right_for_any_number_of_inputs(K, dtype, rng):
    harness.check_op(product(rng, 6, K, 5), dtype, rng, differences=K <= 9)


@pytest.mark.parametrize("M", SIZES)
def test_a_product_is_right_for_any_batch_size(M, dtype, rng):
    harness.check_op(product(rng, M, 9, 17), dtype, rng, differences=False)


def test_a_product_of_rank_three_keeps_rows_apart(dtype, rng):
    harness.check_op(product(rng, 3, 5, 9, middle=(4,)), dtype, rng)
    harness.check_op(product(rng, 4, 16, 32, middle=(2,)), dtype, rng, differences=False)


def test_a_product_has_the_same_bits_for_any_team(dtype, rng):
    harness.check_team(product(rng, 131, 257, 203), dtype, rng)


@pytest.mark.parametrize(("K", "N"), [(7, 5), (64, 10), (130, 70)])
def test_a_row_of_a_product_has_the_same_bits_in_any_batch(K, N, dtype, rng):
    harness.check_any_batch(product(rng, 13, K, N), dtype)


@pytest.mark.parametrize("shape", [(), (1,), (33,), (1, 1), (5, 33), (16, 16), (3, 4, 5), (0, 4)])
def test_a_variable_comes_back_as_it_was_set(shape, dtype, rng):
    value = rng.standard_normal(shape).astype(dtype)
    trainer = _core.Trainer([("v", shape)], dtype)
    trainer.set(0, value)
    assert harness.same_bits(trainer.get(0), value)


def test_nan_in_one_row_stays_in_that_row(dtype, rng):
    case = product(rng, 9, 33, 21).typed(dtype)
    clean = case.run(dtype=dtype).output
    case.inputs[0][4, 7] = np.nan
    spoilt = case.run(dtype=dtype).output
    assert np.isnan(spoilt[4]).all()
    others = np.arange(9) != 4
    assert harness.same_bits(spoilt[others], clean[others])
