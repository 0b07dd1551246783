"""A forked child trains and predicts, whatever its parent did before."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys

import numpy as np
import pytest

import hotloop as keras

SECONDS = 60  # a hang, not a slow machine


def trained():
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((300,)), keras.layers.Dense(200, activation="relu"), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.001, momentum=0.9), "mse")
    x = np.random.default_rng(0).standard_normal((640, 300)).astype(np.float32)
    model.fit(x, x[:, :1], epochs=2, verbose=0)
    return model, x


def work(model, x, queue):
    model.fit(x, x[:, :1], epochs=1, shuffle=False, verbose=0)
    queue.put((model.get_weights(), model.predict(x, verbose=0)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_trains_and_predicts_the_same_numbers():
    model, x = trained()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    children = [context.Process(target=work, args=(model, x, queue)) for _ in range(3)]
    for child in children:
        child.start()
    try:
        results = [queue.get(timeout=SECONDS) for _ in children]
    finally:
        for child in children:
            child.join(SECONDS)
            child.kill()
    assert [child.exitcode for child in children] == [0, 0, 0]
    model.fit(x, x[:, :1], epochs=1, shuffle=False, verbose=0)
    for weights, prediction in results:
        for a, b in zip(weights, model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(prediction, model.predict(x, verbose=0))


CHILD = """
import multiprocessing, sys
sys.path.insert(0, sys.argv[1])
import test_fork
if __name__ == "__main__":
    model, x = test_fork.trained()
    queue = multiprocessing.get_context("spawn").Queue()
    child = multiprocessing.get_context("spawn").Process(target=test_fork.work, args=(model, x, queue))
    child.start()
    weights, prediction = queue.get(timeout=60)
    child.join(60)
    assert prediction.shape == (640, 1), prediction.shape
    print("done")
"""


def test_a_spawned_child_unpickles_and_trains_a_model(tmp_path):
    script = tmp_path / "main.py"
    script.write_text(CHILD)
    here = os.path.dirname(os.path.abspath(__file__))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([here, *sys.path])}
    child = subprocess.run(
        [sys.executable, str(script), here], capture_output=True, text=True, timeout=2 * SECONDS, env=environment
    )
    assert (child.returncode, child.stdout.strip()) == (0, "done"), child.stderr


def test_the_interpreter_ends_cleanly_while_a_fit_is_running():
    code = """
import threading, time, numpy as np, hotloop as keras
model = keras.Sequential([keras.Input((50,)), keras.layers.Dense(50), keras.layers.Dense(1)])
model.compile("sgd", "mse")
x = np.random.default_rng(0).standard_normal((2000, 50)).astype("float32") * 0.01
threading.Thread(target=lambda: model.fit(x, x[:, :1], epochs=10**6, verbose=0), daemon=True).start()
time.sleep(0.3)
"""
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS)
    assert (child.returncode, child.stderr) == (0, "")
