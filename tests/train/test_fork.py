"""Processes: forked and spawned children train and predict, and the end of one is clean."""

from __future__ import annotations

import multiprocessing
import os
import signal
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


def forked():
    """Run as a program of its own: another library in this process may not stand a fork."""
    model, x = trained()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    children = [context.Process(target=work, args=(model, x, queue)) for _ in range(3)]
    for child in children:
        child.start()
    results = [queue.get(timeout=SECONDS) for _ in children]
    for child in children:
        child.join(SECONDS)
    assert [child.exitcode for child in children] == [0, 0, 0]
    model.fit(x, x[:, :1], epochs=1, shuffle=False, verbose=0)
    for weights, prediction in results:
        for a, b in zip(weights, model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(prediction, model.predict(x, verbose=0))


def spawned():
    model, x = trained()
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    child = context.Process(target=work, args=(model, x, queue))
    child.start()
    _, prediction = queue.get(timeout=SECONDS)
    child.join(SECONDS)
    assert prediction.shape == (640, 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_trains_and_predicts_the_same_numbers(tmp_path):
    run(tmp_path, "forked")


def test_a_spawned_child_unpickles_and_trains_a_model(tmp_path):
    run(tmp_path, "spawned")


def run(folder, function):
    script = folder / "main.py"
    script.write_text(
        f"import test_fork\n\nif __name__ == '__main__':\n    test_fork.{function}()\n    print('done')\n"
    )
    here = os.path.dirname(os.path.abspath(__file__))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([here, *sys.path])}
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    ) as child:
        try:
            out, err = child.communicate(timeout=3 * SECONDS)
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
    assert (child.returncode, out.strip()) == (0, "done"), err


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
