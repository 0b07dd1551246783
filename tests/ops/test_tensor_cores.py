"""Products on tensor cores, which round their factors: devices cuda_tf32 and cuda_bf16, emulated where there is no GPU.

Factors that are no rounder afterwards give what every other device gives; others are off by their rounding.
"""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras
from harness import Case
from tolerances import allowed

DIGITS = {"tf32": 11, "bf16": 8}  # of a number, in binary
DEVICES = [f"{device}_{kind}" for device in ("cuda", "cuda_emulated") for kind in DIGITS]
# Each tile of core/tensor_core.h, cut and uncut sums, narrow and ragged edges.
SHAPES = [(5, 7, 3), (16, 32, 32), (17, 63, 33), (33, 130, 70), (130, 300, 65), (650, 70, 645), (1601, 19, 1030)]


@pytest.fixture(params=DEVICES)
def on_device(request):
    if request.param not in keras.devices():
        pytest.skip(f"this machine or build has no device '{request.param}' (HOTLOOP_CUDA, HOTLOOP_EMULATED)")
    with keras.device(request.param):
        yield request.param


def rounded(x, digits):
    mantissa, exponent = np.frexp(x)
    return np.ldexp(np.round(np.ldexp(mantissa, digits)), exponent - digits).astype(np.float32)


def numbers(rng, device, *shape):
    return rounded(rng.standard_normal(shape), DIGITS[device.rpartition("_")[2]])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("M", "K", "N"), SHAPES)
def test_factors_that_need_no_rounding_give_exact_products_and_gradients(M, K, N, bias, on_device, rng):
    x, w, dy = (numbers(rng, on_device, *shape) for shape in ((M, K), (K, N), (M, N)))
    b = [rng.standard_normal(N).astype(np.float32)] if bias else []
    run = Case("dense", [x], {}, [w, *b]).run(dtype="float32", training=True, upstream=dy)
    exact = [a.astype(np.float64) for a in (x, w, dy)]
    found = [run.output, run.input_gradients[0], *run.variable_gradients]
    x, w, dy = exact
    sizes = [(x, w, K), (dy, w.T, N), (x.T, dy, M)] + ([(np.ones((1, M)), dy, M)] if bias else [])
    for i, (got, (left, right, terms)) in enumerate(zip(found, sizes, strict=True)):
        want = (left @ right).reshape(got.shape) + (b[0] if bias and i == 0 else 0)
        scale = (np.abs(left) @ np.abs(right)).reshape(got.shape) + 4
        assert (np.abs(got - want) <= allowed("product", "cuda", "float32", terms, scale)).all(), f"result {i}"


@pytest.mark.parametrize("middle", [(), (3,)])
def test_other_factors_are_off_by_their_rounding_and_no_more(middle, on_device, rng):
    x = rng.standard_normal((40, *middle, 90)).astype(np.float32)
    w = rng.standard_normal((90, 50)).astype(np.float32)
    got = Case("dense", [x], {"activation": "tanh"}, [w]).run(dtype="float32").output
    unit = 2.0 ** -DIGITS[on_device.rpartition("_")[2]]
    error = np.abs(got - np.tanh(x.astype(np.float64) @ w))
    assert (error <= 2.1 * unit * (np.abs(x) @ np.abs(w)) + 1e-6).all()
    assert error.max() > unit / 100  # they are rounded


def test_a_row_has_the_same_bits_in_every_batch_and_tile(on_device, rng):
    x, w = rng.standard_normal((650, 65)).astype(np.float32), rng.standard_normal((65, 645)).astype(np.float32)
    whole = Case("dense", [x], {}, [w]).run(dtype="float32").output
    for rows in (slice(0, 1), slice(5, 60), slice(7, 500)):
        part = Case("dense", [x[rows]], {}, [w]).run(dtype="float32").output
        assert part.tobytes() == whole[rows].tobytes()


def test_infinities_and_nan_stay_what_they_are(on_device, rng):
    x = rng.standard_normal((20, 30)).astype(np.float32)
    x[3, 4], x[5, 6], x[7, 8] = np.inf, -np.inf, np.nan
    y = Case("dense", [x], {}, [np.ones((30, 40), np.float32)]).run(dtype="float32").output
    assert (y[3] == np.inf).all()
    assert (y[5] == -np.inf).all()
    assert np.isnan(y[7]).all()
    assert np.isfinite(np.delete(y, [3, 5, 7], axis=0)).all()


def test_double_precision_is_not_rounded(on_device, rng):
    x, w = rng.standard_normal((40, 90)), rng.standard_normal((90, 50))
    y = Case("dense", [x], {}, [w]).run(dtype="float64").output
    np.testing.assert_allclose(y, x @ w, rtol=0, atol=1e-12)


def test_a_network_learns_on_rounded_products(on_device):
    (x, y), (x_test, y_test) = keras.datasets.digits.load_data()
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(10)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.fit(x.reshape(-1, 64) / 16.0, y, batch_size=32, epochs=8, verbose=0)
    assert model.evaluate(x_test.reshape(-1, 64) / 16.0, y_test, verbose=0)[1] > 0.9
