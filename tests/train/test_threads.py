"""Several Python threads at once: fits of different models, predictions on one, callbacks that call back."""

from __future__ import annotations

import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import hotloop as keras

X = np.random.default_rng(0).standard_normal((1000, 300)).astype(np.float32)
Y = X[:, :1]
SECONDS = 120  # a deadlock, not a slow machine


def build(seed):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((300,)), keras.layers.Dense(150, activation="tanh"), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.001, momentum=0.9), "mse")
    return model


def all_of(jobs):
    with ThreadPoolExecutor(len(jobs)) as pool:
        return [future.result(timeout=SECONDS) for future in [pool.submit(job) for job in jobs]]


def weights_after_fit(model):
    model.fit(X, Y, epochs=2, shuffle=False, verbose=0)
    return model.get_weights()


def test_fits_in_several_threads_leave_each_other_alone():
    alone = [weights_after_fit(build(seed)) for seed in range(4)]
    models = [build(seed) for seed in range(4)]
    together = all_of([lambda m=m: weights_after_fit(m) for m in models])
    for a, b in zip(alone, together, strict=True):
        for left, right in zip(a, b, strict=True):
            np.testing.assert_array_equal(left, right)


def test_predictions_of_one_model_in_several_threads_agree():
    model = build(0)
    want = model.predict(X, verbose=0)

    def job(i):
        batch = 1 + 37 * i
        return [model.predict(X, batch_size=batch, verbose=0) for _ in range(5)]

    for results in all_of([lambda i=i: job(i) for i in range(8)]):
        for got in results:
            np.testing.assert_array_equal(got, want)


def test_predicting_while_fitting_sees_whole_updates():
    """A prediction sees the weights of some batch boundary: with a rate of zero, always the same."""
    model = build(0)
    model.compile(keras.optimizers.SGD(0.0), "mse")
    want = model.predict(X, verbose=0)
    stop = threading.Event()

    def fits():
        while not stop.is_set():
            model.fit(X, Y, epochs=1, verbose=0)
        return True

    def predicts():
        try:
            return [model.predict(X, verbose=0) for _ in range(20)]
        finally:
            stop.set()

    _, results = all_of([fits, predicts])
    for got in results:
        np.testing.assert_array_equal(got, want)


RATE = 2.0**-10


def counting(layer):
    """A model whose weights all grow by just RATE a step: a far target, inputs of one, the absolute error."""
    model = keras.Sequential([keras.Input((50,)), layer])
    model.compile(keras.optimizers.SGD(RATE), "mae")
    return model


def counted():
    return keras.layers.Dense(1, kernel_initializer="zeros")


ONES, FAR = np.ones((400, 50), np.float32), np.full((400, 1), 1e9, np.float32)


def test_an_update_is_lost_when_models_that_share_a_layer_train_side_by_side():
    layer = counted()
    models = [counting(layer) for _ in range(2)]
    all_of([lambda m=m: m.fit(ONES[:20], FAR[:20], batch_size=1, epochs=500, verbose=0) for m in models])
    steps = sum(int(model.optimizer.iterations) for model in models)
    assert steps == 2 * 500 * 20
    np.testing.assert_array_equal(layer.get_weights()[0], np.full((50, 1), steps * RATE))


@pytest.mark.parametrize("way", ["get_weights", "pickle", "deepcopy", "save", "save_weights"])
def test_a_copy_made_while_another_thread_trains_mixes_steps(way, tmp_path):
    model = counting(counted())
    path = tmp_path / "model.safetensors"

    def saved():
        model.save(path)
        return keras.models.load_model(path)

    def saved_weights():
        model.save_weights(path)
        twin = counting(counted())
        twin.load_weights(path)
        return twin

    take = {
        "get_weights": lambda: model,
        "pickle": lambda: pickle.loads(pickle.dumps(model)),
        "deepcopy": lambda: copy.deepcopy(model),
        "save": saved,
        "save_weights": saved_weights,
    }[way]

    def copies():
        try:
            while model.get_weights()[1] == 0:  # until it has begun
                pass
            for _ in range(20):
                twin = take()
                kernel, bias = twin.get_weights()
                np.testing.assert_array_equal(kernel, np.full((50, 1), bias[0]))
                if way in ("pickle", "deepcopy", "save"):
                    assert bias[0] == int(twin.optimizer.iterations) * RATE
        finally:
            model.stop_training = True

    all_of([lambda: model.fit(ONES, FAR, batch_size=1, epochs=10**6, verbose=0), copies])


def test_two_fits_of_one_model_at_once_leave_it_usable():
    model = build(0)
    outcomes = all_of([lambda: fit_or_refuse(model) for _ in range(3)])
    assert "fitted" in outcomes
    assert all(np.isfinite(w).all() for w in model.get_weights())
    model.fit(X, Y, verbose=0)


def fit_or_refuse(model):
    try:
        model.fit(X, Y, epochs=3, verbose=0)
    except RuntimeError:
        return "refused"
    return "fitted"


def test_a_callback_may_use_the_model():
    other, seen = build(1), []

    class Curious(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(self.model.predict(X[:5], verbose=0))
            seen.append(other.predict(X[:5], verbose=0))
            self.model.evaluate(X[:50], Y[:50], verbose=0)
            other.fit(X[:50], Y[:50], verbose=0)

        def on_train_batch_end(self, batch, logs=None):
            self.model.get_weights()

    model = build(0)
    all_of([lambda: model.fit(X, Y, epochs=2, callbacks=[Curious()], verbose=0)])
    assert len(seen) == 4


def test_an_exception_in_a_callback_leaves_the_model_usable():
    class Failing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise ZeroDivisionError

    model = build(0)
    with pytest.raises(ZeroDivisionError):
        model.fit(X, Y, epochs=2, callbacks=[Failing()], verbose=0)
    all_of([lambda: model.fit(X, Y, verbose=0), lambda: model.predict(X, verbose=0)])


def test_other_threads_go_on_while_a_fit_runs():
    """The GIL is free during batches: a counting thread gets on while one long call runs."""
    model, ticks, done = build(0), [0], threading.Event()

    def count():
        while not done.is_set():
            ticks[0] += 1
            done.wait(0.001)

    counter = threading.Thread(target=count)
    counter.start()
    try:
        model.fit(np.tile(X, (20, 1)), np.tile(Y, (20, 1)), epochs=3, verbose=0)
    finally:
        during = ticks[0]
        done.set()
        counter.join(SECONDS)
    assert during > 3
