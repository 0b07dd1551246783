"""The short notes "Chapter 11. Training Deep Neural Nets": their Keras cells, and the TensorFlow one by its Keras
equivalent.

Mended, because no library could run it: `kernel_initinalizer+"lecun_normal"`.
"""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the notes spell alpha and input_shape


def test_the_first_cell_initialises_after_he():
    n_inputs = 28 * 28  # MNIST
    n_hidden1 = 300
    X = keras.Input((n_inputs,), name="X")
    he_init = keras.initializers.VarianceScaling(scale=2.0)
    hidden1 = keras.layers.Dense(n_hidden1, activation="relu", kernel_initializer=he_init, name="hidden1")
    assert hidden1(X).shape == (None, n_hidden1)
    assert hidden1.get_weights()[0].std() == pytest.approx(np.sqrt(2 / n_inputs), rel=0.02)


def test_a_leaky_layer_is_an_activation():
    leaky_relu = keras.layers.LeakyReLU(alpha=0.2)
    layer = keras.layers.Dense(10, activation=leaky_relu, kernel_initializer="he_normal")
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    y = layer(x)
    z = x @ layer.get_weights()[0]
    np.testing.assert_allclose(y, np.where(z < 0, 0.2 * z, z), rtol=1e-4, atol=1e-6)


def test_selu_goes_with_lecun():
    layer = keras.layers.Dense(10, activation="selu", kernel_initializer="lecun_normal")
    layer.build((None, 1000))
    assert layer.get_weights()[0].std() == pytest.approx(np.sqrt(1 / 1000), rel=0.05)


def test_a_normalised_network_says_what_it_holds(capsys):
    model = keras.models.Sequential([
        keras.layers.Flatten(input_shape=[28, 28]),
        keras.layers.BatchNormalization(),
        keras.layers.Dense(300, activation="elu", kernel_initializer="he_normal"),
        keras.layers.BatchNormalization(),
        keras.layers.Dense(100, activation="elu", kernel_initializer="he_normal"),
        keras.layers.BatchNormalization(),
        keras.layers.Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.summary()
    assert "3,136" in capsys.readouterr().out
    variables = [(var.name, var.trainable) for var in model.layers[1].variables]
    assert variables == [("gamma", True), ("beta", True), ("moving_mean", False), ("moving_variance", False)]
