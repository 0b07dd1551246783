"""What a model computes in inference, as a list of ops on numbered values, and the arrays they read."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import ops
from ..program import Program, _float_value
from ..slab import at_rest
from ..tensor import Shape
from ..trace import Feed, Trace, Traced
from ..tree import flatten
from .lowered import LOWERED, key_of, lower

_RANDOM = ("random",)  # ops that need no input to give other values every time


@dataclass(eq=False)
class Step:
    """One op of the engine: what it is called there, its values, and the layer it belongs to."""

    op: str
    inputs: list[int]
    output: int
    attrs: dict[str, Any]
    layer: str

    @property
    def key(self) -> str:
        """The op, with its kind where it has several: "elementwise exp"."""
        return key_of(self.op, self.attrs)


@dataclass(eq=False)
class Listing:
    """A model, written down.

    Attributes
    ----------
    dtype : {"float32", "float64"}
        Of the arithmetic.
    columns : list of (str, tuple, str)
        The model's inputs: name, shape with None for the batch, and dtype.
    feeds : dict of int to Feed
        Values that are inputs, perhaps under another shape or dtype; `Feed.source[1]` is the column.
    arrays : dict of int to ndarray
        Values that do not depend on the inputs: weights, constants and what is made of them.
    names : dict of int to str
        What weights are called: "dense/kernel".
    steps : list of Step
        Each after those it needs.
    shapes, dtypes : dict of int
        Of every value; a shape begins with None where there is a batch.
    outputs : list of (str, int)
        Name and value.
    """

    dtype: str
    columns: list[tuple[str, Shape, str]]
    feeds: dict[int, Feed]
    arrays: dict[int, np.ndarray]
    names: dict[int, str]
    steps: list[Step]
    shapes: dict[int, Shape]
    dtypes: dict[int, str]
    outputs: list[tuple[str, int]]

    def sample(self, value: int) -> tuple[int, ...]:
        """The shape without the batch."""
        shape = self.shapes[value]
        return tuple(shape[1:] if shape[:1] == (None,) else shape)


class _Recorder:
    """A graph that remembers what was added to it."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.steps: list[Step] = []
        self.inputs: list[int] = []
        self.variables: dict[int, int] = {}  # value to the variable's number

    def __getattr__(self, name: str) -> Any:
        return getattr(self.graph, name)

    def input(self, shape: list[int], dtype: str, name: str) -> int:
        self.inputs.append(self.graph.input(shape, dtype, name))
        return self.inputs[-1]

    def variable(self, index: int, *described: Any) -> int:
        value = self.graph.variable(index, *described)
        self.variables[value] = index
        return value

    def add(self, op: str, inputs: list[int], attrs: dict[str, Any], name: str) -> int:
        value = self.graph.add(op, inputs, attrs, name)
        self.steps.append(Step(op, list(inputs), value, dict(attrs), name))
        return value


class _InferenceTrace(Trace):
    """A trace of what can be written: ops that are not are expressed by others on the way."""

    def __init__(self, dtype: str, index_of: Any, written: Container[str]) -> None:
        super().__init__(dtype, False, index_of)
        self.recorder = _Recorder(self.graph)
        self.graph: Any = self.recorder
        self._written = written

    def add(self, op: str, inputs: list[Any], attrs: dict[str, Any]) -> Any:
        if attrs.get("transposed"):  # a product by w^T
            x, w, *bias = inputs
            return self.add(op, [x, ops.transpose(w), *bias], {k: v for k, v in attrs.items() if k != "transposed"})
        key = key_of(op, attrs)
        if key in self._written or key not in LOWERED or attrs.get("training"):
            return super().add(op, inputs, attrs)
        return lower(key, inputs, attrs)


def listing_of(model: Any, where: str, written: Container[str]) -> Listing:
    """The steps of a model's inference.

    Parameters
    ----------
    model : Model
    where : str
        Who asks, for messages.
    written : container of str
        Keys of the ops that whoever asks can write. Others are expressed by these, if `lowered.py` says how.

    Raises
    ------
    ValueError
        If the model is not built, has an op that cannot be written, or reads strings.
    """
    if model._inputs is None:
        raise ValueError(
            f"[{where} '{model.name}'] expected a model with weights, received one that is not built. Give it an "
            "Input, or call it on data."
        )
    engine = model._get_engine()
    with at_rest(model.weights):
        return _listing(model, engine, where, written)


