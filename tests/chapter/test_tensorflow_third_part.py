"""The notebook "Chapter 11: Training Deep Neural Nets - Part 3" (TensorFlow 1), cell by cell, by the Keras equivalents.

Fewer epochs on a sample; examples/chapter has the whole runs. An indentation that Python refuses is mended by leaving
it out.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import hotloop as keras

n_inputs, n_hidden1, n_hidden2, n_outputs = 28 * 28, 300, 50, 10
learning_rate = 0.01


@pytest.fixture
def mnist():
    """As the old tutorials read it: rows of 784 numbers from 0 to 1."""
    (x, y), (x_test, y_test) = keras.datasets.mnist.load_data()
    return (x.reshape(-1, 784) / 255.0, y), (x_test.reshape(-1, 784) / 255.0, y_test)


def dnn(*hidden, **options):
    X = keras.Input((n_inputs,), name="X")
    inner = X
    for i, n in enumerate(hidden, 1):
        inner = keras.layers.Dense(n, activation="relu", name=f"hidden{i}", **options)(inner)
    return keras.Model(X, keras.layers.Dense(n_outputs, name="outputs")(inner))


def execute(model, mnist, optimizer, n_epochs, batch_size):
    """The execution phase: the test accuracy after every epoch."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    accuracies = []
    for epoch in range(n_epochs):
        model.fit(*mnist[0], batch_size=batch_size, verbose=0)
        accuracies.append(model.evaluate(*mnist[1], verbose=0)[1])
        print(epoch, "Test accuracy:", accuracies[-1])
    return accuracies


def test_optimizers_of_the_first_cells_learn(mnist):
    for optimizer in (
        keras.optimizers.SGD(learning_rate=learning_rate, momentum=0.9),
        keras.optimizers.SGD(learning_rate=learning_rate, momentum=0.9, nesterov=True),
        keras.optimizers.Adagrad(learning_rate=learning_rate),
        keras.optimizers.RMSprop(learning_rate=1e-4, momentum=0.9, rho=0.9, epsilon=1e-10),
        keras.optimizers.Adam(learning_rate=0.001),
        keras.optimizers.Ftrl(learning_rate=0.1, l1_regularization_strength=0.001),
    ):
        (accuracy,) = execute(dnn(n_hidden2), mnist, optimizer, n_epochs=1, batch_size=50)
        assert accuracy > 0.6, optimizer.name


def test_cells_14_and_15_decay_the_rate_of_momentum(mnist):
    initial_learning_rate, decay_steps, decay_rate = 0.1, 10000, 1 / 10
    rate = keras.optimizers.schedules.ExponentialDecay(initial_learning_rate, decay_steps, decay_rate)
    optimizer = keras.optimizers.SGD(rate, momentum=0.9)
    accuracies = execute(dnn(n_hidden1, n_hidden2), mnist, optimizer, n_epochs=3, batch_size=50)
    assert accuracies[-1] > 0.85
    steps = 3 * len(mnist[0][0]) // 50
    assert float(optimizer.learning_rate) == pytest.approx(0.1 * 0.1 ** (steps / decay_steps), rel=1e-4)


def test_early_stopping_looks_every_50_steps_and_keeps_the_winner(mnist):
    (x, y), test = mnist
    model = dnn(n_hidden2)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.5), loss, metrics=["accuracy"])
    stopping = keras.callbacks.EarlyStopping(
        patience=5, restore_best_weights=True, every=50, validation_data=(x[:500], y[:500])
    )
    model.fit(x[500:1500], y[500:1500], batch_size=50, epochs=100, verbose=0, callbacks=[stopping])
    assert int(model.optimizer.iterations) < 100 * 20
    assert model.evaluate(x[:500], y[:500], verbose=0)[0] == pytest.approx(stopping.best, rel=1e-5)
    assert model.evaluate(*test, verbose=0)[1] > 0.6


def test_cells_17_to_19_add_the_absolute_weights_to_the_loss(mnist):
    scale = 0.001
    X = keras.Input((n_inputs,), name="X")
    l1 = keras.regularizers.l1(scale)
    hidden1 = keras.layers.Dense(n_hidden1, activation="relu", kernel_regularizer=l1, name="hidden1")(X)
    model = keras.Model(X, keras.layers.Dense(n_outputs, kernel_regularizer=l1, name="outputs")(hidden1))
    accuracies = execute(model, mnist, keras.optimizers.SGD(learning_rate), n_epochs=3, batch_size=200)
    assert accuracies[-1] > 0.6
    x, y = mnist[1]
    logits = model.predict(x, verbose=0).astype(np.float64)
    base_loss = np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(y)), y])
    W1, W2 = model.get_layer("hidden1").get_weights()[0], model.get_layer("outputs").get_weights()[0]
    reg_losses = np.sum(np.abs(W1)) + np.sum(np.abs(W2))
    assert model.evaluate(x, y, verbose=0)[0] == pytest.approx(base_loss + scale * reg_losses, rel=1e-4)


