"""What every op must pass, whatever it computes: the batteries that tests/ops/test_<stem>.py put their cases through.

A test's name says what would be broken for a user if it failed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import reference
from hotloop import _core
from hotloop.testing import OpRun, OpRunner, check_gradient, run_op
from tolerances import assert_close

DTYPES = ("float32", "float64")
TEAMS = (1, 2, 3, 4, 7)
# One, around every row's lane counts and panel widths, primes.
SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 37, 63, 64, 65, 131)
FINITE_DIFFERENCE_ERROR = 1e-6


@dataclass(frozen=True)
class Case:
    """One op with its inputs, and how near the oracle it must come. Floats are rounded to the dtype first."""

    op: str
    inputs: Sequence[np.ndarray]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    variables: Sequence[np.ndarray] = ()
    trainable: Sequence[bool] | None = None
    wrt: Sequence[int] | None = None
    kind: str = "map"  # rows of tolerances.py
    gradient_kind: str = ""  # as `kind` unless told
    terms: int = 1
    # forward magnitude from the inputs and variables in float64; the largest output unless told
    scale: Callable[..., np.ndarray] | None = None

    def typed(self, dtype: str) -> Case:
        def cast(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
            return [a if a.dtype.kind in "iu" else np.ascontiguousarray(a, dtype) for a in map(np.asarray, arrays)]

        return replace(self, inputs=cast(self.inputs), variables=cast(self.variables))

    def exact(self) -> list[np.ndarray]:
        return [np.asarray(a) if np.asarray(a).dtype.kind in "iu" else np.asarray(a, np.float64) for a in self.all()]

    def all(self) -> list[np.ndarray]:
        return [*self.inputs, *self.variables]

    def run(self, **options: Any) -> OpRun:
        return run_op(
            self.op, self.inputs, self.attrs, self.variables, trainable=self.trainable, wrt=self.wrt, **options
        )


def check_forward(case: Case, dtype: str) -> None:
    """The output stands within the tolerance table of the oracle's."""
    case = case.typed(dtype)
    got = case.run(dtype=dtype).output
    want = getattr(reference, case.op)(*case.exact(), **case.attrs)
    scale = None if case.scale is None else case.scale(*case.exact())
    assert got.dtype == dtype
    assert_close(got, want, case.kind, _core.row(dtype), dtype, case.terms, scale, f"{case.op} {dict(case.attrs)}")


def check_backward(case: Case, dtype: str, rng: np.random.Generator) -> None:
    """Every gradient stands within the tolerance table of the oracle's."""
    case = case.typed(dtype)
    want_y = getattr(reference, case.op)(*case.exact(), **case.attrs)
    upstream = rng.standard_normal(want_y.shape).astype(dtype)
    run = case.run(dtype=dtype, training=True, upstream=upstream)
    want = getattr(reference, case.op + "_gradient")(upstream.astype(np.float64), *case.exact(), **case.attrs)
    got = [*run.input_gradients, *run.variable_gradients]
    kind, row = case.gradient_kind or case.kind, _core.row(dtype)
    for i, (g, w) in enumerate(zip(got, want, strict=True)):
        if g is not None:
            assert w is not None, f"{case.op}: argument {i} has a gradient where none flows"
            terms = max(case.terms, len(want_y))
            assert_close(g, w, kind, row, dtype, terms, None, f"{case.op} {dict(case.attrs)} gradient {i}")
    assert any(g is not None for g in got), f"{case.op} gave no gradient to compare"


def check_finite_differences(case: Case) -> None:
    """Float64 gradients agree with central differences."""
    error = check_gradient(case.op, case.inputs, case.attrs, case.variables, trainable=case.trainable, wrt=case.wrt)
    assert error < FINITE_DIFFERENCE_ERROR, f"{case.op} {dict(case.attrs)}: gradient off by {error:.2e}"


def check_op(case: Case, dtype: str, rng: np.random.Generator, differences: bool = True) -> None:
    check_forward(case, dtype)
    check_backward(case, dtype, rng)
    if differences and dtype == "float64":
        check_finite_differences(case)


def results(run: OpRun) -> list[np.ndarray]:
    """Everything a run gave, as arrays."""
    arrays = [run.output, *run.input_gradients, *run.variable_gradients, *run.variables, run.metrics]
    return [a for a in arrays if a is not None]


def same_bits(left: np.ndarray, right: np.ndarray) -> bool:
    return left.shape == right.shape and left.tobytes() == right.tobytes()


def check_team(case: Case, dtype: str, rng: np.random.Generator, **options: Any) -> None:
    """Output, gradients, state and metrics have the same bits whatever the team. Cases must be large: a small plan
    runs on one worker."""
    case = case.typed(dtype)
    probe = OpRunner(case.op, case.inputs, case.attrs, case.variables, dtype=dtype, trainable=case.trainable)
    shape = (len(case.inputs[0]) if case.inputs else probe.rows, *probe.output_shape)
    upstream = rng.standard_normal(shape).astype(dtype) if probe.has_output else None
    alone = results(case.run(dtype=dtype, training=True, upstream=upstream, n_threads=1, **options))
    for team in TEAMS[1:]:
        together = results(case.run(dtype=dtype, training=True, upstream=upstream, n_threads=team, **options))
        for i, (a, b) in enumerate(zip(alone, together, strict=True)):
            assert same_bits(a, b), f"{case.op}: result {i} has other bits on {team} threads"


def check_any_batch(case: Case, dtype: str) -> None:
    """A row's output has the same bits in a batch of one, of some and of all rows."""
    case = case.typed(dtype)
    whole = case.run(dtype=dtype).output
    for batch_size in (1, 2, 5):
        parts = case.run(dtype=dtype, batch_size=batch_size).output
        assert same_bits(whole, parts), f"{case.op}: a row's bits change with batch size {batch_size}"
    larger = case.run(dtype=dtype, max_rows=4 * len(whole)).output
    assert same_bits(whole, larger), f"{case.op}: a row's bits change with the plan's largest batch"
