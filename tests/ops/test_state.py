"""What goes from batch to batch in a plan."""

from __future__ import annotations

import numpy as np
import pytest

from hotloop import _core


def run(dtype, x, shape, threads=1, batch_size=4, start=0.0):
    graph = _core.Graph(dtype)
    value = graph.input(x.shape[1:], dtype, "x")
    total = graph.add("reduce_batch", [value], {"kind": "sum"}, "sum")
    if shape != tuple(x.shape[1:]):
        total = graph.add("elementwise", [total], {"kind": "second", "b": 1.0}, "ones")
    state = graph.add("state", [], {"shape": list(shape)}, "state")
    graph.add("keep_state", [state, graph.add("elementwise", [state, total], {"kind": "add"}, "sum")], {}, "state")
    trainer = _core.Trainer([], dtype, threads)
    plan = trainer.plan(graph, batch_size)
    rows = plan.metrics()
    rows[:, 0] = start
    plan.set_metrics(rows)
    n = len(x)
    trainer.run(plan, _core.Dataset([x]), 0, -(-n // batch_size), batch_size, n)
    return plan.metrics()


@pytest.mark.parametrize("shape", [(), (1,), (3,), (17,), (2, 5)])
def test_a_state_holds_what_the_batches_before_have_left(shape, dtype, rng):
    x = rng.integers(-9, 9, (10, *shape)).astype(dtype)
    rows = run(dtype, x, shape, start=2.0)
    np.testing.assert_array_equal(rows[:, 0], (2.0 + x.sum(0)).ravel())
    np.testing.assert_array_equal(rows[:, 1:], [[0, 0, -1]] * len(rows))


def test_a_state_has_other_bits_on_more_threads(dtype, rng):
    x = rng.standard_normal((64, 300)).astype(dtype)
    alone = run(dtype, x, (300,), 1, 16)
    assert all(run(dtype, x, (300,), team, 16).tobytes() == alone.tobytes() for team in (2, 3, 4, 7))


def test_a_state_takes_a_value_of_another_shape():
    graph = _core.Graph("float32")
    x = graph.input((3,), "float32", "x")
    state = graph.add("state", [], {"shape": [3]}, "n")
    with pytest.raises(ValueError, match=r"\[keep_state 'n'\] expected a value of shape \(3,\), received \(None, 3\)"):
        graph.add("keep_state", [state, x], {}, "n")
