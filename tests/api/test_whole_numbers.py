"""Whole numbers beyond what float32 holds: a warning where they are computed with, none where they are looked up."""

import warnings

import numpy as np
import pytest

import hotloop as keras

L = keras.layers
BIG = 2**24 + 1
Y = np.zeros((2, 1), np.float32)


def model(dtype="float32"):
    inputs = keras.Input((1,), dtype=dtype, name="amount")
    return keras.Model(inputs, L.Dense(1)(L.Rescaling(0.5)(inputs)))


@pytest.mark.parametrize("declared", ["float32", "int32", "int64"])
@pytest.mark.parametrize(("dtype", "sign"), [("int32", 1), ("int32", -1), ("int64", 1), ("int64", -1), ("uint32", 1)])
def test_numbers_that_float32_rounds_are_named(declared, dtype, sign):
    x = np.array([[5], [sign * BIG]], dtype)
    net = model(declared)
    net.compile("sgd", "mse")
    message = rf"expected whole numbers that float32 holds in input 'amount', received {sign * BIG}, which becomes"
    calls = (
        lambda: net.predict(x, verbose=0),
        lambda: net.evaluate(x, Y, verbose=0),
        lambda: net.predict_on_batch(x),
        lambda: net(x),
        lambda: net.fit(x, Y, verbose=0),
        lambda: net.train_on_batch(x, Y),
    )
    for call in calls:
        with pytest.warns(RuntimeWarning, match=message):
            call()


@pytest.mark.parametrize(
    "x",
    [
        np.array([[5], [2**24]]),
        np.array([[2**25], [-(2**40)]]),  # which float32 has
        np.array([[200], [3]], np.uint8),
        np.array([[1e30], [16777217.0]]),  # no whole numbers
    ],
)
def test_numbers_that_float32_holds_pass(x):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model().predict(x, verbose=0)
        if x.dtype.kind != "f":
            model("int64").predict(x, verbose=0)


def test_float64_keeps_them(float64):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert keras.Sequential([keras.Input((1,)), L.Rescaling(1.0)]).predict(np.array([[BIG]]), verbose=0) == BIG


def test_lookups_keep_them():
    codes = keras.Input((1,), dtype="int64")
    looked_up = L.IntegerLookup(vocabulary=[5, BIG - 1, BIG], output_mode="one_hot")(codes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown = keras.Model(codes, looked_up).predict(np.array([[5], [BIG]]), verbose=0)
    np.testing.assert_array_equal(shown, [[0, 1, 0, 0], [0, 0, 0, 1]])
