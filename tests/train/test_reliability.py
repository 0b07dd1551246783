"""What long-lived programs run into: NaN, subnormals, memory, references, arrays that are one array."""

from __future__ import annotations

import copy
import gc
import os
import subprocess
import sys
import weakref

import numpy as np
import pytest

import hotloop as keras

X = np.random.default_rng(3).standard_normal((64, 8)).astype(np.float32)


def build(optimizer="sgd", units=16):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(units, activation="relu", name="hidden"), keras.layers.Dense(8)]
    )
    model.compile(optimizer, "mse")
    return model


def test_a_diverging_loss_is_reported_with_its_step():
    model = build(keras.optimizers.SGD(1e6))
    with pytest.warns(RuntimeWarning, match=r"step \d+"):
        history = model.fit(100 * X, X, batch_size=8, epochs=4, verbose=0).history
    assert not np.isfinite(history["loss"][-1])


def test_the_check_mode_names_the_layer_that_makes_the_first_nan():
    code = """
import numpy as np, hotloop as keras
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="first"), keras.layers.Dense(1, name="second")])
model.compile("sgd", "mse")
weights = model.get_weights()
weights[2][...] = 3e38
model.set_weights([weights[0] * 0 + 1, weights[1], weights[2], weights[3]])
x = np.full((4, 2), 3, np.float32)
try:
    model.predict(x, verbose=0)
except ValueError as error:
    assert "second" in str(error), error
    print("named")
"""
    child = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"HOTLOOP_CHECK": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (child.returncode, child.stdout) == (0, "named\n"), child.stderr


def test_subnormal_numbers_of_the_caller_survive_training():
    tiny = np.array([1e-40, -3e-42], np.float32)
    before = (tiny * np.float32(0.5)).tobytes()
    model = build(units=300)
    model.fit(X, X, epochs=3, verbose=0)
    model.predict(X, verbose=0)
    assert (tiny * np.float32(0.5)).tobytes() == before
    assert before != bytes(8)


def test_training_on_one_array_as_input_target_and_weight_is_as_on_copies():
    model, copies = build(), build()
    weights = np.abs(X[:, 0])
    model.fit(X, X, sample_weight=weights, epochs=2, verbose=0)
    copies.fit(X.copy(), X.copy(), sample_weight=weights.copy(), epochs=2, verbose=0)
    for a, b in zip(model.get_weights(), copies.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture
def no_garbage_collector():
    gc.disable()
    yield
    gc.enable()


def functional():
    x = keras.Input((8,))
    return keras.Model(x, keras.layers.Dense(8)(keras.layers.Dense(16)(x) * 2.0 + 1.0))


def nested():
    x = keras.Input((8,))
    return keras.Model(x, keras.layers.Dense(8)(build()(x)))


def copied():
    return copy.deepcopy(functional())


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.top = keras.layers.Dense(16), keras.layers.Dense(8)

    def call(self, inputs):
        return self.top(self.hidden(inputs))


@pytest.mark.parametrize("make", [build, functional, nested, copied, Subclassed])
def test_a_model_that_nobody_holds_stays_in_memory(make, no_garbage_collector):
    model = make()
    model.compile("adam", "mse")
    history = model.fit(X, X, callbacks=[keras.callbacks.Callback()], validation_split=0.25, verbose=0)
    model.predict(X, verbose=0)
    model.evaluate(X, X, verbose=0)
    copy.deepcopy(model)
    gone = [weakref.ref(thing) for thing in (model, model.layers[-1], model._engine, model._engine.slab)]
    del model
    assert [ref() for ref in gone] == [None] * 4
    assert history.model is None


def test_gradients_keep_a_model_in_memory(no_garbage_collector):
    model = build()
    model.compile("adam", "mse")
    model.fit(X, X, callbacks=[keras.callbacks.GradientMonitor(verbose=False)], verbose=0)
    gradients = model.gradients(X, X, wrt=("weights", "inputs"))[0]
    _, backward = model.vjp(X)
    backward(X)
    model.jacobian(X[:2])
    model.optimizer.apply(gradients, model.trainable_weights)
    keras.optimizers.SGD(0.1).apply(gradients, model.trainable_weights)
    gone = [weakref.ref(thing) for thing in (model, model._engine, model._engine.slab)]
    del model, backward
    assert [ref() for ref in gone] == [None] * 3


def test_a_layer_loses_its_weights_with_the_model_that_trained_them(no_garbage_collector):
    model = build("adam")
    model.fit(X, X, verbose=0)
    layer, want, outputs = model.layers[0], model.layers[0].get_weights(), model(X)
    top = model.layers[1]
    del model
    for got, weight in zip(layer.get_weights(), want, strict=True):
        np.testing.assert_array_equal(got, weight)
    again = keras.Sequential([keras.Input((8,)), layer, top])
    np.testing.assert_array_equal(again(X), outputs)
    again.compile("sgd", "mse")
    again.fit(X, X, verbose=0)
    assert (layer.get_weights()[0] != want[0]).any()


def test_the_output_of_a_layer_is_gone_when_nobody_kept_the_tensor(no_garbage_collector):
    layer = keras.layers.Dense(3)
    layer(keras.Input((8,), name="features"))
    assert layer.output.shape == (None, 3)
    assert keras.Model(layer.input, layer.output)(X).shape == (64, 3)


def test_a_data_set_that_was_trained_on_is_freed():
    x = X.copy()
    gone = weakref.ref(x)
    model = build()
    model.fit(x, X, validation_data=(x, X), verbose=0)
    model.evaluate(x, X, verbose=0)
    model.predict(x, verbose=0)
    del x
    gc.collect()
    assert gone() is None


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="this system has no /proc")
@pytest.mark.parametrize("work", ["train_on_batch", "predict", "fit", "deepcopy", "rebuild"])
def test_memory_does_not_grow_with_the_number_of_calls(work, no_garbage_collector):
    model = build(keras.optimizers.Adam(1e-3), units=512)
    calls = {
        "train_on_batch": (lambda i: model.train_on_batch(X, X), 300),
        "predict": (lambda i: model.predict(X[: 1 + i % 64], verbose=0), 300),
        "fit": (lambda i: model.fit(X, X, batch_size=1 + i % 64, verbose=0), 60),
        "deepcopy": (lambda i: copy.deepcopy(model).predict(X, verbose=0), 60),
        "rebuild": (lambda i: build(units=512 + i % 3).fit(X, X, verbose=0), 60),
    }
    call, times = calls[work]
    for i in range(times):
        call(i)
    before = resident()
    for i in range(times):
        call(i)
    # a leak of one set of 8 x 512 weights a call would be 60 x 32 kB or more, one of a plan several times that
    assert resident() - before < 1_500_000
