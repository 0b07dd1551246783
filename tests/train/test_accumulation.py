"""Gradient accumulation: weights change at every n-th batch, by the mean of n gradients."""

import numpy as np
import pytest

import hotloop as keras
from hotloop.callbacks import Callback, ModelCheckpoint
from hotloop.optimizers import SGD, Adam

RNG = np.random.default_rng(5)
X = RNG.standard_normal((70, 4)).astype(np.float32)
Y = RNG.standard_normal((70, 2)).astype(np.float32)


def net(optimizer, **options):
    keras.utils.set_random_seed(7)
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((4,)), layers.Dense(9, activation="tanh", kernel_regularizer="l2"), layers.Dense(2, **options),
    ])  # fmt: skip
    model.compile(optimizer, "mse")
    return model


class Weights(Callback):
    """The kernel after every batch."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(self.model.layers[-1].kernel.numpy())


def changes(seen):
    return [i + 1 for i in range(1, len(seen)) if not np.array_equal(seen[i - 1], seen[i])]


def same(a, b):
    for got, want in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("make", [lambda **k: SGD(0.1, 0.9, **k), lambda **k: Adam(0.05, clipnorm=0.1, **k)])
def test_small_batches_do_what_one_large_batch_does(make):
    large, small = net(make()), net(make(gradient_accumulation_steps=4))
    large.fit(X[:64], Y[:64], batch_size=32, epochs=5, shuffle=False, verbose=0)
    small.fit(X[:64], Y[:64], batch_size=8, epochs=5, shuffle=False, verbose=0)
    assert (large.optimizer.iterations, small.optimizer.iterations, small.optimizer.batches) == (10, 10, 40)
    for a, b in zip(large.get_weights(), small.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_gradients_left_over_are_carried_into_the_next_epoch_and_fit():
    model, weights = net(SGD(0.1, gradient_accumulation_steps=3)), Weights()
    model.fit(X, Y, batch_size=16, epochs=1, callbacks=[weights], verbose=0)  # five batches
    model.fit(X, Y, batch_size=16, epochs=1, callbacks=[weights], verbose=0)
    assert changes(weights.seen) == [3, 6, 9]
    for i in range(2):
        model.train_on_batch(X[:8], Y[:8])
        assert np.array_equal(model.layers[-1].kernel.numpy(), weights.seen[-1]) == (i < 1)
    assert (model.optimizer.iterations, model.optimizer.batches) == (4, 12)


@pytest.mark.parametrize("freq", ["epoch", 1])
def test_a_run_goes_on_from_inside_an_accumulation(tmp_path, freq):
    def train(path, **more):
        model = net(Adam(0.01, gradient_accumulation_steps=3, use_ema=True, ema_momentum=0.8))
        save = ModelCheckpoint(path, save_freq=freq)
        model.fit(X, Y, batch_size=16, epochs=3, callbacks=[save], verbose=0, **more)
        return model

    name = "{epoch}.safetensors" if freq == "epoch" else "{epoch}_{batch}.safetensors"
    whole = train(tmp_path / name)
    files = sorted(tmp_path.iterdir())
    assert len(files) == (3 if freq == "epoch" else 15)
    for file in files:
        again = train(tmp_path / "again" / name, resume=file)
        same(again, whole)
        assert again.optimizer.batches == whole.optimizer.batches == 15


def test_a_constraint_that_is_python_follows_updates_alone():
    calls = []

    def clip(w):
        calls.append(len(weights.seen) + 1)
        return np.clip(w, -0.1, 0.1)

    weights = Weights()
    model = net(SGD(0.1, gradient_accumulation_steps=2), kernel_constraint=clip)
    model.fit(X, Y, batch_size=16, epochs=1, callbacks=[weights], verbose=0)
    assert calls == [2, 4]
    assert np.abs(weights.seen[-1]).max() <= np.float32(0.1)


def test_a_constraint_follows_updates_alone():
    model = net(SGD(0.0, gradient_accumulation_steps=2), kernel_constraint="non_neg")
    before, weights = model.layers[-1].kernel.numpy(), Weights()
    model.fit(X, Y, batch_size=16, epochs=1, callbacks=[weights], verbose=0)
    assert (before < 0).any()
    np.testing.assert_array_equal(weights.seen[0], before)
    np.testing.assert_array_equal(weights.seen[1], np.maximum(before, 0))


def test_schedules_count_batches():
    optimizer = SGD(keras.optimizers.schedules.PiecewiseConstantDecay([3], [0.1, 0.0]), gradient_accumulation_steps=2)
    model, weights = net(optimizer), Weights()
    model.fit(X, Y, batch_size=16, epochs=2, callbacks=[weights], verbose=0)
    assert changes(weights.seen) == [2, 4]  # the rate of the fourth batch, number 3 from 0, is still 0.1
    assert optimizer.learning_rate == 0.0


def test_iterations_are_updates():
    optimizer = SGD(gradient_accumulation_steps=4)
    optimizer.iterations = 3
    assert (optimizer.iterations, optimizer.batches) == (3, 12)
    optimizer.batches = 15
    assert optimizer.iterations == 3
    with pytest.raises(ValueError, match="batches"):
        optimizer.batches = -1
