"""Running averages of the weights: what they are, when they are the weights, and that they outlive a file."""

import numpy as np
import pytest

import hotloop as keras
from hotloop.callbacks import Callback, EarlyStopping, ModelCheckpoint, SwapEMAWeights
from hotloop.optimizers import SGD, Adam

RNG = np.random.default_rng(5)
X = RNG.standard_normal((70, 4)).astype(np.float32)
Y = RNG.standard_normal((70, 2)).astype(np.float32)


def net(optimizer):
    keras.utils.set_random_seed(7)
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((4,)), layers.Dense(9, activation="tanh"), layers.BatchNormalization(), layers.Dense(2),
    ])  # fmt: skip
    model.compile(optimizer, "mse")
    return model


class Watching(Callback):
    """Averages the weights itself."""

    def __init__(self, momentum):
        super().__init__()
        self.momentum, self.average = momentum, None

    def on_train_batch_end(self, batch, logs=None):
        now = [v.numpy() for v in self.model.trainable_weights]
        old = self.average or now
        self.average = [self.momentum * a + (1 - self.momentum) * w for a, w in zip(old, now, strict=True)]


def close(got, want):
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def trained(model):
    return [v.numpy() for v in model.trainable_weights]


def same(a, b):
    for got, want in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("batch_size", [3, 16])
def test_fit_ends_with_the_averages_and_leaves_other_weights_alone(batch_size):
    plain, averaged, watch = net(Adam(0.01)), net(Adam(0.01, use_ema=True, ema_momentum=0.9)), Watching(0.9)
    for model, callbacks in ((plain, [watch]), (averaged, [])):
        model.fit(X, Y, batch_size=batch_size, epochs=3, callbacks=callbacks, verbose=0)
    close(trained(averaged), watch.average)
    for a, b in zip(plain.non_trainable_weights, averaged.non_trainable_weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_a_fit_of_no_epochs_changes_nothing():
    model = net(Adam(0.01, use_ema=True))
    model.fit(X, Y, epochs=1, verbose=0)
    model.set_weights([np.ones_like(w) for w in model.get_weights()])
    model.fit(X, Y, epochs=1, initial_epoch=1, verbose=0)
    assert all((w == 1).all() for w in model.get_weights())


def test_a_layer_that_is_frozen_keeps_its_weights():
    model = net(SGD(0.1, use_ema=True, ema_momentum=0.5))
    model.layers[0].trainable = False
    before = model.layers[0].get_weights()
    model.fit(X, Y, epochs=2, verbose=0)
    for a, b in zip(before, model.layers[0].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("swap_on_epoch", [False, True])
@pytest.mark.parametrize("freq", ["epoch", 3])
def test_a_run_from_any_of_its_files_ends_where_the_whole_run_does(tmp_path, freq, swap_on_epoch):
    name = "{epoch}.safetensors" if freq == "epoch" else "{epoch}_{batch}.safetensors"

    def train(path, **more):
        model = net(Adam(0.01, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=4))
        callbacks = [SwapEMAWeights(swap_on_epoch), ModelCheckpoint(path, save_freq=freq)]
        model.fit(
            X, Y, batch_size=16, epochs=4, callbacks=callbacks, verbose=0, validation_split=0.2, **more
        )  # fmt: skip
        return model

    whole = train(tmp_path / name)
    files = sorted(tmp_path.iterdir())
    assert len(files) >= 4
    for file in files:
        again = train(tmp_path / "again" / name, resume=file)
        same(again, whole)
        assert again.history.history == whole.history.history


def test_validation_is_of_the_averages_and_training_goes_on_with_the_weights():
    options = {"batch_size": 16, "verbose": 0, "validation_data": (X[:20], Y[:20])}
    plain, swapped = (net(SGD(0.05, use_ema=True, ema_momentum=0.9)) for _ in range(2))
    plain.fit(X, Y, epochs=3, **options)
    history = swapped.fit(X, Y, epochs=3, callbacks=[SwapEMAWeights()], **options).history
    same(plain, swapped)
    assert history["loss"] == plain.history.history["loss"]
    assert history["val_loss"] != plain.history.history["val_loss"]
    assert history["val_loss"][-1] == swapped.evaluate(X[:20], Y[:20], batch_size=16, verbose=0)


@pytest.mark.parametrize("call", ["evaluate", "predict"])
def test_averages_are_there_for_one_call_alone(call):
    model = net(SGD(0.05, use_ema=True, ema_momentum=0.9))
    for i in range(0, 64, 16):
        model.train_on_batch(X[i : i + 16], Y[i : i + 16])
    before = model.get_weights()
    args = (X, Y) if call == "evaluate" else (X,)
    plain = getattr(model, call)(*args, verbose=0)
    averaged = getattr(model, call)(*args, verbose=0, callbacks=[SwapEMAWeights()])
    assert not np.array_equal(plain, averaged)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(plain, getattr(model, call)(*args, verbose=0))


def test_files_of_an_epoch_hold_the_averages(tmp_path):
    model, watch = net(SGD(0.05, use_ema=True, ema_momentum=0.9)), Watching(0.9)
    save = ModelCheckpoint(tmp_path / "{epoch}.safetensors")
    model.fit(X, Y, batch_size=16, epochs=1, callbacks=[watch, SwapEMAWeights(True), save], verbose=0)
    close(trained(keras.models.load_model(tmp_path / "1.safetensors")), watch.average)
    close(trained(model), watch.average)


def test_training_that_stops_early_ends_with_the_averages():
    model, watch = net(SGD(0.05, use_ema=True, ema_momentum=0.9)), Watching(0.9)
    stop = EarlyStopping("loss", mode="max", patience=1)
    model.fit(X, Y, batch_size=16, epochs=9, callbacks=[watch, SwapEMAWeights(True), stop], verbose=0)
    assert len(model.history.epoch) == 2
    close(trained(model), watch.average)


def test_a_new_layer_starts_an_average_of_its_own():
    model = net(SGD(0.05, use_ema=True, ema_momentum=0.99))
    model.fit(X, Y, batch_size=16, epochs=2, verbose=0)
    model.pop()
    model.add(keras.layers.Dense(2, kernel_initializer="ones"))
    model.fit(X, Y, batch_size=70, epochs=1, verbose=0)
    assert np.abs(model.layers[-1].kernel.numpy() - 1).max() < 0.1


@pytest.mark.parametrize("optimizer", [SGD(0.1), None])
def test_averages_that_are_not_kept_cannot_be_swapped_in(optimizer):
    model = net(SGD(0.1))
    model.compile(optimizer, "mse")
    with pytest.raises(ValueError, match="use_ema=True"):
        model.evaluate(X, Y, verbose=0, callbacks=[SwapEMAWeights()])
