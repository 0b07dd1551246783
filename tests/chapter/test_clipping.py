"""Gradient clipping: cell 10 of the Keras notes, the book's page on it, and cell 4 of the TensorFlow notebook.

TensorFlow's `clip_by_value` between `compute_gradients` and `apply_gradients` is the argument `clipvalue`.
"""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras


def step(optimizer):
    """How one step moves two weights whose gradient is [0.9, 100.0], the vector that the page clips."""
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((2,)), layer])
    model.compile(loss=lambda y_true, y_pred: y_pred + 0 * y_true, optimizer=optimizer)
    model.train_on_batch(np.array([[0.9, 100.0]]), np.zeros((1, 1)))
    return -layer.get_weights()[0].ravel()


def test_clipping_by_value_bounds_every_component():
    np.testing.assert_allclose(step(keras.optimizers.SGD(1.0)), [0.9, 100.0], rtol=1e-6)
    np.testing.assert_allclose(step(keras.optimizers.SGD(1.0, clipvalue=1.0)), [0.9, 1.0], rtol=1e-6)


def test_clipping_by_norm_keeps_the_direction():
    clipped = step(keras.optimizers.SGD(1.0, clipnorm=1.0))
    np.testing.assert_allclose(clipped, [0.00899964, 0.9999595], rtol=1e-5)


@pytest.mark.parametrize("clip", [{"clipvalue": 1.0}, {"clipnorm": 1.0}])
def test_a_clipped_network_learns(clip):
    (X_train, y_train), _ = keras.datasets.mnist.load_data()
    model = keras.Sequential([keras.Input((28, 28)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()])
    model.add(keras.layers.Dense(100, activation="relu"))
    model.add(keras.layers.Dense(10))
    optimizer = keras.optimizers.SGD(**clip)
    model.compile(loss="mse", optimizer=optimizer)
    targets = keras.utils.to_categorical(y_train, 10)
    losses = model.fit(X_train, targets, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
