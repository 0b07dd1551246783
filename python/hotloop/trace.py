"""Trace: running layers' `call` on symbolic values, which writes their ops into one graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core, constraints, regularizers
from .tensor import KerasTensor, Operation, Shape, Symbolic, TraceError
from .tree import map_structure
from .variable import COMPACT, Variable, tracing

if TYPE_CHECKING:
    from .layers.lookup import ColumnLayer

_OF_CODES = ("one_hot", "embedding")  # ops whose batches are int32
_OF_ANY = ("reshape", "take_along_axis")  # ops that take int32 and numbers

_CONSTANT = 100_000  # elements of an array that may stand in an expression: files hold them as text
_TAKE_CONSTANTS = ("elementwise", "dense", "matmul", "weight_product", "reduce", "circle")


@dataclass(eq=False)
class Feed:
    """An input of a graph, and the array of the data set that fills it.

    Attributes
    ----------
    source : (str, int)
        ("x", i) the model's input i, ("y", i) the target of output i, ("w", i) its sample weights.
    shape : tuple of int
        Of one sample.
    dtype : str
        In the graph; arrays of other types are converted while a batch is gathered.
    name : str
    lookup : ColumnLayer or None
        Turns the column into codes.
    limit : int or None
        Codes must lie in [0, limit).
    """

    source: tuple[str, int]
    shape: tuple[int, ...]
    dtype: str
    name: str
    lookup: ColumnLayer | None = None
    limit: int | None = None


class Traced(Symbolic):
    """A value of the graph that is being traced."""

    def __init__(self, trace: Trace, value: int) -> None:
        self.trace = trace
        self._value = value
        self.shape: Shape = tuple(trace.graph.shape(value))
        self.dtype: str = trace.graph.dtype(value)

    def value(self, dtype: str) -> int:
        """The graph's number of this value, which must have this dtype."""
        if dtype != self.dtype:
            raise ValueError(
                f"[{self.trace.layer_name}] expected values of dtype {dtype}, received {self.dtype}. "
                "Encode integer codes with CategoryEncoding or Embedding first."
                if self.dtype == "int32"
                else f"[{self.trace.layer_name}] expected integer codes, received {self.dtype} values. "
                "Give the codes as an Input of their own."
            )
        return self._value

    def __repr__(self) -> str:
        return f"<traced tensor shape={self.shape}, dtype={self.dtype}>"


class TracedInput(Traced):
    """An input of the model. It becomes an input of the graph when an op first uses it, in the dtype that op needs."""

    def __init__(self, trace: Trace, feed: Feed, dtype: str) -> None:
        self.trace, self.feed, self.dtype = trace, feed, dtype
        self.shape = (None, *feed.shape)

    def value(self, dtype: str) -> int:
        if self.dtype == "string":
            raise ValueError(
                f"[{self.trace.layer_name}] expected numbers, received the strings of input '{self.feed.name}'. "
                "Put a StringLookup layer in between."
            )
        return self.trace.fed(self.feed, dtype)

    def reshaped(self, shape: tuple[int, ...]) -> TracedInput:
        """The same column under other axes."""
        feed = Feed(self.feed.source, shape, self.feed.dtype, self.feed.name, self.feed.lookup, self.feed.limit)
        return TracedInput(self.trace, feed, self.dtype)

    def looked_up(self, layer: ColumnLayer) -> TracedInput:
        """The codes that `layer` gives this column."""
        feed = Feed(self.feed.source, self.feed.shape, "int32", self.feed.name, lookup=layer)
        return TracedInput(self.trace, feed, "int32")

    def limited(self, limit: int) -> TracedInput:
        """The same codes, which must be below `limit`."""
        feed = Feed(self.feed.source, self.feed.shape, "int32", self.feed.name, self.feed.lookup, limit)
        return TracedInput(self.trace, feed, "int32")


class _Waiting(Traced):
    """A value that becomes a node when something other than what it waits for needs it."""

    _made: Traced | None = None

    def _make(self) -> Traced:
        raise NotImplementedError

    def value(self, dtype: str) -> int:
        if self._made is None:
            self._made = self._make()
        return self._made.value(dtype)


