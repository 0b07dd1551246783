"""Run a single op on the engine: what the project's own harness, and tests of custom layers, are made of.

Every run goes through the ordinary path: a graph of one node, a plan, a trainer. Nothing here knows a kernel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hotloop import _core

_WHOLE_RUN = 3600.0  # seconds: a run of the harness is never sliced


@dataclass(frozen=True)
class OpRun:
    """What one run of an op gave.

    Attributes
    ----------
    output : ndarray or None
        The op's output; None for a loss or a metric.
    input_gradients : list of (ndarray or None)
        One per input: d(sum(upstream * output)) / d(input). None where no gradient was asked for.
    variable_gradients : list of (ndarray or None)
        The same, one per variable; None for variables that are not trainable.
    variables : list of ndarray
        The variables afterwards; a training batch_norm writes its moving statistics.
    metrics : ndarray, shape (n, 4)
        A loss or metric node's total, count, value of the last batch and first bad step.
    """

    output: np.ndarray | None = None
    input_gradients: list[np.ndarray | None] = field(default_factory=list)
    variable_gradients: list[np.ndarray | None] = field(default_factory=list)
    variables: list[np.ndarray] = field(default_factory=list)
    metrics: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))


class OpRunner:
    """A graph of one op, planned once and run many times.

    Parameters
    ----------
    op : str
        Name of a registered op, see ``hotloop._core.op_names()``.
    inputs : sequence of ndarray
        The op's batched inputs, rows first. Integer arrays enter the graph as int32, all others as `dtype`.
    attrs : mapping, optional
        The op's attributes.
    variables : sequence of ndarray
        The op's variables; they follow the inputs.
    dtype : {"float32", "float64"}
        Of the arithmetic.
    training : bool
        Also plan the backward pass.
    trainable : sequence of bool, optional
        Which variables get a gradient; all of them unless told.
    wrt : sequence of int, optional
        Which inputs get a gradient; every float input unless told, and of a loss only the prediction.
    n_threads : int
        Workers; 0 takes the machine's own limit.
    max_rows : int, optional
        Rows the plan is made for; those of the inputs unless told.
    stored : sequence of str, optional
        How each variable is stored, "" for as the arithmetic is; those that are otherwise get no gradient.

    Raises
    ------
    ValueError
        As the op's rule refuses its inputs or attributes.

    Examples
    --------
    >>> import numpy as np
    >>> runner = OpRunner("activation", [np.array([[-1.0, 2.0]])], {"kind": "relu"})
    >>> runner.run([np.array([[-1.0, 2.0]])]).output
    array([[0., 2.]], dtype=float32)
    """

    def __init__(
        self,
        op: str,
        inputs: Sequence[np.ndarray],
        attrs: Mapping[str, Any] | None = None,
        variables: Sequence[np.ndarray] = (),
        *,
        dtype: str = "float32",
        training: bool = False,
        trainable: Sequence[bool] | None = None,
        wrt: Sequence[int] | None = None,
        n_threads: int = 0,
        max_rows: int | None = None,
        stored: Sequence[str] | None = None,
    ) -> None:
        arrays = [np.asarray(x) for x in inputs]
        self.dtype = dtype
        self.stored = [""] * len(variables) if stored is None else list(stored)
        self.trainable = [not kind for kind in self.stored] if trainable is None else list(trainable)
        graph = _core.Graph(dtype)
        values = [graph.input(x.shape[1:], self._input_dtype(x), f"x{k}") for k, x in enumerate(arrays)]
        values += [
            graph.variable(i, np.shape(v), self.trainable[i], f"v{i}", self.stored[i]) for i, v in enumerate(variables)
        ]
        node = graph.add(op, values, dict(attrs or {}), "arrays")
        self.has_output = node >= 0
        self.output_shape = tuple(graph.shape(node)[1:]) if self.has_output else ()
        self.output_dtype = graph.dtype(node) if self.has_output else dtype
        self.seeded = training and self.has_output
        if self.has_output:
            graph.output(node)
        if self.seeded:
            upstream = graph.input(self.output_shape, dtype, "upstream")
            graph.add("loss", [node, upstream], {"kind": "linear", "reduction": "sum"}, "seed")
        self.wrt = self._differentiable(op, arrays) if wrt is None else list(wrt)
        if not training:
            self.wrt = []
        self.training = training
        self.rows = max_rows or (len(arrays[0]) if arrays else 1)
        named = [(f"v{i}", np.shape(v)) for i, v in enumerate(variables)]
        self.trainer = _core.Trainer(named, dtype, n_threads, [kind or dtype for kind in self.stored])
        self.set_variables(variables)
        self.plan = self.trainer.plan(graph, self.rows, training=training, input_gradients=bool(self.wrt))

    @staticmethod
    def _is_integer(array: np.ndarray) -> bool:
        return array.dtype.kind in "iu"

    def _input_dtype(self, array: np.ndarray) -> str:
        return "int32" if self._is_integer(array) else self.dtype

    def _differentiable(self, op: str, arrays: list[np.ndarray]) -> list[int]:
        if op == "loss":
            return [0]
        return [k for k, x in enumerate(arrays) if not self._is_integer(x)]

    def set_variables(self, variables: Sequence[np.ndarray]) -> None:
        """Give every variable a value."""
        for i, value in enumerate(variables):
            self.trainer.set(i, np.asarray(value, "int8" if self.stored[i] == "int8" else self.dtype, order="C"))

    def run(
        self,
        inputs: Sequence[np.ndarray],
        *,
        upstream: np.ndarray | None = None,
        rows: int | None = None,
        batch_size: int | None = None,
        index: np.ndarray | None = None,
        step: int = 0,
        seed: int = 0,
    ) -> OpRun:
        """Run every batch of `inputs` and collect the results.

        Parameters
        ----------
        inputs : sequence of ndarray
            As given to the constructor, with any number of rows.
        upstream : ndarray, optional
            Gradient of the output, in its shape; ones unless told.
        rows : int, optional
            Rows to run: those of the inputs (or of `index`), or the plan's where the op has no input.
        batch_size : int, optional
            Rows in a batch; all of them unless told. Gradients are those of the last batch.
        index : ndarray of int64, optional
            Rows of the inputs to run, in this order.
        step, seed : int
            Of the random numbers.

        Returns
        -------
        OpRun
        """
        arrays = [np.asarray(x) for x in inputs]
        n = rows or (len(index) if index is not None else len(arrays[0]) if arrays else self.rows)
        batch_size = batch_size or n
        if self.seeded:
            shape = (len(arrays[0]) if arrays else n, *self.output_shape)
            arrays.append(np.ones(shape, self.dtype) if upstream is None else np.asarray(upstream).reshape(shape))
        outputs = [np.empty((n, *self.output_shape), self.output_dtype)] if self.has_output else []
        dataset = _core.Dataset(arrays)
        self.plan.reset_metrics()
        n_batches, done = -(-n // batch_size), 0
        while done < n_batches:
            done += self.trainer.run(
                self.plan,
                dataset,
                done,
                n_batches - done,
                batch_size,
                n,
                index=None if index is None else _core.RowIndex(index),
                step=step,
                seed=seed,
                outputs=outputs,
                slice_seconds=_WHOLE_RUN,
            )
        last = n - (n_batches - 1) * batch_size
        gradients = [self.plan.input_gradient(k)[:last] if k in self.wrt else None for k in range(len(inputs))]
        return OpRun(
            outputs[0] if outputs else None,
            gradients,
            [self.trainer.gradient(i) if self.training and t else None for i, t in enumerate(self.trainable)],
            [self.trainer.get(i) for i in range(len(self.trainable))],
            np.asarray(self.plan.metrics()),
        )


def run_op(
    op: str,
    inputs: Sequence[np.ndarray],
    attrs: Mapping[str, Any] | None = None,
    variables: Sequence[np.ndarray] = (),
    *,
    dtype: str = "float32",
    training: bool = False,
    trainable: Sequence[bool] | None = None,
    wrt: Sequence[int] | None = None,
    upstream: np.ndarray | None = None,
    n_threads: int = 0,
    max_rows: int | None = None,
    stored: Sequence[str] | None = None,
    rows: int | None = None,
    batch_size: int | None = None,
    index: np.ndarray | None = None,
    step: int = 0,
    seed: int = 0,
) -> OpRun:
    """Run one op once. The arguments are those of `OpRunner` and `OpRunner.run`.

    Examples
    --------
    >>> import numpy as np
    >>> x, w, b = np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]), np.array([0.5])
    >>> result = run_op("dense", [x], variables=[w, b], training=True)
    >>> result.output, result.input_gradients[0], result.variable_gradients[0].ravel()
    (array([[11.5]], dtype=float32), array([[3., 4.]], dtype=float32), array([1., 2.], dtype=float32))
    """
    runner = OpRunner(
        op,
        inputs,
        attrs,
        variables,
        dtype=dtype,
        training=training,
        trainable=trainable,
        wrt=wrt,
        n_threads=n_threads,
        max_rows=max_rows or batch_size or rows,
        stored=stored,
    )
    return runner.run(inputs, upstream=upstream, rows=rows, batch_size=batch_size, index=index, step=step, seed=seed)


def check_gradient(
    op: str,
    inputs: Sequence[np.ndarray],
    attrs: Mapping[str, Any] | None = None,
    variables: Sequence[np.ndarray] = (),
    *,
    trainable: Sequence[bool] | None = None,
    wrt: Sequence[int] | None = None,
    difference: float = 1e-5,
    seed: int = 0,
) -> float:
    """Compare an op's float64 gradients with central differences.

    Every element of every differentiable input and trainable variable is moved by `difference` either way; the
    output is weighted by fixed random numbers, so that no error can hide in a sum.

    Returns
    -------
    float
        The largest error, relative to the largest magnitude in the gradient it stands in (at least 1).

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-2.0, 2.0, 10).reshape(2, 5)
    >>> check_gradient("activation", [x], {"kind": "tanh"}) < 1e-6
    True
    """
    inputs = [np.array(x) if x.dtype.kind in "iu" else np.array(x, np.float64) for x in inputs]
    variables = [np.array(v, np.float64) for v in variables]
    runner = OpRunner(op, inputs, attrs, variables, dtype="float64", training=True, trainable=trainable, wrt=wrt)
    rows = len(inputs[0]) if inputs else runner.rows
    upstream = np.random.default_rng(seed).standard_normal((rows, *runner.output_shape))
    exact = runner.run(inputs, upstream=upstream, seed=seed)

    def value() -> float:
        runner.set_variables(variables)
        run = runner.run(inputs, upstream=upstream, seed=seed)
        return run.metrics[0, 2] if run.output is None else float(np.sum(run.output * upstream))

    pairs = [(inputs[k], exact.input_gradients[k]) for k in runner.wrt]
    pairs += zip(variables, exact.variable_gradients, strict=True)
    errors = [_largest_error(value, array, gradient, difference) for array, gradient in pairs if gradient is not None]
    return max(errors, default=0.0)


def _largest_error(value: Any, array: np.ndarray, gradient: np.ndarray, difference: float) -> float:
    estimate = np.empty(array.size)
    flat = array.reshape(-1)
    for i in range(flat.size):
        kept = flat[i]
        flat[i] = kept + difference
        above = value()
        flat[i] = kept - difference
        estimate[i] = (above - value()) / (2 * difference)
        flat[i] = kept
    scale = max(1.0, float(np.abs(estimate).max(initial=0.0)))
    return float(np.abs(estimate - np.asarray(gradient).reshape(-1)).max(initial=0.0)) / scale
