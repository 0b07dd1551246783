"""The notes "Training Deep Neural Networks" (Keras cells 1 to 44), in order.

Changed but for the import: fewer epochs. Mended, because no library could run them: the skeleton of a
`BatchNormalization` class is a layer with a `training` argument; `lr_sceduler`, `X_train_scaled` and `[...]` in the
call of `fit`; `y_pred`, which is never made. `kernal_initialization` stands in the text alone.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import hotloop as keras

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the notes spell input_shape, alpha and decay


@pytest.fixture
def mnist():
    """Cell 11, its first half."""
    (X_train, y_train), (X_test, y_test) = keras.datasets.mnist.load_data()
    X_val, X_train = X_train[:5000] / 255.0, X_train[5000:] / 255.0
    y_val, y_train = y_train[:5000], y_train[5000:]
    X_test = X_test / 255.0
    return (X_train, y_train), (X_val, y_val), (X_test, y_test)


def classify(model, images, epochs=3, **options):
    """What the notes leave out between the cells: compile and fit; the last accuracy."""
    model.compile(
        loss="sparse_categorical_crossentropy",
        optimizer=options.pop("optimizer", "adam"),
        metrics=["accuracy"],
    )
    return model.fit(*images, epochs=epochs, verbose=0, **options).history["accuracy"][-1]


def test_cells_1_and_2_initialise_after_he():
    layer = keras.layers.Dense(10, activation="relu", kernel_initializer="he_normal")
    layer.build((None, 1000))
    assert layer.get_weights()[0].std() == pytest.approx(np.sqrt(2 / 1000), rel=0.05)

    he_avg_init = keras.initializers.VarianceScaling(scale=2, mode="fan_avg", distribution="uniform")
    layer = keras.layers.Dense(10, activation="sigmoid", kernel_initializer=he_avg_init)
    layer.build((None, 1000))
    bound = np.sqrt(3 * 2 / ((1000 + 10) / 2))
    assert 0.99 * bound < np.abs(layer.get_weights()[0]).max() <= bound


@pytest.mark.parametrize("parametric", [False, True])
def test_cell_4_leaks(mnist, parametric):
    def leaky():
        return keras.layers.PReLU() if parametric else keras.layers.LeakyReLU(alpha=0.2)

    model = keras.models.Sequential([
        keras.layers.Flatten(input_shape=[28, 28]),
        keras.layers.Dense(300, kernel_initializer="he_normal"),
        leaky(),
        keras.layers.Dense(100, kernel_initializer="he_normal"),
        leaky(),
        keras.layers.Dense(10, activation="softmax"),
    ])  # fmt: skip
    assert classify(model, mnist[0]) > 0.85
    if not parametric:
        np.testing.assert_allclose(model.layers[2](np.float32([[-1.0, 2.0]])), [[-0.2, 2.0]], rtol=1e-6)


def test_cell_5_normalises_itself():
    layer = keras.layers.Dense(10, activation="selu", kernel_initializer="lecun_normal")
    stack = [keras.layers.Dense(200, activation="selu", kernel_initializer="lecun_normal") for _ in range(20)]
    outputs = keras.Sequential([*stack, layer]).predict(np.random.default_rng(0).normal(size=(500, 200)), verbose=0)
    assert abs(outputs.mean()) < 0.25
    assert 0.6 < outputs.std() < 1.4


def test_cells_6_to_8_normalise_batches(mnist, capsys):
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
    printed = capsys.readouterr().out
    for count in ("3,136", "235,500", "1,200", "30,100", "400", "1,010", "2,368"):
        assert count in printed
    assert [(var.name, var.trainable) for var in model.layers[1].variables] == [
        ("gamma", True), ("beta", True), ("moving_mean", False), ("moving_variance", False)
    ]  # fmt: skip
    assert classify(model, mnist[0]) > 0.9
    assert model.evaluate(*mnist[2], verbose=0)[1] > 0.8


def test_cell_9_normalises_before_the_activation(mnist):
    model = keras.models.Sequential([
        keras.layers.Flatten(input_shape=[28, 28]),
        keras.layers.BatchNormalization(),
        keras.layers.Dense(300, kernel_initializer="he_normal", use_bias=False),
        keras.layers.BatchNormalization(),
        keras.layers.Activation("elu"),
        keras.layers.Dense(100, kernel_initializer="he_normal", use_bias=False),
        keras.layers.BatchNormalization(),
        keras.layers.Activation("elu"),
        keras.layers.Dense(10, activation="softmax"),
    ])  # fmt: skip
    assert classify(model, mnist[0]) > 0.9
    assert model.evaluate(*mnist[2], verbose=0)[1] > 0.8


def test_the_skeleton_after_cell_9_is_a_layer_that_knows_training():
    class BatchNormalization(keras.layers.Layer):
        def call(self, inputs, training=None):
            return 2 * inputs if training else inputs

    layer = BatchNormalization()
    x = np.float32([[1.0, 3.0]])
    np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_allclose(layer(x, training=True), [[2.0, 6.0]])


def test_cells_17_to_20_are_optimizers_that_learn(mnist):
    for optimizer in (
        keras.optimizers.SGD(learning_rate=0.001, momentum=0.9),
        keras.optimizers.SGD(learning_rate=0.001, momentum=0.9, nesterov=True),
        keras.optimizers.Adagrad(learning_rate=0.01),
        keras.optimizers.RMSprop(learning_rate=0.001, rho=0.9),
        keras.optimizers.Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999),
        keras.optimizers.Adamax(),
        keras.optimizers.Nadam(),
    ):
        model = keras.Sequential([keras.layers.Flatten(input_shape=[28, 28]), keras.layers.Dense(10, "softmax")])
        assert classify(model, mnist[0], epochs=1, optimizer=optimizer) > 0.3, optimizer.name
    assert keras.backend.epsilon() == 1e-7


def test_cells_21_to_27_schedule_the_rate(mnist):
    (X_train, y_train), valid, _ = mnist
    model = keras.Sequential([keras.layers.Flatten(input_shape=[28, 28]), keras.layers.Dense(10, "softmax")])

    optimizer = keras.optimizers.SGD(learning_rate=0.01, decay=1e-4)
    classify(model, (X_train, y_train), epochs=1, optimizer=optimizer)
    steps = -(-len(X_train) // 32)
    assert float(optimizer.learning_rate) == pytest.approx(0.01)
    assert int(optimizer.iterations) == steps

    def exponential_decay(lr0, s):
        def exponential_decay_fn(epoch):
            return lr0 * 0.1 ** (epoch / s)

        return exponential_decay_fn

    def exponential_decay_of_the_last(epoch, lr):
        return lr * 0.1 ** (1 / 20)

    def piecewise_constant_fn(epoch):
        if epoch < 5:
            return 0.01
        elif epoch < 15:
            return 0.005
        else:
            return 0.001

    rates = {}
    schedules = (exponential_decay(lr0=0.01, s=20), exponential_decay_of_the_last, piecewise_constant_fn)
    for name, schedule in zip(("epoch", "rate", "pieces"), schedules, strict=True):
        lr_scheduler = keras.callbacks.LearningRateScheduler(schedule)
        model.compile(loss="sparse_categorical_crossentropy", optimizer=keras.optimizers.SGD(0.01))
        history = model.fit(X_train[:64], y_train[:64], epochs=20, verbose=0, callbacks=[lr_scheduler])
        rates[name] = history.history["learning_rate"]
    np.testing.assert_allclose(rates["epoch"], 0.01 * 0.1 ** (np.arange(20) / 20), rtol=1e-5)
    np.testing.assert_allclose(rates["rate"], 0.01 * 0.1 ** (np.arange(1, 21) / 20), rtol=1e-5)
    np.testing.assert_allclose(rates["pieces"], [0.01] * 5 + [0.005] * 10 + [0.001] * 5, rtol=1e-5)

    lr_scheduler = keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=5)
    model.compile(loss="sparse_categorical_crossentropy", optimizer=keras.optimizers.SGD(1e-12))
    history = model.fit(
        X_train[:64], y_train[:64], epochs=12, verbose=0, validation_data=valid, callbacks=[lr_scheduler]
    )
    assert history.history["learning_rate"][-1] < 1e-12

    s = 20 * len(X_train) // 32
    learning_rate = keras.optimizers.schedules.ExponentialDecay(0.01, s, 0.1)
    optimizer = keras.optimizers.SGD(learning_rate)
    classify(model, (X_train, y_train), epochs=1, optimizer=optimizer)
    assert float(optimizer.learning_rate) == pytest.approx(0.01 * 0.1 ** (steps / s), rel=1e-4)


def test_the_text_after_cell_27_writes_a_callback_of_its_own_for_1cycle(mnist):
    class OneCycle(keras.callbacks.Callback):
        def __init__(self, steps, highest):
            super().__init__()
            self.step, self.steps, self.highest, self.rates = 0, steps, highest, []

        def on_train_batch_begin(self, batch, logs=None):
            share = 1 - abs(2 * self.step / self.steps - 1)
            self.model.optimizer.lr = self.highest * (0.1 + 0.9 * share)
            self.rates.append(float(self.model.optimizer.lr))
            self.step += 1

    (X_train, y_train), _, _ = mnist
    model = keras.Sequential([keras.layers.Flatten(input_shape=[28, 28]), keras.layers.Dense(10, "softmax")])
    cycle = OneCycle(2 * (-(-len(X_train) // 32)), 0.05)
    optimizer = keras.optimizers.SGD(0.005, momentum=0.9)
    assert classify(model, (X_train, y_train), epochs=2, optimizer=optimizer, callbacks=[cycle]) > 0.75
    assert cycle.rates[0] == pytest.approx(0.005, rel=1e-3)
    assert max(cycle.rates) == pytest.approx(0.05, rel=1e-3)


def test_cells_28_and_29_regularise(mnist):
    layer = keras.layers.Dense(
        100, activation="elu", kernel_initializer="he_normal", kernel_regularizer=keras.regularizers.l2(0.01)
    )
    assert keras.Sequential([layer]).predict(np.ones((2, 5)), verbose=0).shape == (2, 100)
    assert keras.regularizers.l1(0.01)(np.float32([-2, 1])) == pytest.approx(0.03)
    assert keras.regularizers.l1_l2(0.01, 0.01)(np.float32([-2, 1])) == pytest.approx(0.03 + 0.05)

    RegularizedDense = partial(
        keras.layers.Dense,
        activation="elu",
        kernel_initializer="he_normal",
        kernel_regularizer=keras.regularizers.l2(0.01),
    )
    model = keras.models.Sequential([
        keras.layers.Flatten(input_shape=[28, 28]),
        RegularizedDense(300),
        RegularizedDense(100),
        RegularizedDense(10, activation="softmax", kernel_initializer="glorot_uniform"),
    ])  # fmt: skip
    assert classify(model, mnist[0]) > 0.8
    x, y = mnist[2]
    plain = -np.log(model.predict(x, verbose=0)[np.arange(len(y)), y]).mean()
    penalty = sum(0.01 * np.sum(np.float64(w) ** 2) for w in model.get_weights() if w.ndim == 2)
    assert model.evaluate(x, y, verbose=0)[0] == pytest.approx(plain + penalty, rel=1e-4)


def test_cells_30_to_42_drop_out_and_sample(mnist):
    (X_train, y_train), _, (X_test, y_test) = mnist
    model = keras.models.Sequential([
        keras.layers.Flatten(input_shape=[28, 28]),
        keras.layers.Dropout(rate=0.2),
        keras.layers.Dense(300, activation="elu", kernel_initializer="he_normal"),
        keras.layers.Dropout(rate=0.2),
        keras.layers.Dense(100, activation="elu", kernel_initializer="he_normal"),
        keras.layers.Dropout(rate=0.2),
        keras.layers.Dense(10, activation="softmax"),
    ])  # fmt: skip
    assert classify(model, (X_train, y_train), epochs=5) > 0.75

    y_probas = np.stack([model(X_test, training=True) for sample in range(100)])
    y_proba = y_probas.mean(axis=0)
    assert y_probas.shape == (100, len(X_test), 10)
    assert np.round(model.predict(X_test[:1], 2)).shape == (1, 10)  # a batch size, where decimals were meant
    assert np.round(y_probas[:, :1], 2).shape == (100, 1, 10)
    np.testing.assert_allclose(np.round(y_proba[:1], 2).sum(), 1, atol=0.06)
    y_std = y_probas.std(axis=0)
    assert np.round(y_std[:1], 2).shape == (1, 10)
    assert (y_std.max(axis=1) > 0).all()
    y_pred = y_proba.argmax(axis=1)
    accuracy = np.sum(y_pred == y_test) / len(y_test)
    assert accuracy > 0.8

    mean, std = model.predict_mc(X_test, samples=100)
    np.testing.assert_allclose(mean, y_proba, atol=6 * y_std.max() / np.sqrt(100))
    np.testing.assert_allclose(std.mean(), y_std.mean(), rtol=0.1)

    class MCDropout(keras.layers.Dropout):
        def call(self, inputs):
            return super().call(inputs, training=True)

    class MCAlphaDropout(keras.layers.AlphaDropout):
        def call(self, inputs):
            return super().call(inputs, training=True)

    mc_model = keras.models.Sequential([keras.Input((28, 28))] + [
        MCDropout(layer.rate) if isinstance(layer, keras.layers.Dropout) else keras.layers.deserialize(
            keras.layers.serialize(layer)
        )
        for layer in model.layers
    ])  # fmt: skip
    mc_model.set_weights(model.get_weights())
    sampled = np.stack([mc_model.predict(X_test, verbose=0) for _ in range(50)])
    np.testing.assert_allclose(sampled.mean(axis=0), y_proba, atol=6 * y_std.max() / np.sqrt(50))
    alpha = keras.Sequential([MCAlphaDropout(0.5)])
    assert len(np.unique(alpha.predict(np.ones((1, 100)), verbose=0))) == 2


def test_cell_44_constrains_norms(mnist):
    layer = keras.layers.Dense(
        100, activation="elu", kernel_initializer="he_normal", kernel_constraint=keras.constraints.max_norm(1.0)
    )
    model = keras.Sequential([keras.layers.Flatten(input_shape=[28, 28]), layer, keras.layers.Dense(10, "softmax")])
    assert classify(model, mnist[0]) > 0.8
    assert np.linalg.norm(layer.get_weights()[0], axis=0).max() <= 1 + 1e-5
