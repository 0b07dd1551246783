"""Training on a device takes the path that it takes on the processor.

On the row cuda_emulated wherever it was built, and on an NVIDIA GPU where there is one.
"""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras
from hotloop import layers, losses, optimizers

BATCH, STEPS, EVERY = 32, 200, 10
RNG = np.random.default_rng(11)
X = RNG.normal(size=(EVERY * BATCH, 24)).astype(np.float32)
TEACHER = RNG.normal(size=(24, 5))
LABELS = (X @ TEACHER).argmax(axis=1)
TARGETS = np.tanh(X @ TEACHER[:, :2]).astype(np.float32)


def classifier() -> keras.Sequential:
    model = keras.Sequential([keras.Input((24,)), layers.Dense(40, "relu"), layers.Dense(30, "elu"), layers.Dense(5)])
    model.compile(optimizers.Adam(1e-3), losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def normalised() -> keras.Sequential:
    model = keras.Sequential([keras.Input((24,))])
    for _ in range(3):
        model.add(layers.Dense(20, use_bias=False))
        model.add(layers.BatchNormalization())
        model.add(layers.Activation("elu"))
        model.add(layers.Dropout(0.2))
    model.add(layers.Dense(5, "softmax"))
    model.compile(optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    return model


def regression() -> keras.Sequential:
    model = keras.Sequential([keras.Input((24,)), layers.Dense(150, "tanh", kernel_regularizer="l2")])
    model.add(layers.LayerNormalization())
    model.add(layers.Dense(2))
    model.compile(optimizers.SGD(0.01, momentum=0.9, clipnorm=1.0), "mse")
    return model


def wide() -> keras.Sequential:
    """Sums of every length that a product cuts, and of lengths that no cut divides."""
    model = keras.Sequential([keras.Input((24,)), layers.Dense(517, "relu"), layers.Dense(67, "tanh"), layers.Dense(5)])
    model.compile(optimizers.Adam(1e-4), losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


MODELS = {
    "classifier": (classifier, LABELS),
    "normalised": (normalised, LABELS),
    "regression": (regression, TARGETS),
    "wide": (wide, LABELS),
}


def trained(device: str, name: str) -> tuple[keras.Sequential, list[float]]:
    """The model after 200 steps, and its losses, each the mean of ten steps."""
    keras.utils.set_random_seed(3)
    make, y = MODELS[name]
    with keras.device(device):
        model = make()
        history = model.fit(X, y, batch_size=BATCH, epochs=STEPS // EVERY, verbose=0)
    return model, history.history["loss"]


@pytest.mark.parametrize("name", MODELS)
def test_the_losses_of_200_steps_are_those_of_the_processor(device, name):
    here, there = trained("cpu", name)[1], trained(device, name)[1]
    assert len(here) == STEPS // EVERY
    assert here[-1] < 0.9 * here[0]
    np.testing.assert_allclose(there, here, rtol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_two_runs_on_a_device_have_the_same_bits(device, name):
    (first, losses_of_first), (second, losses_of_second) = trained(device, name), trained(device, name)
    assert losses_of_first == losses_of_second
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()


def test_dropout_draws_the_processor_s_masks(device):
    def dropped(where: str) -> np.ndarray:
        keras.utils.set_random_seed(9)
        with keras.device(where):
            model = keras.Sequential([keras.Input((301,)), layers.Dropout(0.3)])
            return np.asarray(model(np.ones((65, 301), np.float32), training=True))

    here, there = dropped("cpu"), dropped(device)
    assert 0.2 < np.mean(here == 0) < 0.4
    assert here.tobytes() == there.tobytes()


def test_a_pass_over_more_batches_than_are_queued_at_once_misses_none(device):
    rows = 1000
    x, y = RNG.normal(size=(rows, 6)).astype(np.float32), RNG.normal(size=(rows, 1)).astype(np.float32)

    def weights(where: str) -> list[np.ndarray]:
        keras.utils.set_random_seed(4)
        with keras.device(where):
            model = keras.Sequential([keras.Input((6,)), layers.Dense(4, "tanh"), layers.Dense(1)])
            model.compile(optimizers.SGD(0.01), "mse")
            model.fit(x, y, batch_size=3, epochs=1, verbose=0)
        return model.get_weights()

    for a, b in zip(weights("cpu"), weights(device), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
