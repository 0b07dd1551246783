"""The notebook "Chapter 11 - Training Deep Neural Nets" (TensorFlow 1), cell by cell, by the Keras equivalents.

A placeholder is an `Input`, a `training` flag is what `fit` and `predict` set by themselves, a collection of update
operations is part of the compiled step, a graph that is searched for names is a model asked for its layers, and a
Saver is `save`, `load_model` and `load_weights`. Fewer epochs.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import hotloop as keras

n_inputs, n_hidden1, n_hidden2, n_outputs = 28 * 28, 300, 100, 10
batch_size = 50


@pytest.fixture
def mnist():
    """As the old tutorials read it: rows of 784 numbers from 0 to 1."""
    (x, y), (x_test, y_test) = keras.datasets.mnist.load_data()
    return (x.reshape(-1, 784) / 255.0, y), (x_test.reshape(-1, 784) / 255.0, y_test)


def four_hidden_layers(freeze=False):
    """The network that the cells on reuse speak of."""
    X = keras.Input((n_inputs,), name="X")
    hidden1 = keras.layers.Dense(100, activation="relu", name="hidden1")(X)
    hidden2 = keras.layers.Dense(60, activation="relu", name="hidden2")(hidden1)
    below = keras.ops.stop_gradient(hidden2) if freeze else hidden2
    hidden3 = keras.layers.Dense(50, activation="relu", name="hidden3")(below)
    hidden4 = keras.layers.Dense(40, activation="relu", name="hidden4")(hidden3)
    logits = keras.layers.Dense(n_outputs, name="outputs")(hidden4)
    return keras.Model(X, logits)


def train(model, images, epochs=1, rate=0.05):
    model.compile(
        optimizer=keras.optimizers.SGD(rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model.fit(*images, batch_size=batch_size, epochs=epochs, verbose=0)


def weights(model):
    return {v.path: np.array(v) for v in model.weights}


def test_cell_5_initialises_after_he():
    he_init = keras.initializers.VarianceScaling(scale=2.0, mode="fan_in")
    X = keras.Input((n_inputs,))
    dense = keras.layers.Dense(n_hidden1, activation="relu", kernel_initializer=he_init, name="hidden1")
    dense(X)
    assert dense.get_weights()[0].std() == pytest.approx(np.sqrt(2 / n_inputs), rel=0.02)
    average = keras.initializers.VarianceScaling(scale=2.0, mode="fan_avg")((n_inputs, n_hidden1))
    assert np.std(average) == pytest.approx(np.sqrt(2 / ((n_inputs + n_hidden1) / 2)), rel=0.02)


def test_cells_6_and_7_take_any_activation(mnist):
    def leaky_relu(z):
        return keras.ops.maximum(0.01 * z, z)

    X = keras.Input((n_inputs,), name="X")
    hidden1 = keras.layers.Dense(n_hidden1, activation="elu", name="hidden1")(X)
    hidden2 = keras.layers.Dense(n_hidden2, activation=leaky_relu, name="hidden2")(hidden1)
    model = keras.Model(X, [hidden2, keras.layers.Dense(n_outputs, name="outputs")(hidden2)])
    inner = keras.Model(X, hidden1).predict(mnist[1][0][:20], verbose=0)
    kernel, bias = model.get_layer("hidden2").get_weights()
    z = inner @ kernel + bias
    np.testing.assert_allclose(
        model.predict(mnist[1][0][:20], verbose=0)[0], np.maximum(0.01 * z, z), rtol=1e-4, atol=1e-5
    )
    assert train(keras.Model(X, model.outputs[1]), mnist[0]).history["accuracy"][-1] > 0.6


@pytest.mark.parametrize("spelled", ["out", "with partial"])
def test_cells_8_to_3_normalise_logits_too_and_move_the_averages(mnist, spelled, tmp_path):
    X = keras.Input((n_inputs,), name="X")
    if spelled == "out":
        hidden1 = keras.layers.Dense(n_hidden1, name="hidden1")(X)
        bn1 = keras.layers.BatchNormalization(momentum=0.9)(hidden1)
        bn1_act = keras.activations.elu(bn1)
        hidden2 = keras.layers.Dense(n_hidden2, name="hidden2")(bn1_act)
        bn2 = keras.layers.BatchNormalization(momentum=0.9)(hidden2)
        bn2_act = keras.activations.elu(bn2)
        logits_before_bn = keras.layers.Dense(n_outputs, name="outputs")(bn2_act)
        logits = keras.layers.BatchNormalization(momentum=0.9)(logits_before_bn)
    else:
        my_batch_norm_layer = partial(keras.layers.BatchNormalization, momentum=0.9)
        hidden1 = keras.layers.Dense(n_hidden1, name="hidden1")(X)
        bn1_act = keras.activations.elu(my_batch_norm_layer()(hidden1))
        hidden2 = keras.layers.Dense(n_hidden2, name="hidden2")(bn1_act)
        bn2_act = keras.activations.elu(my_batch_norm_layer()(hidden2))
        logits = my_batch_norm_layer()(keras.layers.Dense(n_outputs, name="outputs")(bn2_act))
    model = keras.Model(X, logits)
    average = next(layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization))
    train(model, mnist[0], epochs=2, rate=0.01)
    assert np.abs(average.moving_mean).max() > 0.01
    accuracy = model.evaluate(*mnist[1], verbose=0)[1]
    assert accuracy > 0.75
    model.save(tmp_path / "my_model_final.safetensors")
    again = keras.models.load_model(tmp_path / "my_model_final.safetensors")
    assert again.evaluate(*mnist[1], verbose=0)[1] == accuracy


def test_cells_5_to_11_restore_and_go_on(mnist, tmp_path):
    model = four_hidden_layers()
    train(model, mnist[0])
    model.save(tmp_path / "my_model_final.safetensors")

    restored = keras.models.load_model(tmp_path / "my_model_final.safetensors")
    assert [layer.name for layer in restored.layers][1:] == ["hidden1", "hidden2", "hidden3", "hidden4", "outputs"]
    assert restored.inputs[0].name == "X"
    assert restored.optimizer.iterations == model.optimizer.iterations > 0
    for _ in range(2):  # the same steps as without a file between them
        restored.train_on_batch(mnist[0][0][:50], mnist[0][1][:50])
        model.train_on_batch(mnist[0][0][:50], mnist[0][1][:50])
    for path, weight in weights(model).items():
        np.testing.assert_array_equal(weights(restored)[path], weight)


def test_cell_12_restores_the_layers_that_a_regular_expression_names(mnist, tmp_path):
    model = four_hidden_layers()
    train(model, mnist[0])
    model.save(tmp_path / "my_model_final.safetensors")
    new = four_hidden_layers()
    start = weights(new)
    new.load_weights(tmp_path / "my_model_final.safetensors", by_name="hidden[123]")
    for path, weight in weights(new).items():
        source = weights(model) if path.startswith(("hidden1", "hidden2", "hidden3")) else start
        np.testing.assert_array_equal(weight, source[path])
    train(new, mnist[0])
    new.save(tmp_path / "my_new_model_final.safetensors")


def test_cell_13_takes_weights_of_another_framework(mnist):
    rng = np.random.default_rng(0)
    original_w, original_b = rng.normal(size=(n_inputs, 100)), rng.normal(size=100)
    model = four_hidden_layers()
    model.get_layer("hidden1").set_weights([original_w, original_b])
    x = mnist[1][0][:10]
    outputs = keras.Model(model.inputs, model.get_layer("hidden1").output).predict(x, verbose=0)
    np.testing.assert_allclose(outputs, np.maximum(x @ original_w + original_b, 0), rtol=1e-4, atol=1e-4)
    by_path = four_hidden_layers()
    by_path.load_weights({"hidden1/kernel": original_w, "hidden1/bias": original_b}, by_name=True)
    np.testing.assert_array_equal(by_path.get_layer("hidden1").get_weights()[0], np.float32(original_w))


@pytest.mark.parametrize("way", ["trainable", "stop_gradient"])
def test_cells_14_and_15_freeze_the_lower_layers(mnist, way):
    model = four_hidden_layers(freeze=way == "stop_gradient")
    if way == "trainable":
        keras.models.set_trainable(model, "hidden[12]", False)
        assert {v.path.split("/")[0] for v in model.trainable_variables} == {"hidden3", "hidden4", "outputs"}
    start = weights(model)
    train(model, mnist[0])
    for path, weight in weights(model).items():
        assert np.array_equal(weight, start[path]) == path.startswith(("hidden1", "hidden2")), path


def test_cell_16_caches_what_the_frozen_layers_say(mnist):
    (X_train, y_train), _ = mnist
    model = four_hidden_layers()
    keras.models.set_trainable(model, "hidden[12]", False)
    h2_cache = keras.Model(model.inputs, model.get_layer("hidden2").output).predict(X_train, verbose=0)
    upper = keras.Sequential([keras.Input((60,)), *model.layers[3:]])
    start = weights(model)
    n_batches = len(X_train) // batch_size
    upper.compile(keras.optimizers.SGD(0.05), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for _ in range(2):
        shuffled_idx = np.random.default_rng(0).permutation(len(X_train))
        hidden2_batches = np.array_split(h2_cache[shuffled_idx], n_batches)
        y_batches = np.array_split(y_train[shuffled_idx], n_batches)
        for hidden2_batch, y_batch in zip(hidden2_batches, y_batches, strict=True):
            upper.train_on_batch(hidden2_batch, y_batch)
    whole = weights(model)  # the layers are shared
    assert not np.array_equal(whole["hidden3/kernel"], start["hidden3/kernel"])
    np.testing.assert_array_equal(whole["hidden2/kernel"], start["hidden2/kernel"])
    np.testing.assert_array_equal(model.predict(X_train, verbose=0), upper.predict(h2_cache, verbose=0))
