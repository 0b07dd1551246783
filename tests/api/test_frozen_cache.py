"""`fit(cache_frozen=...)`: frozen layers are computed once, and nothing that can be seen changes."""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras
from hotloop.engine import Engine

L = keras.layers
RNG = np.random.default_rng(5)
X = RNG.normal(size=(90, 6)).astype(np.float32)
Y = (X[:, :1] * X[:, 1:2] + 0.1).astype(np.float32)


def frozen(model, count):
    for layer in model.layers[:count]:
        layer.trainable = False
    return model


def stack():
    layers = [L.Dense(17, activation="relu"), L.BatchNormalization(), L.Dense(12, activation="tanh")]
    top = [L.Dropout(0.3), L.Dense(9, activation="relu", kernel_regularizer="l2"), L.GaussianNoise(0.1), L.Dense(1)]
    return frozen(keras.Sequential([keras.Input((6,)), *layers, *top]), 3)


def frozen_up_to_an_activation():
    layers = [L.Rescaling(0.5), L.Dense(8), L.LayerNormalization(), L.Activation("gelu"), L.Dense(1)]
    return frozen(keras.Sequential([keras.Input((6,)), *layers]), 4)


def base_model_inside():
    base = keras.Sequential([keras.Input((6,)), L.Dense(8, activation="relu"), L.BatchNormalization()], name="base")
    base.trainable = False
    x = keras.Input((6,))
    return keras.Model(x, L.Dense(1)(L.Dropout(0.2)(base(x))))


def branches():
    x = keras.Input((6,))
    a, b = L.Dense(7, activation="relu", trainable=False), L.Dense(5, trainable=False)
    low, side = a(x), b(x)
    joined = L.Concatenate()([low, L.Dense(3)(side), x])
    return keras.Model(x, L.Dense(1)(L.Add()([L.Dense(4)(joined), L.Dense(4)(low * 0.5 + 1.0)])))


def shared_layer():
    x = keras.Input((6,))
    twice = L.Dense(6, activation="tanh", trainable=False)
    return keras.Model(x, L.Dense(1)(L.Dense(6)(twice(twice(x)))))


MODELS = [stack, frozen_up_to_an_activation, base_model_inside, branches, shared_layer]


def run(make, cache, optimizer="adam", x=X, y=Y, **kwargs):
    keras.utils.set_random_seed(11)
    model = make()
    model.compile(optimizer, "mse", metrics=["mae"], weighted_metrics=["mse"])
    arguments = {"batch_size": 16, "epochs": 4, "verbose": 0, "cache_frozen": cache, **kwargs}
    callbacks = [callback() for callback in arguments.pop("callbacks", [])]
    history = model.fit(x, y, callbacks=callbacks, **arguments).history
    return history, [w.tobytes() for w in model.get_weights()], model


def forwards(monkeypatch):
    """The rows of each pass over frozen layers from now on."""
    rows = []
    forward = Engine.forward

    def counted(self, program, columns, n, *args, **kwargs):
        rows.append(n)
        return forward(self, program, columns, n, *args, **kwargs)

    monkeypatch.setattr(Engine, "forward", counted)
    return rows


@pytest.mark.parametrize("cache", ["auto", True])
@pytest.mark.parametrize("make", MODELS)
def test_weights_and_logs_are_the_same_to_the_bit(make, cache, monkeypatch):
    want = run(make, False, validation_split=0.2)
    rows = forwards(monkeypatch)
    got = run(make, cache, validation_split=0.2)
    assert got[:2] == want[:2]
    assert rows == [72, 18]  # one pass over the training data and one over the validation data
    np.testing.assert_array_equal(got[2].predict(X, verbose=0), want[2].predict(X, verbose=0))


@pytest.mark.parametrize(
    "kwargs",
    [
        {"optimizer": "sgd"},
        {"sample_weight": RNG.uniform(0.5, 2.0, 90)},
        {"shuffle": False},
        {"shuffle": "batch"},
        {"batch_size": 64},
        {"validation_data": (X[:30], Y[:30], RNG.uniform(0.5, 2.0, 30))},
        {"x": (X * 40 + 128).astype(np.uint8)},
        {"x": X.astype(np.float64)},
    ],
)  # fmt: skip
def test_it_makes_no_difference_with_what_fit_is_called(kwargs, monkeypatch):
    want = run(stack, False, **kwargs)
    rows = forwards(monkeypatch)
    assert run(stack, "auto", **kwargs)[:2] == want[:2]
    assert rows


