"""The same bits for any number of threads, for any repetition, for any way to resume."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import hotloop as keras

TEAMS = (1, 2, 3, 4, 7, None)  # None: as the trainer likes, which changes while it runs
STEPS, BATCH = 200, 32
KINDS = ("dense", "norm", "dropout", "own")


def data():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40 * BATCH - 7, 300)).astype(np.float32)  # the last batch of an epoch is short
    return x, rng.integers(0, 10, len(x)).astype(np.int32)


def own_activation(x):
    """Of many element-wise steps, some of which share memory."""
    scaled = 0.5 * x * (1 + keras.ops.tanh(0.8 * (x + 0.045 * x * x * x)))
    return scaled + 0.1 * keras.ops.maximum(x, 0) - 0.05 * keras.ops.square(keras.ops.minimum(x, 0))


def build(kind, optimizer):
    """Large enough for the trainer to put a whole team on it."""
    keras.utils.set_random_seed(5)
    layers = [keras.Input((300,))]
    for units in (257, 130):
        layers.append(keras.layers.Dense(units, activation=own_activation if kind == "own" else "relu"))
        if kind == "norm":
            layers.append(keras.layers.BatchNormalization())
        if kind == "dropout":
            layers.append(keras.layers.Dropout(0.3))
    model = keras.Sequential([*layers, keras.layers.Dense(10, activation="softmax")])
    model.compile(
        optimizer={"sgd": keras.optimizers.SGD(0.01, momentum=0.9), "adam": keras.optimizers.Adam(1e-3)}[optimizer],
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def digest(model, *extra):
    state = hashlib.sha256()
    for array in [*model.get_weights(), *extra]:
        state.update(np.ascontiguousarray(array).tobytes())
    return state.hexdigest()


def train(kind, optimizer):
    """Run by a child process with its own number of threads."""
    model = build(kind, optimizer)
    history = model.fit(*data(), batch_size=BATCH, epochs=STEPS // 40, verbose=0).history
    assert int(model.optimizer.iterations) == STEPS
    return digest(model, history["loss"], history["accuracy"], model.predict(data()[0], verbose=0))


CHILD = """
import json, sys
sys.path.insert(0, sys.argv[1])
import test_determinism as t
print(json.dumps({f"{k}-{o}": t.train(k, o) for k in t.KINDS for o in ("sgd", "adam")}))
"""


@pytest.fixture(scope="module")
def hashes():
    found = {}
    for team in TEAMS:
        environment = {k: v for k, v in os.environ.items() if k != "HOTLOOP_NUM_THREADS"}
        if team is not None:
            environment["HOTLOOP_NUM_THREADS"] = str(team)
        here = os.path.dirname(os.path.abspath(__file__))
        child = subprocess.run(
            [sys.executable, "-c", CHILD, here], env=environment, capture_output=True, text=True, timeout=600
        )
        assert child.returncode == 0, child.stderr
        found[team] = json.loads(child.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("net", KINDS)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_weights_after_200_steps_have_one_hash_for_any_number_of_threads(net, optimizer, hashes):
    assert len({hashes[team][f"{net}-{optimizer}"] for team in TEAMS}) == 1
    assert len(set(hashes[1].values())) == 2 * len(KINDS)  # all runs are different ones


@pytest.mark.parametrize("net", KINDS)
def test_a_run_repeats_bit_for_bit(net):
    runs = []
    for _ in range(2):
        model = build(net, "adam")
        x, y = data()
        history = model.fit(x[:500], y[:500], batch_size=BATCH, epochs=2, verbose=0, validation_split=0.1).history
        runs.append((digest(model), history))
    assert runs[0] == runs[1]


@pytest.mark.parametrize("net", KINDS)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("through_pickle", [False, True])
def test_a_resumed_training_ends_where_a_straight_one_does(net, optimizer, through_pickle):
    x, y = (a[:300] for a in data())
    straight = build(net, optimizer)
    straight.fit(x, y, batch_size=BATCH, epochs=4, verbose=0)
    model = build(net, optimizer)
    model.fit(x, y, batch_size=BATCH, epochs=2, verbose=0)
    if through_pickle:
        model = pickle.loads(pickle.dumps(model))
        keras.utils.set_random_seed(99)  # what the process draws elsewhere is no part of the run
    model.fit(x, y, batch_size=BATCH, initial_epoch=2, epochs=4, verbose=0)
    assert digest(model) == digest(straight)


@pytest.mark.parametrize("net", KINDS)
def test_a_prediction_has_the_same_bits_in_any_batch(net):
    x, y = (a[:101] for a in data())
    model = build(net, "sgd")
    model.fit(x, y, batch_size=BATCH, verbose=0)
    whole = model.predict(x, verbose=0)
    for batch_size in (1, 7, 32, 1000):
        assert model.predict(x, batch_size=batch_size, verbose=0).tobytes() == whole.tobytes()
    assert np.asarray(model(x)).tobytes() == whole.tobytes()
    assert model.predict(x[40:41], verbose=0).tobytes() == whole[40:41].tobytes()
    assert model.predict_on_batch(x[3:60]).tobytes() == whole[3:60].tobytes()


def test_an_evaluation_is_the_same_for_any_batch_size():
    x, y = (a[:101] for a in data())
    model = build("norm", "sgd")
    whole = model.evaluate(x, y, batch_size=101, verbose=0)
    for batch_size in (1, 7, 50):
        np.testing.assert_allclose(model.evaluate(x, y, batch_size=batch_size, verbose=0), whole, rtol=1e-6)


def test_a_float64_model_trains_in_float64():
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((300,), dtype="float64"),
            keras.layers.Dense(64, activation="tanh", dtype="float64"),
            keras.layers.Dense(1, dtype="float64"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-3), "mse")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 300))
    model.fit(x, x[:, :1], epochs=2, verbose=0)
    weights = model.get_weights()
    assert {w.dtype for w in weights} == {np.dtype(np.float64)}
    assert np.any(weights[0] != weights[0].astype(np.float32))


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_small_batch_updates_alike_wherever_it_comes_from(rows, optimizer):
    """A plan for a few rows updates weights in the middle of its products, one for many does not."""
    x, y = data()
    whole, apart = build("dense", optimizer), build("dense", optimizer)
    whole.fit(x[: 64 + rows], y[: 64 + rows], batch_size=64, shuffle=False, verbose=0)
    apart.train_on_batch(x[:64], y[:64])
    apart.train_on_batch(x[64 : 64 + rows], y[64 : 64 + rows])
    assert digest(whole) == digest(apart)