class TransposedWeight(_Waiting):
    """The transpose of a weight, waiting to be multiplied by: a product reads the weight as it is."""

    def __init__(self, trace: Trace, weight: Variable) -> None:
        self.trace, self.weight = trace, weight
        self.shape, self.dtype = weight.shape[::-1], trace.dtype

    def _make(self) -> Traced:
        return self.trace.add("weight_transpose", [self.weight], {})


class TracedProduct(_Waiting):
    """x w, waiting for a bias to be added to it: then it is one dense node, else a matmul."""

    def __init__(self, trace: Trace, x: Any, w: Any, shape: Shape) -> None:
        self.trace, self.x = trace, x
        turned = isinstance(w, TransposedWeight)
        self.w: Any = w.weight if turned else w
        self.attrs: dict[str, Any] = {"transposed": True} if turned else {}
        self.shape, self.dtype = shape, trace.dtype

    def _make(self) -> Traced:
        return self.trace.add("matmul", [self.x, self.w], self.attrs)


class Trace:
    """One graph being written.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        Of the arithmetic.
    training : bool or None
        What layers that were not told otherwise see as `training`; None leaves it to the defaults of their `call`.
    index_of : callable, optional
        A variable's number in the engine; numbered as they come unless told (shape inference only).
    """

    def __init__(
        self, dtype: str, training: bool | None = False, index_of: Callable[[Variable], int] | None = None
    ) -> None:
        self.graph = _core.Graph(dtype)
        self.dtype = dtype
        self.training = training
        self.feeds: list[Feed] = []
        self.streams = 0
        self.generators: dict[int, int] = {}  # how often each SeedGenerator has drawn, by id
        self.couples_rows = False  # a sum over the batch: rows depend on one another
        self.draws = False  # whether any op draws random numbers
        self.sampling = False  # layers that are only stochastic run as in training
        self.keeps_statistics = False  # moving statistics, and what else training changes by the way, stay as they are
        self.freezes = False  # no weight gets a gradient
        self.watched: list[tuple[Any, Any]] | None = None  # layers and what they returned, where somebody looks
        self.normalised: list[tuple[Any, Any, int]] | None = None  # what each BatchNormalization gets, and its axis
        self.penalties: list[tuple[int, dict[str, Any], str]] = []  # value, attributes, layer
        self.penalty_factor = 1.0  # 0 leaves them out
        self.measured: Traced | None = None  # of which the shape was asked for last
        self.counted: list[tuple[Any, int]] | None = None  # what a metric of one's own keeps, and its rows
        self._states: list[tuple[Variable, int]] = []  # variables of that metric, and their values before the batch
        self._index_of = index_of
        self._variables: dict[int, int] = {}
        self._fed: dict[tuple, int] = {}
        self._kept: list[Variable] = []  # keeps the ids of `_variables` from being reused
        self._layers: list[str] = ["model"]

    @property
    def layer_name(self) -> str:
        """The layer whose `call` is running."""
        return self._layers[-1]

    @contextmanager
    def layer(self, name: str, training: bool | None) -> Iterator[None]:
        """While a layer's `call` runs: its name is on every node, its `training` reaches the layers inside."""
        outer = self.training, self.sampling
        self._layers.append(name)
        if training is not None:
            self.training, self.sampling = bool(training), self.sampling and bool(training)
        token = tracing.set(self)
        try:
            yield
        finally:
            tracing.reset(token)
            self._layers.pop()
            self.training, self.sampling = outer

    def input(self, source: tuple[str, int], shape: tuple[int, ...], dtype: str, name: str) -> TracedInput:
        """A column of the data set."""
        return TracedInput(self, Feed(source, tuple(shape), dtype, name), dtype)

    def fed(self, feed: Feed, dtype: str) -> int:
        """The graph's input for this column under this shape and dtype."""
        key = (feed.source, feed.shape, dtype, id(feed.lookup), feed.limit)
        if key not in self._fed:
            self.feeds.append(Feed(feed.source, feed.shape, dtype, feed.name, feed.lookup, feed.limit))
            self._fed[key] = self.graph.input(list(feed.shape), dtype, feed.name)
        return self._fed[key]

    def variable(self, variable: Variable) -> int:
        """The graph's value of a variable."""
        if id(variable) in self._variables:
            return self._variables[id(variable)]
        compact = variable.dtype in COMPACT
        if variable.dtype != self.dtype and not compact:
            raise ValueError(
                f"[{self.layer_name}] expected variable '{variable.path}' of dtype {self.dtype}, received "
                f"{variable.dtype}. All layers of a model compute in one precision."
            )
        try:
            index = len(self._variables) if self._index_of is None else self._index_of(variable)
        except KeyError:
            raise TraceError(
                f"[{self.layer_name}] expected variables that the model's layers hold, received '{variable.path}', "
                "which none of them does. Make it an attribute of a layer, or write a number."
            ) from None
        trainable = variable.trainable and not self.freezes
        stored = variable.dtype if compact else ""
        value = self.graph.variable(index, list(variable.shape), trainable, variable.path, stored)
        self._name(variable, value)
        return value

    def _name(self, variable: Variable, value: int) -> None:
        self._variables[id(variable)] = value
        self._kept.append(variable)

    # Metrics of one's own (metrics/own.py).

    @contextmanager
    def counting(self) -> Iterator[None]:
        """While `update_state` of a metric of one's own runs: it may sum over the batch and assign."""
        self.counted = []
        try:
            yield
        finally:
            self.counted, self._states = None, []

    def hold(self, variable: Variable) -> None:
        """A variable of that metric: from now on its value is what the batches before have left."""
        assert self.counted is not None
        if any(variable is one for one, _ in self._states):
            return
        value = self.graph.add("state", [], {"shape": list(variable.shape)}, variable.path)
        self._name(variable, value)
        self._states.append((variable, value))
        self.counted.append((variable, variable.size))

    def count(self, metric: Any, inputs: list[int], rows: int, attrs: dict[str, Any]) -> None:
        """Count with a metric of the package, whose result that metric takes."""
        if self.counted is None:
            raise TraceError(
                f"[{self.layer_name}] expected '{metric.name}' to be updated by `update_state` of a metric, received "
                "tensors of another call. Give it to compile(metrics=[...])."
            )
        self.add_loss_or_metric("metric", inputs, attrs, metric.name)
        self.counted.append((metric, rows))

    def assign(self, variable: Variable, value: Any) -> None:
        """What the variable is from here on in this call, and what the next batch sees."""
        from .ops import elementwise

        if not any(variable is one for one, _ in self._states):
            raise TraceError(
                f"[{self.layer_name}] expected `assign` of a tensor in `update_state` of a metric, to a variable made "
                f"with its add_variable, received it for '{variable.path}'. Weights change by training alone."
            )
        if elementwise.is_number(value):
            value = elementwise.elementwise("second", variable, value)
        if isinstance(value, Variable):
            value = elementwise.elementwise("add", value, 0.0)
        if not isinstance(value, Traced):
            raise TraceError(
                f"[{variable.path}] expected a tensor made with hotloop.ops, received {type(value).__name__}."
            )
        if value.shape != variable.shape:
            batched = value.shape[:1] == (None,)
            raise ValueError(
                f"[{variable.path}] expected a value of shape {variable.shape}, received {value.shape}. "
                + ("Sum over the batch: ops.sum(x)." if batched else "Reshape it.")
            )
        self._variables[id(variable)] = value.value(self.dtype)

    def keep_states(self) -> tuple[tuple[Any, int], ...]:
        """Let what was assigned go to the next batch; what that metric keeps, and the rows of `Plan.metrics()`."""
        for variable, before in self._states:
            now = self._variables[id(variable)]
            if now != before:
                self.graph.add("keep_state", [before, now], {}, variable.path)
        return tuple(self.counted or ())

    def add(self, op: str, inputs: list[Any], attrs: dict[str, Any]) -> Traced:
        """Add a node, named after the layer whose `call` is running."""
        self.draws = self.draws or "stream" in attrs
        number = self.graph.add(op, [self._number(op, x) for x in inputs], attrs, self.layer_name)
        return Traced(self, number)

    def change(self, op: str, inputs: list[Any], attrs: dict[str, Any]) -> None:
        """Add a node that changes variables where it stands, unless what training keeps is to stay as it is."""
        if not self.keeps_statistics:
            self.graph.add(op, [self._number(op, x) for x in inputs], attrs, self.layer_name)

    def add_loss_or_metric(self, op: str, inputs: list[int], attrs: dict[str, Any], name: str) -> None:
        """Add a node without output; its row of `Plan.metrics()` is the next one."""
        self.graph.add(op, inputs, attrs, name)

    def penalise(self, value: Traced, regularizer: Any) -> None:
        """Note the penalty of an output, divided by the rows of the batch, of the layer whose `call` is running."""
        attrs = regularizers.node_attrs(regularizer)
        if attrs is not None:
            self.penalties.append((value.value(self.dtype), attrs, self.layer_name))
        else:
            self.add_loss(regularizer(value) / rows_of_batch(value))

    def add_loss(self, value: Any) -> None:
        """Add the sum of a value's elements, those of the whole batch, to the loss."""
        from . import ops

        if not isinstance(value, (Symbolic, Variable)):
            array = np.asarray(value)
            if array.dtype.kind not in "fiu":
                raise TypeError(
                    f"[{self.layer_name}] expected a loss made with hotloop.ops, received {type(value).__name__}."
                )
            value = self.constant(array)
        total = ops.sum(value)
        self.penalties.append((total.value(self.dtype), {"kind": "value"}, self.layer_name))

    def add_penalties(self, variables: Iterable[Variable]) -> None:
        """The noted penalties, and those of these variables; their rows of `Plan.metrics()` are the last ones."""
        if self.penalty_factor == 0:
            self.penalties = []
            return
        for v in variables:
            attrs = regularizers.node_attrs(v.regularizer)
            if attrs is not None:
                self.penalties.append((self.variable(v), attrs, v.path))
            elif v.regularizer is not None:
                with self.layer(v.path, None):
                    self.add_loss(v.regularizer(v))
        if self.penalties and self.penalty_factor != 1:
            raise TraceError(
                f"[compute_loss] expected the penalties once, by super().compute_loss(...) or by sum(self.losses), "
                f"received them {self.penalty_factor:g} times. Scale the regularizers."
            )
        for value, attrs, name in self.penalties:
            self.graph.add("penalty", [value], attrs, name)

    def add_constraints(self, variables: Iterable[Variable]) -> list[Variable]:
        """Constrain these variables after every update; those are left that Python must constrain."""
        left = []
        for variable in variables:
            attrs = constraints.node_attrs(variable.constraint)
            if attrs is not None:
                self.graph.add("constraint", [self.variable(variable)], attrs, variable.path)
            elif variable.constraint is not None:
                left.append(variable)
        return left

    def next_stream(self) -> int:
        """A number for the next layer that draws random numbers."""
        self.streams += 1
        return self.streams

    def constant(self, array: Any) -> Traced:
        """Numbers as a value of the graph."""
        array = np.asarray(array)
        if array.dtype.kind not in "fiub":
            raise TraceError(
                f"[{self.layer_name}] expected numbers beside a tensor, received an array of {array.dtype}."
            )
        if array.size > _CONSTANT:
            raise ValueError(
                f"[{self.layer_name}] expected an array of at most {_CONSTANT} numbers beside a tensor, received "
                f"{array.size}. Make it a weight: add_weight(shape, initializer=..., trainable=False)."
            )
        attrs = {"shape": list(array.shape), "values": [float(number) for number in array.reshape(-1)]}
        return Traced(self, self.graph.add("constant", [], attrs, self.layer_name))

    def _number(self, op: str, x: Any) -> int:
        if isinstance(x, Variable):
            return self.variable(x)
        if isinstance(x, (np.ndarray, np.generic, list, tuple)) and op in _TAKE_CONSTANTS:
            x = self.constant(x)
        if not isinstance(x, Traced):
            raise TraceError(
                f"[{op} '{self.layer_name}'] expected tensors of this model, received {type(x).__name__}. Numbers and "
                "arrays may be combined with a tensor by arithmetic."
            )
        if x.trace is not self:
            raise TraceError(f"[{op} '{self.layer_name}'] received a tensor of another call; it cannot be kept.")
        return x.value("int32" if op in _OF_CODES else x.dtype if op in _OF_ANY else self.dtype)


