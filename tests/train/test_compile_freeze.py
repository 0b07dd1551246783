"""Compiling, recompiling, learning rates, freezing and shared layers."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import hotloop as keras

RNG = np.random.default_rng(9)
X = RNG.standard_normal((32, 4)).astype(np.float32)
Y = X[:, :2] ** 2


def build(optimizer="sgd", norm=False, **options):
    keras.utils.set_random_seed(1)
    middle = [keras.layers.BatchNormalization()] if norm else []
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(6, activation="tanh"), *middle, keras.layers.Dense(2)]
    )
    model.compile(optimizer, "mse", **options)
    return model


def moved(before, after):
    return [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


def test_compile_keeps_weights_and_forgets_the_old_loss_and_metrics():
    model = build(metrics=["mae"])
    model.fit(X, Y, epochs=2, verbose=0)
    before = model.get_weights()
    model.compile(keras.optimizers.SGD(0.0), "mae")
    assert moved(before, model.get_weights()) == [False] * 4
    history = model.fit(X, Y, verbose=0).history
    assert list(history) == ["loss"]
    np.testing.assert_allclose(history["loss"], [np.mean(np.abs(model.predict(X, verbose=0) - Y))], rtol=1e-5)


def test_recompiling_keeps_the_state_of_a_kept_optimizer_and_starts_a_new_one():
    optimizer = keras.optimizers.Adam(0.01)
    model = build(optimizer)
    model.fit(X, Y, shuffle=False, verbose=0)
    assert int(optimizer.iterations) == 1
    model.compile(optimizer, "mse")
    model.fit(X, Y, shuffle=False, verbose=0)
    assert int(model.optimizer.iterations) == 2
    straight = build(keras.optimizers.Adam(0.01))
    straight.fit(X, Y, shuffle=False, verbose=0)
    straight.fit(X, Y, shuffle=False, verbose=0)
    assert not any(moved(model.get_weights(), straight.get_weights()))  # its moments were kept
    model.compile("adam", "mse")
    assert int(model.optimizer.iterations) == 0


def test_compile_without_an_optimizer_takes_rmsprop_as_keras_does():
    model, named = build(keras.optimizers.RMSprop(0.001)), build()
    named.compile(loss="mse")
    assert named.optimizer.get_config() == model.optimizer.get_config()
    for one in (model, named):
        one.fit(X, Y, shuffle=False, verbose=0)
    assert not any(moved(model.get_weights(), named.get_weights()))


def test_a_new_learning_rate_takes_effect():
    model = build(keras.optimizers.SGD(0.1))
    start = model.get_weights()
    model.train_on_batch(X, Y)
    full = model.get_weights()
    model.set_weights(start)
    model.optimizer.learning_rate = 0.05
    assert float(model.optimizer.learning_rate) == pytest.approx(0.05)
    model.train_on_batch(X, Y)
    for a, b, c in zip(start, full, model.get_weights(), strict=True):
        np.testing.assert_allclose(c - a, (b - a) / 2, rtol=1e-3, atol=1e-7)
    model.optimizer.learning_rate = 0.0
    before = model.get_weights()
    model.fit(X, Y, epochs=2, verbose=0)
    assert not any(moved(before, model.get_weights()))


def test_a_schedule_counts_steps():
    seen = []

    class Schedule(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(float(self.model.optimizer.learning_rate))

    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=1, decay_rate=0.5)
    model = build(keras.optimizers.SGD(schedule))
    model.fit(X, Y, batch_size=16, epochs=2, callbacks=[Schedule()], verbose=0)
    np.testing.assert_allclose(seen, [0.05, 0.025, 0.0125, 0.00625], rtol=1e-6)  # of the step to come
    assert int(model.optimizer.iterations) == 4


@pytest.mark.parametrize("recompile", [False, True])
def test_freezing_and_releasing_take_effect_at_the_next_fit(recompile):
    model = build(keras.optimizers.SGD(0.1, momentum=0.9))

    def fit():
        before = model.get_weights()
        if recompile:
            model.compile(model.optimizer, "mse")
        model.fit(X, Y, verbose=0)
        return moved(before, model.get_weights())

    assert fit() == [True] * 4
    model.layers[0].trainable = False
    assert fit() == [False, False, True, True]
    assert len(model.trainable_weights) == 2
    assert len(model.non_trainable_weights) == 2
    model.layers[0].trainable = True
    assert fit() == [True] * 4
    model.trainable = False
    assert model.trainable_weights == []
    model.trainable = True
    assert fit() == [True] * 4


def test_freezing_keeps_the_momentum_of_other_layers():
    frozen, straight = build(keras.optimizers.SGD(0.1, momentum=0.9)), build(keras.optimizers.SGD(0.1, momentum=0.9))
    for model in (frozen, straight):
        model.layers[0].trainable = False
        model.fit(X, Y, verbose=0)
    frozen.layers[0].trainable = True
    frozen.layers[0].trainable = False
    frozen.train_on_batch(X, Y)
    straight.train_on_batch(X, Y)
    assert not any(moved(frozen.get_weights(), straight.get_weights()))


def test_frozen_batch_normalisation_runs_in_inference_mode():
    model = build(norm=True)
    model.fit(X, Y, verbose=0)
    model.layers[1].trainable = False
    before = model.get_weights()
    np.testing.assert_array_equal(np.asarray(model(X, training=True)), np.asarray(model(X, training=False)))
    model.fit(X, Y, verbose=0)
    after = model.get_weights()
    assert moved(before, after) == [True, True, False, False, False, False, True, True]
    model.layers[1].trainable = True
    model.fit(X, Y, verbose=0)
    assert moved(after, model.get_weights()) == [True] * 8


def test_only_a_training_call_updates_moving_statistics():
    model = build(norm=True)
    before = model.get_weights()
    model(X, training=True)
    assert moved(before, model.get_weights()) == [False, False, False, False, True, True, False, False]
    model(X)
    model.predict(X, verbose=0)
    model.evaluate(X, Y, verbose=0)
    changed = moved(before, model.get_weights())
    assert changed == [False, False, False, False, True, True, False, False]


def test_models_that_share_layers_see_each_others_training():
    first = build(keras.optimizers.SGD(0.1))
    second = keras.Sequential([*first.layers[:-1], keras.layers.Dense(1)])
    second.compile(keras.optimizers.SGD(0.1), "mse")
    first.fit(X, Y, verbose=0)
    shared = first.get_weights()[:2]
    assert not any(moved(shared, second.get_weights()[:2]))
    second.fit(X, Y[:, :1], verbose=0)
    assert all(moved(shared, first.get_weights()[:2]))
    assert not any(moved(first.get_weights()[:2], second.get_weights()[:2]))
    head = keras.Model(first.inputs, first.layers[0].output)
    np.testing.assert_allclose(
        head.predict(X, verbose=0), np.tanh(X @ first.get_weights()[0] + first.get_weights()[1]), rtol=1e-4, atol=1e-5
    )
    first.fit(X, Y, verbose=0)
    np.testing.assert_allclose(
        head.predict(X, verbose=0), np.tanh(X @ first.get_weights()[0] + first.get_weights()[1]), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"])
def test_a_copy_of_a_model_predicts_and_trains_alike(clone):
    model = build(keras.optimizers.Adam(0.01), norm=True, metrics=["mae"])
    model.fit(X, Y, epochs=2, batch_size=8, verbose=0)
    twin = clone(model)
    np.testing.assert_array_equal(twin.predict(X, verbose=0), model.predict(X, verbose=0))
    a = model.fit(X, Y, initial_epoch=2, epochs=4, batch_size=8, verbose=0).history
    before = twin.get_weights()
    b = twin.fit(X, Y, initial_epoch=2, epochs=4, batch_size=8, verbose=0).history
    assert a == b
    assert all(moved(before, twin.get_weights()))
    assert not any(moved(model.get_weights(), twin.get_weights()))


def test_early_stopping_stops_in_time_and_restores_the_best_weights():
    class Script(keras.callbacks.Callback):
        """Gives every epoch a chosen value, and remembers the weights."""

        values, weights = [1.0, 0.9, 0.95, 0.97, 0.8], []

        def on_epoch_end(self, epoch, logs=None):
            logs["val_loss"] = self.values[epoch]
            self.weights.append(self.model.get_weights())

    for restore, kept in ((True, 1), (False, 3)):
        Script.weights = []
        stopping = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=restore)
        model = build()
        history = model.fit(X, Y, epochs=5, callbacks=[Script(), stopping], verbose=0)
        assert history.epoch == [0, 1, 2, 3]
        assert stopping.stopped_epoch == 3
        assert not any(moved(Script.weights[kept], model.get_weights()))
