"""Rows of a table picked by codes, and numbers of a model that become codes."""

from __future__ import annotations

import numpy as np
import pytest

import harness
from harness import SIZES, Case
from hotloop import _core
from hotloop.testing import run_op


def table(rng, shape, v, d, low=0, high=None):
    x = rng.integers(low, v if high is None else high, shape).astype(np.int32)
    return Case("embedding", [x], {}, [rng.standard_normal((v, d))], kind="copy", gradient_kind="sum")


@pytest.mark.parametrize("d", SIZES)
@pytest.mark.parametrize("shape", [(5,), (4, 3), (3, 2, 4)])
def test_every_code_gets_its_row_and_every_row_its_gradients(shape, d, dtype, rng):
    case = table(rng, shape, 7, d)
    harness.check_op(case, dtype, rng, differences=d < 9)
    harness.check_any_batch(case, dtype)


@pytest.mark.parametrize("v", [1, 2, 33, 1000])
def test_rows_that_nobody_picks_have_no_gradient(v, dtype, rng):
    harness.check_op(table(rng, (9, 2), v, 5), dtype, rng, differences=False)


def test_codes_outside_the_table_read_nothing(dtype, rng):
    harness.check_op(table(rng, (40, 3), 6, 17, low=-9, high=15), dtype, rng)
    x = np.array([[-1], [6], [2**31 - 1], [-(2**31)]], np.int32)
    got = run_op("embedding", [x], {}, [np.ones((6, 3))], dtype=dtype).output
    np.testing.assert_array_equal(got, np.zeros((4, 1, 3)))


def test_a_table_has_the_same_bits_for_any_team(dtype, rng):
    harness.check_team(table(rng, (2001, 5), 50, 33), dtype, rng)
    harness.check_team(table(rng, (301, 40), 3, 64), dtype, rng)


def test_a_table_takes_codes_and_is_one(rng):
    w = rng.random((3, 2))
    with pytest.raises(ValueError, match="int32 codes"):
        run_op("embedding", [rng.random((3, 2))], {}, [w])
    with pytest.raises(ValueError, match=r"shape \(V, D\)"):
        run_op("embedding", [np.zeros((3, 2), np.int32)], {}, [w[0]])


@pytest.mark.parametrize("columns", [1, 5, 64, 130])
def test_numbers_are_cut_to_codes(columns, dtype, rng):
    x = np.round(rng.uniform(-3, 9, (12, columns)), 1)
    x.flat[:4] = np.nan, np.inf, -np.inf, 1e30
    w = rng.standard_normal((7, 3)).astype(dtype)
    graph = _core.Graph(dtype)
    codes = graph.add("codes", [graph.input((columns,), dtype, "x")], {})
    assert graph.dtype(codes) == "int32"
    graph.output(graph.add("embedding", [codes, graph.variable(0, [7, 3], True, "w")], {}))
    for team in (1, 3):
        trainer = _core.Trainer([("w", (7, 3))], dtype, team)
        trainer.set(0, w)
        out = np.empty((12, columns, 3), dtype)
        trainer.run(trainer.plan(graph, 12), _core.Dataset([x]), 0, 1, 12, 12, outputs=[out])
        whole = np.where(np.isfinite(x) & (np.abs(x) < 1e9), x, -1).astype(int)
        np.testing.assert_array_equal(out, np.where(((whole >= 0) & (whole < 7))[..., None], w[whole % 7], 0))
