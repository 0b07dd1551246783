"""Products of matrices that are mostly zeros, which the kernels of CPUs leave out: the same numbers, bit by bit."""

from __future__ import annotations

import numpy as np
import pytest

import harness
import hotloop as keras
from harness import Case

SHAPES = [(32, 64, 100), (5, 17, 49), (257, 100, 64), (600, 33, 40), (1, 784, 300), (3, 200, 65), (9, 2300, 80)]


def sparse(rng, M, K, N, share, middle=(), bias=True):
    x = rng.standard_normal((M, *middle, K)) * (rng.random((M, *middle, K)) < share)
    x[rng.random(x.shape) < 0.1 * share] = -0.0
    return Case(
        "dense",
        [x],
        {"activation": "tanh"},
        [rng.standard_normal((K, N)) / np.sqrt(K), rng.standard_normal(N)][: 1 + bias],
        kind="product_activation",
        terms=K,
        scale=lambda x, w, b=0.0: np.abs(x) @ np.abs(w) + np.abs(b) + 1,
    )


@pytest.mark.parametrize("share", [0.3, 0.05, 0.0])
@pytest.mark.parametrize(("M", "K", "N"), SHAPES)
def test_a_layer_fed_mostly_with_zeros_is_right(M, K, N, share, dtype, rng):
    harness.check_op(sparse(rng, M, K, N, share), dtype, rng, differences=False)


def test_rows_of_rank_three_mostly_zeros_are_kept_apart(dtype, rng):
    harness.check_op(sparse(rng, 7, 20, 50, 0.2, middle=(3,)), dtype, rng, differences=False)
    harness.check_op(sparse(rng, 7, 20, 50, 0.2, middle=(3,), bias=False), dtype, rng, differences=False)


def test_the_team_and_the_batch_make_no_difference_among_zeros(dtype, rng):
    harness.check_team(sparse(rng, 129, 230, 190, 0.2), dtype, rng)
    harness.check_any_batch(sparse(rng, 23, 70, 300, 0.2), dtype)
    harness.check_any_batch(sparse(rng, 23, 1500, 70, 0.2), dtype)


@pytest.mark.parametrize(("K", "N"), [(70, 100), (784, 300), (1500, 70), (256, 256)])
def test_a_row_has_the_same_bits_whether_the_others_are_mostly_zeros_or_not(K, N, dtype, rng):
    """The choice is made by a look at some rows: dense ones in their place send the same row the other way."""
    case = sparse(rng, 40, K, N, 0.15)
    x = case.inputs[0].astype(dtype)
    full = x.copy()
    full[::5] = rng.standard_normal(full[::5].shape)
    few, many = (Case("dense", [rows], case.attrs, case.variables).run(dtype=dtype).output for rows in (x, full))
    same = np.arange(40) % 5 != 0
    assert harness.same_bits(few[same], many[same])


@pytest.mark.parametrize(("M", "K", "N"), [(32, 64, 100), (300, 40, 64), (8, 784, 300)])
def test_a_weight_gradient_has_the_same_bits_whether_zeros_are_left_out_or_not(M, K, N, dtype, rng):
    """Columns that are not zero in the rows that are looked at send the same other columns the other way."""
    case = sparse(rng, M, K, N, 0.15).typed(dtype)
    x = case.inputs[0]
    full = x.copy()
    full[:, K // 4 :] = rng.standard_normal(full[:, K // 4 :].shape)
    upstream = rng.standard_normal((M, N)).astype(dtype)

    def gradient(rows):
        linear = Case("dense", [rows], {}, case.variables)
        return linear.run(dtype=dtype, training=True, upstream=upstream).variable_gradients[0]

    assert harness.same_bits(gradient(x)[: K // 4], gradient(full)[: K // 4])


def test_a_nan_among_zeros_reaches_its_own_row_alone(dtype, rng):
    case = sparse(rng, 20, 64, 64, 0.1).typed(dtype)
    x = case.inputs[0]
    x[7, 63] = np.nan
    y = Case("dense", [x], case.attrs, case.variables).run(dtype=dtype).output
    assert np.isnan(y[7]).all()
    assert np.isfinite(np.delete(y, 7, 0)).all()


@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_used_twice_sums_its_gradient_over_both_uses(bias, dtype, rng):
    """One use among zeros, the other not: the second adds to what the first has written."""
    x = [rng.standard_normal((40, 50)) * (rng.random((40, 50)) < 0.2), rng.standard_normal((40, 50))]
    x, y = [rows.astype(dtype) for rows in x], np.zeros((40, 70), dtype)
    inputs = [keras.Input((50,), dtype=dtype) for _ in x]
    layer = keras.layers.Dense(70, use_bias=bias, dtype=dtype)
    model = keras.Model(inputs, keras.layers.Add(dtype=dtype)([layer(one) for one in inputs]))
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss="mse")
    before = model.get_weights()
    error = sum(rows @ before[0] for rows in x) * (2 / y.size)
    model.fit(x, y, batch_size=40, epochs=1, verbose=0)
    moved = [old - new for old, new in zip(before, model.get_weights(), strict=True)]
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(moved[0], sum(rows.T @ error for rows in x), rtol=0, atol=tolerance)
    if bias:
        np.testing.assert_allclose(moved[1], 2 * error.sum(axis=0), rtol=0, atol=tolerance)
