"""Processes: forked and spawned children train and predict, and the end of one is clean."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

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


def outcome_in_child(call, seconds=SECONDS):
    """What a forked child says: "worked", "refused" with the reason, or "hung"."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(seconds)  # ends the child where it hangs
        try:
            call()
            os.write(write, b"worked")
        except RuntimeError as error:
            os.write(write, b"refused" if "forked" in str(error) else str(error).encode())
        except BaseException as error:
            os.write(write, repr(error).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return said or "hung"


def run_in_thread(call):
    errors = []

    def guarded():
        try:
            call()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    thread.join(SECONDS)
    if errors:
        raise errors[0]


def forked_in_the_middle():
    """The weights of a model that another thread is training are half changed in a child, those of others are whole."""
    (model, x), (other, _) = trained(), trained()
    data = np.tile(x, (20, 1))
    fitting = threading.Thread(target=lambda: model.fit(data, data[:, :1], epochs=10**6, verbose=0))
    fitting.start()
    time.sleep(0.3)
    calls = {
        "predict": lambda m: m.predict(x, verbose=0),
        "call": lambda m: m(x[:5]),
        "get_weights": lambda m: m.get_weights(),
        "set_weights": lambda m: m.set_weights(m.get_weights()),
        "evaluate": lambda m: m.evaluate(x, x[:, :1], verbose=0),
        "fit": lambda m: m.fit(x, x[:, :1], epochs=1, verbose=0),
        "fit in a thread": lambda m: run_in_thread(lambda: m.fit(x, x[:, :1], epochs=1, verbose=0)),
        "train_on_batch": lambda m: m.train_on_batch(x, x[:, :1]),
    }
    seen = set()
    for _ in range(3):
        for name, call in calls.items():
            seen.add(outcome_in_child(lambda call=call: call(model)))
            assert seen <= {"worked", "refused"}, (name, seen)  # the fork may fall between two batches
            said = outcome_in_child(lambda call=call: call(other))
            assert said == "worked", (name, said)
    assert "refused" in seen
    model.stop_training = True
    fitting.join(SECONDS)
    assert not fitting.is_alive()
    assert outcome_in_child(lambda: model.fit(x, x[:, :1], verbose=0)) == "worked"


def forked_by_a_callback():
    """Whoever forks inside of `fit` holds the model's locks, and lets them go, in both processes."""
    said = []

    class Forking(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            said.append(outcome_in_child(lambda: self.model.predict(x, verbose=0)))

    model, x = trained()
    model.fit(x, x[:, :1], epochs=2, callbacks=[Forking()], verbose=0)
    model.fit(x, x[:, :1], verbose=0)
    assert said == ["worked", "worked"]


def forked_often():
    """After each fit of the parent a child, which trains and predicts what its parent then does."""
    model, x = trained()

    def fits_and_predicts():
        model.fit(x, x[:, :1], verbose=0)
        assert np.isfinite(model.predict(x, verbose=0)).all()

    for _ in range(50):
        assert outcome_in_child(fits_and_predicts, seconds=5) == "worked"
        fits_and_predicts()


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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_forked_in_the_middle_of_a_fit_is_told_so_and_never_hangs(tmp_path):
    run(tmp_path, "forked_in_the_middle")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_one_of_fifty_forked_children_hangs(tmp_path):
    run(tmp_path, "forked_often")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_callback_may_fork(tmp_path):
    run(tmp_path, "forked_by_a_callback")


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