def _listing(model: Any, engine: Any, where: str, written: Container[str]) -> Listing:
    trace = _InferenceTrace(engine.dtype, engine.slab.index_of, written)
    recorder = trace.recorder
    results = [_value_of(output, trace) for output in flatten(model._call_traced(trace))]
    steps, results = _needed(_without_copies(recorder.steps, results), results)
    known = {*recorder.inputs, *recorder.variables, *(step.output for step in steps)}
    graph = recorder.graph
    listing = Listing(
        engine.dtype, [(t.name, t.shape, t.dtype) for t in flatten(model._inputs)],
        dict(zip(recorder.inputs, trace.feeds, strict=True)), {}, {}, steps, {v: graph.shape(v) for v in known},
        {v: graph.dtype(v) for v in known}, list(zip(model.output_names, results, strict=True)),
    )  # fmt: skip
    _check(listing, where, written)
    variables = engine.slab.variables
    listing.arrays = {value: variables[index].numpy() for value, index in recorder.variables.items()}
    listing.names = {value: variables[index].path for value, index in recorder.variables.items()}
    _compute_constants(listing, engine, trace)
    return listing


def _value_of(output: Any, trace: Trace) -> int:
    value = _float_value(output, trace.dtype)
    if trace.graph.shape(value)[:1] != (None,):
        raise ValueError("[model] expected outputs that depend on the inputs, received one made of weights alone.")
    return value


def _copies(step: Step) -> bool:
    idle = step.key in ("activation identity", "stop_gradient")
    return idle or (step.op in ("add", "concatenate") and len(step.inputs) == 1)


def _without_copies(steps: list[Step], results: list[int]) -> list[Step]:
    """The steps that compute something; those after them, and `results`, read what they would have copied."""
    same: dict[int, int] = {}
    kept = []
    for step in steps:
        step.inputs = [same.get(value, value) for value in step.inputs]
        if _copies(step):
            same[step.output] = step.inputs[0]
        else:
            kept.append(step)
    results[:] = [same.get(value, value) for value in results]
    return kept


def _needed(steps: list[Step], results: list[int]) -> tuple[list[Step], list[int]]:
    wanted = set(results)
    kept = []
    for step in reversed(steps):
        if step.output in wanted:
            kept.append(step)
            wanted.update(step.inputs)
    return kept[::-1], results


def _check(listing: Listing, where: str, written: Container[str]) -> None:
    for feed in listing.feeds.values():
        if feed.lookup is not None:
            raise ValueError(
                f"[{where} '{feed.lookup.name}'] expected codes, received the column '{feed.name}', which "
                f"{type(feed.lookup).__name__} turns into codes outside of the network. Export a model that begins "
                "after this layer, and encode the columns where it is used."
            )
    for name, _, dtype in listing.columns:
        if dtype == "string":
            raise ValueError(f"[{where}] expected inputs of numbers or codes, received strings for '{name}'.")
    for step in _of_inputs(listing):
        if step.key not in written:
            raise ValueError(
                f"[{where} '{step.layer}'] expected operations that such a file can hold, received '{step.key}'. "
                "Export a model without this layer: Model(inputs, layer.input) ends before it."
            )


def _of_inputs(listing: Listing) -> list[Step]:
    """The steps whose values depend on the inputs."""
    depends = set(listing.feeds)
    kept = []
    for step in listing.steps:
        if not depends.isdisjoint(step.inputs) or step.op in _RANDOM:
            depends.add(step.output)
            kept.append(step)
    return kept


def _compute_constants(listing: Listing, engine: Any, trace: _InferenceTrace) -> None:
    """Let the engine compute once what depends on weights alone, and take it out of the steps."""
    kept = _of_inputs(listing)
    fixed = [step for step in listing.steps if step not in kept]
    listing.steps = kept
    read = {value for step in listing.steps for value in step.inputs}
    for step in fixed:
        if step.op == "constant":
            numbers = np.asarray(step.attrs["values"], listing.dtype)
            listing.arrays[step.output] = numbers.reshape(step.attrs["shape"])
    made = [step.output for step in fixed if step.op != "constant" and step.output in read]
    if made:
        row = trace.input(("one row", 0), (1,), listing.dtype, "one row")
        trace.graph = trace.recorder.graph
        outputs = []
        for value in made:  # a weight has no batch: it is copied to one row
            rank = len(listing.shapes[value])
            rows = Traced.__getitem__(ops.add(row, 0.0), (slice(None), *[None] * (rank - 1)))
            outputs.append(ops.elementwise.elementwise("second", rows, Traced(trace, value)))
        program = Program(trace, outputs)
        columns = {feed.source: np.zeros((1, *feed.shape), feed.dtype) for feed in program.feeds}
        arrays = engine.forward(program, columns, 1, "export")
        for value, array in zip(made, arrays, strict=True):
            listing.arrays[value] = array.reshape(listing.shapes[value])
    listing.arrays = {value: array for value, array in listing.arrays.items() if value in read}