def traced_values(function: Callable[..., Any], trace: Trace, name: str, y_true: Traced, y_pred: Traced) -> Traced:
    """What a custom loss or metric computes from targets and predictions: numbers of each sample, (batch, n, 1)."""
    from . import ops

    with trace.layer(name, None):
        values = function(y_true, y_pred)
        if not isinstance(values, Traced):
            raise TypeError(
                f"[{name}] expected a tensor made from y_true and y_pred with hotloop.ops, received "
                f"{type(values).__name__}."
            )
        if values.shape[:1] != (None,):  # of the whole batch: the same for each sample
            rows = ops.reshape(y_pred, (-1, *y_pred.shape[1:]))
            if rows.ndim > 1:
                rows = ops.flatten(rows)[:, 0]
            values = ops.elementwise.elementwise("second", rows, ops.add(values, 0.0))
        return ops.reshape(values, (-1, math.prod(values.shape[1:]), 1))


def squeezed_alike(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Both with the same number of axes, where one has one more, of size 1, at the end."""
    from . import ops

    if len(y_pred.shape) == len(y_true.shape) + 1 and y_pred.shape[-1] == 1:
        return y_true, ops.squeeze(y_pred, -1)
    if len(y_true.shape) == len(y_pred.shape) + 1 and y_true.shape[-1] == 1:
        return ops.squeeze(y_true, -1), y_pred
    return y_true, y_pred


def rows_of_batch(value: Traced) -> Any:
    """How many rows a batch of this tensor has, as a tensor."""
    from . import ops

    rows = value if value.ndim == 1 else ops.flatten(value)[:, 0]
    return ops.sum(ops.ones_like(rows), axis=0)


def refuse_weights(op: str, values: Iterable[Any]) -> None:
    """Inside a layer's `call` the value of a weight would be a constant, which training never updates."""
    for value in values:
        if isinstance(value, Variable) and tracing.get() is not None:
            raise TraceError(
                f"[{op}] expected a tensor of the model, received the weight '{value.path}', whose value is not known "
                "while `call` describes the model. Combine it with a tensor first."
            )


def trace_of(structure: list[Any]) -> Trace | None:
    """The trace that the first traced value among these belongs to, or that a weight among them is used in."""
    found = next((leaf.trace for leaf in structure if isinstance(leaf, Traced)), None)
    return tracing.get() if found is None and any(isinstance(leaf, Variable) for leaf in structure) else found


def infer_outputs(operation: Operation, args: tuple, kwargs: dict[str, Any], dtype: str) -> Any:
    """Shapes of a call's results: the call is traced into a graph that is thrown away, so errors come early."""
    trace = Trace(dtype)
    count = iter(range(1 << 30))

    def symbol(leaf: Any) -> Any:
        if not isinstance(leaf, KerasTensor):
            return leaf
        return trace.input(("x", next(count)), leaf.shape[1:], leaf.dtype, leaf.name)

    args, kwargs = map_structure(symbol, (args, kwargs))
    return map_structure(_as_keras_tensor, operation.trace_call(args, kwargs))


def _as_keras_tensor(leaf: Any) -> KerasTensor:
    if not isinstance(leaf, Traced):
        raise TypeError(f"[layer] expected `call` to return tensors, received {type(leaf).__name__}.")
    if not isinstance(leaf, TracedInput):
        leaf.value(leaf.dtype)  # a product that waits for a bias is checked now
    return KerasTensor(leaf.shape, leaf.dtype)