class ThawsInTheSecondEpoch(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            self.model.layers[2].trainable = True


class FreezesInTheSecondEpoch(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            self.model.layers[4].trainable = False


class ChangesFrozenWeights(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        layer = self.model.layers[0]
        layer.set_weights([w * 1.01 for w in layer.get_weights()])


class CompilesAnew(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            self.model.compile("sgd", "mae", metrics=["mae"], weighted_metrics=["mse"])


@pytest.mark.parametrize(
    ("callback", "passes"),
    [(ThawsInTheSecondEpoch, 2), (FreezesInTheSecondEpoch, 2), (ChangesFrozenWeights, 4), (CompilesAnew, 1)],
)
def test_what_callbacks_change_between_epochs_takes_effect(callback, passes, monkeypatch):
    want = run(stack, False, callbacks=[callback])
    rows = forwards(monkeypatch)
    assert run(stack, "auto", callbacks=[callback])[:2] == want[:2]
    assert len(rows) == passes


def trainable_norm():
    model = stack()
    model.layers[0].trainable = False
    model.layers[1].trainable = True
    return model


def norm_without_weights_that_train():
    layers = [L.BatchNormalization(center=False, scale=False), L.Dense(8, trainable=False), L.Dense(1)]
    return keras.Sequential([keras.Input((6,)), *layers])


def dropout_first():
    layers = [L.Dropout(0.2), L.Dense(8, trainable=False), L.Dense(1)]
    return keras.Sequential([keras.Input((6,)), *layers])


def penalised():
    layers = [L.Dense(8, trainable=False, activity_regularizer="l1"), L.Dense(1)]
    return keras.Sequential([keras.Input((6,)), *layers])


class Halving(L.Dense):
    def call(self, inputs, training=False):
        return super().call(inputs) * (0.5 if training else 1.0)


def own_layer():
    return keras.Sequential([keras.Input((6,)), Halving(8, trainable=False), L.Dense(1)])


def trained_first():
    return keras.Sequential([keras.Input((6,)), L.Dense(8), L.Dense(8, trainable=False), L.Dense(1)])


def no_products():
    return keras.Sequential([keras.Input((6,)), L.Rescaling(0.5), L.Dense(1)])


@pytest.mark.parametrize(
    ("make", "passes"),
    [(trainable_norm, 1), (norm_without_weights_that_train, 0), (dropout_first, 0), (penalised, 0), (own_layer, 0),
     (trained_first, 0), (no_products, 0)],
)  # fmt: skip
def test_what_training_changes_is_computed_in_every_epoch(make, passes, monkeypatch):
    want = run(make, False)
    rows = forwards(monkeypatch)
    assert run(make, True)[:2] == want[:2]
    assert len(rows) == passes


class BetweenBatches(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        pass


@pytest.mark.parametrize("kwargs", [{"epochs": 1}, {"steps_per_epoch": 2}, {"callbacks": [BetweenBatches]}])
def test_auto_leaves_out_what_gains_nothing_or_may_be_seen(kwargs, monkeypatch):
    rows = forwards(monkeypatch)
    run(stack, "auto", **kwargs)
    assert rows == []


def test_auto_keeps_no_more_than_its_bound(monkeypatch):
    monkeypatch.setattr("hotloop.fitting.MOST_BYTES", 90 * 12 * 4 - 1)
    rows = forwards(monkeypatch)
    run(stack, "auto")
    assert rows == []
    monkeypatch.setattr("hotloop.fitting.MOST_BYTES", 90 * 12 * 4)
    run(stack, "auto")
    assert rows == [90]


@pytest.mark.parametrize("cache", [False, True])
def test_training_is_resumed_to_the_same_bits(tmp_path, cache):
    whole = run(stack, cache, epochs=5)

    def saving():
        return keras.callbacks.ModelCheckpoint(tmp_path / "at.safetensors")

    run(stack, cache, epochs=2, callbacks=[saving])
    resumed = run(stack, not cache, epochs=5, callbacks=[saving], resume=tmp_path / "at.safetensors")
    assert resumed[1] == whole[1]


@pytest.mark.filterwarnings("ignore")
def test_a_frozen_layer_that_overflows_is_still_the_one_that_is_seen():
    def overflowing():
        model = stack()
        model.layers[0].set_weights([np.full((6, 17), 3e38, np.float32), np.zeros(17, np.float32)])
        return model

    want, got = run(overflowing, False), run(overflowing, True)
    assert got[1] == want[1]
    assert str(got[0]) == str(want[0])


def test_later_fits_and_evaluate_see_the_whole_model():
    _, _, model = run(stack, True)
    want = run(stack, False)[2]
    for one in (model, want):
        one.layers[0].set_weights([w * 0.5 for w in one.layers[0].get_weights()])
    assert model.evaluate(X, Y, verbose=0) == want.evaluate(X, Y, verbose=0)
    a = model.fit(X, Y, epochs=2, verbose=0, cache_frozen=True).history
    assert a == want.fit(X, Y, epochs=2, verbose=0, cache_frozen=False).history


def test_bad_arguments_are_refused():
    model = stack()
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="cache_frozen to be True, False or 'auto'"):
        model.fit(X, Y, cache_frozen="yes", verbose=0)
    with pytest.raises(ValueError, match="expected arrays for cache_frozen=True"):
        model.fit(iter([(X, Y)]), cache_frozen=True, verbose=0)
