"""The choice of a device, and models that compute on one: a GPU, or the emulated one of a test build."""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras
from hotloop import layers

RNG = np.random.default_rng(5)
X = RNG.integers(0, 255, (70, 12), dtype=np.uint8)
Y = RNG.integers(0, 3, 70)


def trained(device, epochs=3, **options):
    keras.utils.set_random_seed(7)
    with keras.device(device):
        model = keras.Sequential(
            [keras.Input((12,)), layers.Rescaling(1 / 255), layers.Dense(20, "elu", use_bias=False),
             layers.BatchNormalization(), layers.Dropout(0.2), layers.Dense(3, "softmax")]
        )  # fmt: skip
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(X, Y, batch_size=16, epochs=epochs, verbose=0, **options)
    return model, history.history


def test_the_processor_is_always_there():
    assert keras.devices()[0] == "cpu"
    with keras.device("cpu"):
        assert keras.get_device() == "cpu"


@pytest.mark.parametrize("name", ["gpu", "cuda:7", ""])
def test_a_device_that_is_not_there_is_refused_and_nothing_changes(name):
    before = keras.get_device()
    with pytest.raises(keras.DeviceError, match="expected one of cpu"):
        keras.set_device(name)
    assert keras.get_device() == before


@pytest.mark.skipif("cuda" in keras.devices(), reason="there is a CUDA device")
def test_a_missing_cuda_device_says_why():
    with pytest.raises(keras.DeviceError, match=r"'cuda': \w"):
        keras.set_device("cuda")


def test_a_device_trains_as_the_processor_does(device):
    (here, at_home), (there, away) = trained("cpu"), trained(device)
    for name in at_home:
        np.testing.assert_allclose(away[name], at_home[name], rtol=1e-4)
    for a, b in zip(here.get_weights(), there.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    np.testing.assert_allclose(here.predict(X, verbose=0), there.predict(X, verbose=0), atol=1e-4)


def test_a_device_repeats_every_bit(device):
    pair = [trained(device)[0].get_weights() for _ in range(2)]
    for a, b in zip(*pair, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_model_stays_where_it_began_and_files_go_anywhere(device, tmp_path):
    before = keras.get_device()
    model, _ = trained(device)
    model.save(tmp_path / "m.safetensors")
    again = keras.models.load_model(tmp_path / "m.safetensors")
    np.testing.assert_allclose(again.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-5)
    assert keras.get_device() == before


def test_arrays_of_any_layout_reach_a_device(device):
    model, _ = trained(device)
    want = model.predict(X, verbose=0)
    for x in (X[::-1][::-1], np.asfortranarray(X), X.astype(np.float64), X.astype(">f4"), np.repeat(X, 2, 0)[::2]):
        np.testing.assert_array_equal(model.predict(x, verbose=0), want)
    mean, std = model.predict_mc(X, samples=5)
    assert std.min() > 0
    np.testing.assert_allclose(mean.sum(axis=1), 1, atol=1e-5)


def test_mixed_precision_of_a_layer_is_refused_where_it_is_asked_for():
    with pytest.raises(ValueError, match=r"dtype 'float32' or 'float64', received 'mixed_bfloat16'.*cuda_bf16"):
        keras.layers.Dense(3, dtype="mixed_bfloat16")
