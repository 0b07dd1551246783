"""Limits on threads are kept: what the user asks for, the cores of the process, and threadpoolctl."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hotloop import _core

TASKS = Path("/proc/self/task")
SECONDS = 120  # a hang, not a slow machine
CHILD = """
import hashlib, json, os, sys, threading, time
import numpy as np
import hotloop as keras

def train(seconds):
    "Threads that a fit adds, and the weights after its first epoch."
    keras.utils.set_random_seed(5)
    model = keras.Sequential([keras.Input((300,)), keras.layers.Dense(257, activation="relu"), keras.layers.Dense(10)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x = np.random.default_rng(0).standard_normal((640, 300), dtype=np.float32)
    y = np.arange(640) % 10
    most, done = [0], threading.Event()

    def watch():
        while not done.is_set():
            most[0] = max(most[0], len(os.listdir("/proc/self/task")))
            time.sleep(0.001)

    watcher = threading.Thread(target=watch)
    before = len(os.listdir("/proc/self/task")) + 1
    watcher.start()
    model.fit(x, y, verbose=0)
    weights = hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        model.fit(x, y, verbose=0)
    done.set()
    watcher.join()
    return most[0] - before, weights
"""
pytestmark = [
    pytest.mark.skipif(not TASKS.is_dir(), reason="threads are counted in /proc"),
    pytest.mark.skipif(_core.build_info()["team"] == "serial", reason="this build has one worker"),
]


def run(code, threads=None):
    """What the code prints as JSON, in a fresh process without HOTLOOP_NUM_THREADS, or with it."""
    environment = {k: v for k, v in os.environ.items() if k not in ("HOTLOOP_NUM_THREADS", "OMP_NUM_THREADS")}
    if threads is not None:
        environment["HOTLOOP_NUM_THREADS"] = str(threads)
    child = subprocess.run(
        [sys.executable, "-c", CHILD + code], capture_output=True, text=True, timeout=SECONDS, env=environment
    )
    assert child.returncode == 0, child.stderr
    return json.loads(child.stdout)


def test_a_fit_takes_as_many_threads_as_asked_for_and_its_bits_stay_the_same():
    asked = "keras.config.set_num_threads({n_threads}); print(json.dumps(train(0.2)))"
    results = {n: run(asked.format(n_threads=n)) for n in (1, 2, 4)}
    assert {n: extra for n, (extra, _) in results.items()} == {1: 0, 2: 1, 4: 3}
    assert len({weights for _, weights in results.values()}) == 1


def test_the_wish_of_the_program_counts_more_than_that_of_the_environment():
    found = run(
        "a = train(0.2)[0]; keras.config.set_num_threads(1); print(json.dumps([a, keras.config.num_threads()]))", 3
    )
    assert found == [2, 1]


def test_a_process_on_one_core_has_one_thread():
    one = "os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])"
    code = f"{one}; n = keras.config.num_threads(); print(json.dumps([n, train(0.2)[0]]))"
    assert run(code) == [1, 0]


def test_threadpoolctl_limits_the_team():
    pytest.importorskip("threadpoolctl")
    if _core.build_info()["team"] != "openmp":
        pytest.skip("threadpoolctl knows OpenMP alone")
    code = """
import threadpoolctl
with threadpoolctl.threadpool_limits(1):
    inside = [keras.config.num_threads(), train(0.2)[0]]
print(json.dumps([*inside, keras.config.num_threads() == len(os.sched_getaffinity(0))]))
"""
    assert run(code)[:2] == [1, 0]
