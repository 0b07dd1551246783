"""The engine's `Trainer.run` itself: jobs that make no sense, slices, large teams, the order of readers and writers."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from hotloop import _core

SECONDS = 120  # a deadlock, not a slow machine
ROWS, FEATURES, BATCH = 90, 160, 30


class Net:
    """x w with a loss, updated by plain gradient descent."""

    def __init__(self, n_threads=0, units=515):
        self.graph = graph = _core.Graph("float32")
        x, y = graph.input((FEATURES,), "float32", "x"), graph.input((units,), "float32", "y")
        w = graph.variable(0, (FEATURES, units), True, "w")
        b = graph.variable(1, (units,), True, "b")
        graph.add("loss", [graph.add("dense", [x, w, b], {}, "d"), y], {"kind": "mean_squared_error"})
        self.trainer = _core.Trainer([("w", (FEATURES, units)), ("b", (units,))], "float32", n_threads)
        rng = np.random.default_rng(3)
        self.trainer.set(0, rng.standard_normal((FEATURES, units)).astype(np.float32))
        self.trainer.set_optimizer({"kind": "sgd"})
        self.plan = self.trainer.plan(graph, BATCH, update=True)
        self.data = _core.Dataset([rng.standard_normal((ROWS, n)).astype(np.float32) for n in (FEATURES, units)])

    def run(self, first=0, count=3, batch=BATCH, rows=ROWS, index=None, **options):
        rates = np.full(min(max(count, 0), ROWS), 0.1)
        return self.trainer.run(self.plan, self.data, first, count, batch, rows, index, rates, **options)


@pytest.mark.parametrize(
    "job",
    [
        {"first": 2**63 - 1, "count": 1}, {"first": 2**63 - 2, "count": 3}, {"first": 2**63 - 1, "count": 0},
        {"first": -1}, {"first": 1}, {"count": 2**62}, {"count": -1}, {"batch": 0}, {"batch": -1}, {"batch": BATCH + 1},
        {"rows": -1}, {"rows": ROWS + 1}, {"rows": 2**63 - 1, "count": 1}, {"rows": 0, "count": 1},
        {"index": range(ROWS - 1)}, {"index": [ROWS] * ROWS}, {"index": [-(2**63)] * ROWS},
    ],
    ids=str,
)  # fmt: skip
def test_batches_that_are_not_there_are_refused(job):
    net = Net(units=4)
    before = net.trainer.get(0)
    index = _core.RowIndex(np.array(job["index"], dtype=np.int64)) if "index" in job else None
    with pytest.raises(ValueError, match=r"\[run\] expected"):
        net.run(**{**job, "index": index})
    np.testing.assert_array_equal(net.trainer.get(0), before)


@pytest.mark.parametrize("shape", [(-1,), (-3,), (4, -1), (-1, 4), (2, -(2**62)), (2**40, 2**40), (2**62, 4)])
def test_a_variable_without_a_possible_shape_is_refused(shape):
    with pytest.raises(ValueError, match="expected"):
        _core.Trainer([("kernel", shape)], "float32")
    with pytest.raises(ValueError, match="expected"):
        _core.Graph("float32").variable(0, shape, True, "kernel")


def test_numbers_that_cannot_be_drawn_are_refused():
    with pytest.raises(ValueError, match="n of at least 0"):
        _core.permutation(-1, 0, 0)
    with pytest.raises(ValueError, match="negative"):
        _core.random("normal", (3, -1), 0.0, 1.0, 0)
    with pytest.raises(ValueError, match="n_classes"):
        _core.check_labels(np.zeros(3, np.int32), -1)


def test_a_run_ends_at_its_slice_and_goes_on_from_there():
    whole, cut = Net(), Net()
    assert whole.run(slice_seconds=60) == 3
    done = 0
    while done < 3:
        ran = cut.run(done, 3 - done, slice_seconds=0.0)
        assert ran == 1
        done += ran
    np.testing.assert_array_equal(cut.trainer.get(0), whole.trainer.get(0))


CHECKED = """
import sys
sys.path.insert(0, sys.argv[1])
import test_trainer
test_trainer.test_a_run_ends_at_its_slice_and_goes_on_from_there()
print("in slices")
"""


def test_an_interrupt_is_heard_in_check_mode_too():
    """HOTLOOP_CHECK walks the steps in a loop of its own, which has to come back in time as the other one does."""
    child = subprocess.run(
        [sys.executable, "-c", CHECKED, os.path.dirname(os.path.abspath(__file__))],
        env=os.environ | {"HOTLOOP_CHECK": "1"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert (child.returncode, child.stdout) == (0, "in slices\n"), child.stderr


def finishes(job):
    """Run a job in a thread that does not hold up the end of the process if it hangs."""
    thread = threading.Thread(target=job, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return not thread.is_alive()


@pytest.mark.parametrize("team", [2, 5, 16])
def test_a_team_with_more_workers_than_cores_does_not_stall(team):
    """Its workers sleep at barriers, and each must be woken by the last one that arrives."""
    alone, together = Net(1), Net(team)

    def train(net):
        for _ in range(100):
            net.run(slice_seconds=60)

    train(alone)
    assert finishes(lambda: train(together))
    np.testing.assert_array_equal(together.trainer.get(0), alone.trainer.get(0))


def test_a_change_of_weights_gets_its_turn_while_predictions_never_stop():
    net, done, rows = Net(), threading.Event(), 10**7
    index = _core.RowIndex(np.zeros(rows, np.int64))  # far more than a slice can hold

    def predicts():
        plan = net.trainer.plan(net.graph, BATCH)
        while not done.is_set():
            net.trainer.run(plan, net.data, 0, rows // BATCH, BATCH, rows, index, slice_seconds=0.2)

    readers = [threading.Thread(target=predicts) for _ in range(8)]
    for reader in readers:
        reader.start()
    weights = net.trainer.get(0)
    try:
        assert finishes(lambda: [net.trainer.set(0, weights) for _ in range(3)])
    finally:
        done.set()
        for reader in readers:
            reader.join()


@pytest.mark.parametrize(
    "draw",
    [lambda: _core.permutation(8_000_000, 1, 2), lambda: _core.random("normal", (20_000_000,), 0.0, 1.0, 3)],
    ids=["permutation", "random"],
)
def test_other_threads_go_on_while_numbers_are_drawn(draw):
    ticks, done = [0], threading.Event()

    def count():
        while not done.wait(0.001):
            ticks[0] += 1

    counter = threading.Thread(target=count)
    counter.start()
    try:
        draw()
    finally:
        during = ticks[0]
        done.set()
        counter.join(SECONDS)
    assert during > 3
