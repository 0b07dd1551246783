"""ONNX: the steps of a model as nodes of an operator set from 17 on."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from ..saving.atomic import atomic_path
from . import protobuf
from .steps import Listing, Step, listing_of

WHERE = "export_onnx"
_IR_VERSIONS = {17: 8, 18: 8, 19: 9, 20: 9, 21: 10}  # by operator set
_MOST_BYTES = 2**31 - 1  # of a message


def export_onnx(model: Any, path: str | os.PathLike[str], opset: int = 17) -> None:
    """What `Model.export_onnx` does."""
    if not isinstance(opset, int) or opset not in _IR_VERSIONS:
        raise ValueError(
            f"[{WHERE}] expected opset from {min(_IR_VERSIONS)} to {max(_IR_VERSIONS)}, received {opset!r}."
        )
    content = _Graph(listing_of(model, WHERE, WRITTEN), opset).model(model.name)
    if len(content) > _MOST_BYTES:
        raise ValueError(
            f"[{WHERE}] expected weights of at most 2 GiB in all, which such a file can hold, received {len(content)} "
            "bytes."
        )
    with atomic_path(path) as scratch:
        scratch.write_bytes(content)


class _Graph:
    """The graph of a listing; names of values by their numbers."""

    def __init__(self, listing: Listing, opset: int) -> None:
        self.listing, self.opset = listing, opset
        self.dtype = listing.dtype
        self.layer = ""
        self.names: dict[int, str] = {}
        self._taken = {name for name, _, _ in listing.columns}
        self._nodes: list[bytes] = []
        self._arrays: dict[tuple[str, tuple[int, ...], bytes], tuple[str, bytes]] = {}
        self._outputs = [(self._fresh(name), value) for name, value in listing.outputs]
        for value, feed in listing.feeds.items():
            self.names[value] = self._input(listing.columns[feed.source[1]], feed.shape, feed.dtype)
        for step in listing.steps:
            self.layer = step.layer
            self.names[step.output] = WRITTEN[step.key](self, step)

    def model(self, name: str) -> bytes:
        """The file."""
        from .. import __version__

        inputs = [protobuf.value_info(column, dtype, shape) for column, shape, dtype in self.listing.columns]
        outputs = []
        for output, value in self._outputs:
            self._nodes.append(protobuf.node("Identity", [self.name(value)], [output], output, {}))
            outputs.append(protobuf.value_info(output, self.dtype, self.listing.shapes[value]))
        arrays = [tensor for _, tensor in self._arrays.values()]
        graph = protobuf.graph(name, self._nodes, arrays, inputs, outputs)
        return protobuf.model(graph, self.opset, _IR_VERSIONS[self.opset], "hotloop", __version__)

    def _input(self, column: tuple[str, Any, str], shape: tuple[int, ...], dtype: str) -> str:
        name, known, given = column
        x = name if tuple(known[1:]) == shape else self.reshaped(name, shape)
        return x if dtype == given else self.node("Cast", x, to=_type(dtype))

    def _fresh(self, wanted: str) -> str:
        name, count = wanted, 0
        while name in self._taken:
            count += 1
            name = f"{wanted}_{count}"
        self._taken.add(name)
        return name

    def constant(self, array: Any, dtype: str | None = None, wanted: str = "constant") -> str:
        """The name of an array, of the arithmetic's type unless told; equal ones are written once."""
        array = np.asarray(array, dtype or self.dtype)
        key = (array.dtype.name, array.shape, array.tobytes())
        if key not in self._arrays:
            name = self._fresh(wanted)
            self._arrays[key] = name, protobuf.tensor(name, array)
        return self._arrays[key][0]

    def node(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node; the name of its output, or a list of them."""
        base = f"{self.layer}/{op}" if self.layer else op
        names = [self._fresh(base) for _ in range(outputs)]
        self._nodes.append(protobuf.node(op, inputs, names, names[0], attributes))
        return names if outputs > 1 else names[0]

    def reshaped(self, x: str, sample: Any) -> str:
        """x with these axes behind the batch."""
        return self.node("Reshape", x, self.constant([-1, *sample], "int64"))

    def reduced(self, op: str, x: str, axis: int, keepdims: int) -> str:
        """One axis reduced; operator sets before 18 have its number as an attribute, but for sums."""
        if op == "ReduceSum" or self.opset >= 18:
            return self.node(op, x, self.constant([axis], "int64"), keepdims=keepdims)
        return self.node(op, x, axes=[axis], keepdims=keepdims)

    def number(self, truth: str) -> str:
        """0 and 1 for False and True."""
        return self.node("Cast", truth, to=_type(self.dtype))

    def true(self, x: str) -> str:
        """Whether x is not 0."""
        return self.node("Cast", x, to=_type("bool"))

    def inputs(self, step: Step) -> list[str]:
        """The names of what a step reads."""
        return [self.name(value) for value in step.inputs]

    def name(self, value: int) -> str:
        """The name of a value; weights are written when they are first asked for."""
        if value not in self.names:
            self.names[value] = self.constant(
                self.listing.arrays[value], wanted=self.listing.names.get(value, "constant")
            )
        return self.names[value]


def _type(dtype: str) -> int:
    return protobuf._TENSOR_TYPES[dtype]


Writer = Callable[[_Graph, Step], str]
WRITTEN: dict[str, Writer] = {}


def _writes(*keys: str) -> Callable[[Writer], Writer]:
    def note(function: Writer) -> Writer:
        WRITTEN.update((key, function) for key in keys)
        return function

    return note


# Element by element.

_ACTIVATIONS: dict[str, tuple[str, dict[str, Any]]] = {  # with the attribute that alpha is, or what is fixed
    "relu": ("Relu", {}), "sigmoid": ("Sigmoid", {}), "tanh": ("Tanh", {}), "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}), "exponential": ("Exp", {}), "selu": ("Selu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": "alpha"}), "elu": ("Elu", {"alpha": "alpha"}),
    "celu": ("Celu", {"alpha": "alpha"}), "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "hard_silu": ("HardSwish", {}), "hard_shrink": ("Shrink", {"lambd": "alpha", "bias": 0.0}),
    "soft_shrink": ("Shrink", {"lambd": "alpha", "bias": "alpha"}),
}  # fmt: skip
_CLIPS = {"relu6": (0.0, 6.0), "hard_tanh": (-1.0, 1.0)}
_FUNCTIONS = {
    "negative": "Neg", "abs": "Abs", "sign": "Sign", "sqrt": "Sqrt", "reciprocal": "Reciprocal", "exp": "Exp",
    "log": "Log", "sin": "Sin", "cos": "Cos", "tan": "Tan", "arcsin": "Asin", "arccos": "Acos", "arctan": "Atan",
    "erf": "Erf", "sinh": "Sinh", "cosh": "Cosh", "tanh": "Tanh", "arcsinh": "Asinh", "arccosh": "Acosh",
    "arctanh": "Atanh", "floor": "Floor", "ceil": "Ceil", "round": "Round", "add": "Add", "subtract": "Sub",
    "multiply": "Mul", "divide": "Div", "power": "Pow", "maximum": "Max", "minimum": "Min",
}  # fmt: skip
_COMPARISONS = {
    "less": "Less", "less_equal": "LessOrEqual", "greater": "Greater", "greater_equal": "GreaterOrEqual",
    "equal": "Equal", "isnan": "IsNaN",
}  # fmt: skip


@_writes(*(f"activation {kind}" for kind in _ACTIVATIONS))
def _activation(g: _Graph, step: Step) -> str:
    op, attributes = _ACTIVATIONS[step.attrs["kind"]]
    given: dict[str, Any] = {name: float(step.attrs.get(value, value)) for name, value in attributes.items()}
    return g.node(op, *g.inputs(step), **given)


@_writes(*(f"activation {kind}" for kind in _CLIPS))
def _clip(g: _Graph, step: Step) -> str:
    return g.node("Clip", *g.inputs(step), *(g.constant(bound) for bound in _CLIPS[step.attrs["kind"]]))


def _operands(g: _Graph, step: Step) -> list[str]:
    """Values and numbers, in order."""
    inputs = iter(g.inputs(step))
    count = len(step.inputs) + sum(letter in step.attrs for letter in "abc")
    return [g.constant(step.attrs[letter]) if letter in step.attrs else next(inputs) for letter in "abc"[:count]]


@_writes(*(f"elementwise {kind}" for kind in _FUNCTIONS))
def _function(g: _Graph, step: Step) -> str:
    return g.node(_FUNCTIONS[step.attrs["kind"]], *_operands(g, step))


@_writes(*(f"elementwise {kind}" for kind in _COMPARISONS))
def _comparison(g: _Graph, step: Step) -> str:
    return g.number(g.node(_COMPARISONS[step.attrs["kind"]], *_operands(g, step)))


@_writes("elementwise not_equal", "elementwise logical_not")
def _negated(g: _Graph, step: Step) -> str:
    operands = _operands(g, step)
    truth = g.node("Equal", *operands) if len(operands) == 2 else g.true(operands[0])
    return g.number(g.node("Not", truth))


@_writes("elementwise isfinite")
def _isfinite(g: _Graph, step: Step) -> str:
    [x] = _operands(g, step)
    return g.number(g.node("Equal", g.node("Sub", x, x), g.constant(0.0)))


@_writes("elementwise logical_and", "elementwise logical_or")
def _logic(g: _Graph, step: Step) -> str:
    op = "And" if step.attrs["kind"] == "logical_and" else "Or"
    return g.number(g.node(op, *(g.true(x) for x in _operands(g, step))))


@_writes("elementwise where")
def _where(g: _Graph, step: Step) -> str:
    condition, a, b = _operands(g, step)
    return g.node("Where", g.true(condition), a, b)


@_writes("elementwise second")
def _second(g: _Graph, step: Step) -> str:
    a, b = _operands(g, step)
    return g.node("Expand", b, g.node("Shape", a))


@_writes("elementwise floor_divide", "elementwise mod")
def _mod(g: _Graph, step: Step) -> str:
    a, b = _operands(g, step)
    whole = g.node("Floor", g.node("Div", a, b))
    return whole if step.attrs["kind"] == "floor_divide" else g.node("Sub", a, g.node("Mul", whole, b))


@_writes("elementwise arctan2")
def _arctan2(g: _Graph, step: Step) -> str:
    a, b = _operands(g, step)
    zero = g.constant(0.0)
    angle = g.node("Atan", g.node("Div", g.node("Abs", a), g.node("Abs", b)))
    angle = g.node("Where", g.node("Less", b, zero), g.node("Sub", g.constant(math.pi), angle), angle)
    angle = g.node("Where", g.node("Less", a, zero), g.node("Neg", angle), angle)
    origin = g.node("And", g.node("Equal", a, zero), g.node("Equal", b, zero))
    return g.node("Where", origin, zero, angle)


@_writes("prelu")
def _prelu(g: _Graph, step: Step) -> str:
    return g.node("PRelu", *g.inputs(step))


@_writes("add")
def _add(g: _Graph, step: Step) -> str:
    first, *others = g.inputs(step)
    for other in others:
        first = g.node("Add", first, other)
    return first


# Rows.


@_writes("softmax", "log_softmax")
def _softmax(g: _Graph, step: Step) -> str:
    return g.node("Softmax" if step.op == "softmax" else "LogSoftmax", *g.inputs(step), axis=-1)


@_writes("dense", "matmul")
def _dense(g: _Graph, step: Step) -> str:
    x, w, *bias = g.inputs(step)
    if len(g.listing.shapes[step.inputs[0]]) == 2 and bias:
        return g.node("Gemm", x, w, *bias)
    product = g.node("MatMul", x, w)
    return g.node("Add", product, *bias) if bias else product


@_writes("layer_norm layer")
def _layer_norm(g: _Graph, step: Step) -> str:
    x, *weights = g.inputs(step)
    axes = step.attrs.get("axes", 1)
    if not step.attrs.get("scale", True):
        weights.insert(0, g.constant(np.ones(g.listing.sample(step.output)[-axes:])))
    return g.node("LayerNormalization", x, *weights, axis=-axes, epsilon=float(step.attrs.get("epsilon", 1e-3)))


@_writes("reduce sum", "reduce mean", "reduce max", "reduce min")
def _reduce(g: _Graph, step: Step) -> str:
    op, axis = "Reduce" + step.attrs["kind"].capitalize(), step.attrs.get("axis", -1)
    [x] = g.inputs(step)
    return g.reduced(op, x, axis, int(step.attrs.get("keepdims", False)))


@_writes("cumsum")
def _cumsum(g: _Graph, step: Step) -> str:
    return g.node("CumSum", *g.inputs(step), g.constant(step.attrs.get("axis", -1), "int64"))


@_writes("argmax")
def _argmax(g: _Graph, step: Step) -> str:
    op = "ArgMin" if step.attrs.get("smallest") else "ArgMax"
    return g.number(g.node(op, *g.inputs(step), axis=step.attrs.get("axis", -1), keepdims=0))


@_writes("argsort")
def _argsort(g: _Graph, step: Step) -> str:
    axis = step.attrs.get("axis", -1)
    count = g.constant([g.listing.shapes[step.inputs[0]][axis]], "int64")
    largest = int(step.attrs.get("descending", False))
    _, places = g.node("TopK", *g.inputs(step), count, outputs=2, axis=axis, largest=largest)
    return g.number(places)


# Elements at other places.


@_writes("reshape")
def _reshape(g: _Graph, step: Step) -> str:
    return g.reshaped(g.inputs(step)[0], g.listing.sample(step.output))


@_writes("concatenate")
def _concatenate(g: _Graph, step: Step) -> str:
    return g.node("Concat", *g.inputs(step), axis=step.attrs.get("axis", -1))


def places(shape: tuple[int, ...], strides: list[int], offset: int) -> np.ndarray:
    """Where each element of `shape` stands in a row."""
    axes = np.ix_(*(np.arange(n) * step for n, step in zip(shape, strides, strict=True)))
    return np.asarray(sum(axes, start=np.full(shape, offset)))


@_writes("rearrange", "place")
def _rearrange(g: _Graph, step: Step) -> str:
    [x] = g.inputs(step)
    before, after = g.listing.sample(step.inputs[0]), g.listing.sample(step.output)
    flat = g.reshaped(x, [math.prod(before)])
    strides, offset = step.attrs["strides"], step.attrs.get("offset", 0)
    if step.op == "rearrange":
        picked = places(after, strides, offset)
    else:  # what no element is put at takes a zero behind the last one
        picked = np.full(after, math.prod(before))
        picked.reshape(-1)[places(before, strides, offset)] = np.arange(math.prod(before)).reshape(before)
        flat = g.node("Pad", flat, g.constant([0, 0, 0, 1], "int64"))
    return g.reshaped(g.node("Gather", flat, g.constant(picked.ravel(), "int64"), axis=1), after)


@_writes("take_along_axis")
def _take(g: _Graph, step: Step) -> str:
    x, index = g.inputs(step)
    return g.node("GatherElements", x, g.node("Cast", index, to=_type("int64")), axis=step.attrs.get("axis", -1))


# Codes.


@_writes("codes")
def _codes(g: _Graph, step: Step) -> str:
    return g.node("Cast", *g.inputs(step), to=_type("int32"))


@_writes("embedding")
def _embedding(g: _Graph, step: Step) -> str:
    """A code outside of the table picks a row of zeros below it."""
    codes, table = step.inputs
    rows, width = g.listing.shapes[table]
    known = np.concatenate([g.listing.arrays[table], np.zeros((1, width))])
    x, last = g.name(codes), g.constant(rows, "int32")
    outside = g.node("Or", g.node("Less", x, g.constant(0, "int32")), g.node("GreaterOrEqual", x, last))
    return g.node("Gather", g.constant(known), g.node("Where", outside, last, x), axis=0)


@_writes("one_hot")
def _one_hot(g: _Graph, step: Step) -> str:
    [x] = g.inputs(step)
    tokens, mode = step.attrs["num_tokens"], step.attrs.get("mode", "multi_hot")
    codes, spread = g.listing.sample(step.inputs[0]), g.listing.sample(step.output)
    y = g.node("Equal", g.reshaped(x, (*codes, 1)), g.constant(np.arange(tokens), "int32"))
    y = g.number(y)
    if mode != "one_hot" and codes:
        return g.reduced("ReduceSum" if mode == "count" else "ReduceMax", y, len(codes), keepdims=0)
    return g.reshaped(y, spread)