def test_cells_25_to_27_do_it_by_an_argument(mnist):
    scale = 0.001
    my_dense_layer = partial(keras.layers.Dense, activation="relu", kernel_regularizer=keras.regularizers.l1(scale))
    X = keras.Input((n_inputs,), name="X")
    hidden1 = my_dense_layer(n_hidden1, name="hidden1")(X)
    hidden2 = my_dense_layer(n_hidden2, name="hidden2")(hidden1)
    model = keras.Model(X, my_dense_layer(n_outputs, activation=None, name="outputs")(hidden2))
    start = np.abs(model.get_layer("hidden1").get_weights()[0]).sum()
    accuracies = execute(model, mnist, keras.optimizers.SGD(learning_rate), n_epochs=3, batch_size=200)
    assert accuracies[-1] > 0.4
    assert np.abs(model.get_layer("hidden1").get_weights()[0]).sum() < start


def test_cell_28_drops_inputs_and_neurons(mnist):
    dropout_rate = 0.5  # == 1 - keep_prob
    X = keras.Input((n_inputs,), name="X")
    X_drop = keras.layers.Dropout(dropout_rate)(X)
    hidden1 = keras.layers.Dense(n_hidden1, activation="relu", name="hidden1")(X_drop)
    hidden1_drop = keras.layers.Dropout(dropout_rate)(hidden1)
    hidden2 = keras.layers.Dense(n_hidden2, activation="relu", name="hidden2")(hidden1_drop)
    hidden2_drop = keras.layers.Dropout(dropout_rate)(hidden2)
    model = keras.Model(X, keras.layers.Dense(n_outputs, name="outputs")(hidden2_drop))
    optimizer = keras.optimizers.SGD(learning_rate, momentum=0.9)
    assert execute(model, mnist, optimizer, n_epochs=3, batch_size=50)[-1] > 0.7
    x = mnist[1][0][:50]
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.predict(x, verbose=0))
    assert not np.array_equal(model(x, training=True), model(x, training=True))


def test_the_note_on_dropconnect_is_a_layer(mnist):
    layers = [keras.layers.DropConnectDense(n_hidden2, rate=0.5, activation="relu"), keras.layers.Dense(n_outputs)]
    model = keras.Sequential([keras.Input((n_inputs,)), *layers])
    assert execute(model, mnist, keras.optimizers.Adam(), n_epochs=1, batch_size=50)[-1] > 0.6


def clip_by_norm(weights, clip_norm, axes):
    norms = np.sqrt(np.sum(np.square(weights, dtype=np.float64), axis=axes, keepdims=True))
    return weights * np.minimum(1, clip_norm / np.maximum(norms, 1e-12))


def test_cells_30_to_33_clip_the_weights_by_hand_or_by_a_constraint(mnist):
    threshold = 1.0

    def max_norm_regularizer(threshold, axes=1):
        def max_norm(weights):
            return clip_by_norm(weights, clip_norm=threshold, axes=axes)

        return max_norm

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    constraints = (None, max_norm_regularizer(threshold), keras.constraints.max_norm(threshold, axis=1))
    models = [dnn(n_hidden1, n_hidden2, kernel_constraint=constraint) for constraint in constraints]
    for model in models:
        model.set_weights(models[0].get_weights())
        model.compile(keras.optimizers.SGD(learning_rate, momentum=0.9), loss, metrics=["accuracy"])
    (x, y), _ = mnist
    for at in range(0, 1000, 50):
        for model in models:
            model.train_on_batch(x[at : at + 50], y[at : at + 50])
        for layer in (models[0].get_layer("hidden1"), models[0].get_layer("hidden2")):
            kernel, bias = layer.get_weights()
            layer.set_weights([clip_by_norm(kernel, threshold, axes=1), bias])
    for other in models[1:]:
        for mine, theirs in zip(models[0].get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-5)
    accuracies = execute(models[2], mnist, models[2].optimizer, n_epochs=2, batch_size=50)
    assert accuracies[-1] > 0.8
    assert np.linalg.norm(models[2].get_layer("hidden1").get_weights()[0], axis=1).max() <= threshold + 1e-5
