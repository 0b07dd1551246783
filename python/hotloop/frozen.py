"""The frozen bottom of a model: its outputs do not change from epoch to epoch, so `fit` computes them once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .activations import Activation
from .layers.batch_normalization import BatchNormalization
from .layers.lambda_layer import Lambda
from .layers.layer import Layer
from .overrides import is_ours
from .program import Columns, Program
from .tensor import KerasTensor, Node, OpCall
from .trace import Trace
from .tree import flatten
from .variable import Variable, structure_count

if TYPE_CHECKING:
    from .data import ArraySource
    from .training import Training

MOST_BYTES = 256 << 20  # of the outputs that are kept without being asked for, of training and validation data each


class FrozenStack:
    """The calls of a model whose results training does not change, and the others, which start from these.

    Attributes
    ----------
    ends : list of KerasTensor
        Results that others read, or inputs of the model that they read themselves.
    variables : list of Variable
        What the results depend on.
    """

    def __init__(self, model: Any, lower: list[Node], upper: list[Node]) -> None:
        self._model_name, self._inputs, self._outputs = model.name, flatten(model._inputs), flatten(model._outputs)
        self._lower, self._upper = lower, upper
        fixed = {id(t): t for t in self._inputs}
        fixed.update((id(t), t) for node in lower for t in node.outputs)
        read = {id(t): t for node in upper for t in node.inputs if id(t) in fixed}
        self.ends = list(read.values())
        found = {id(v): v for node in lower if isinstance(node.operation, Layer) for v in node.operation.weights}
        self.variables: list[Variable] = list(found.values())

    def features(self, trace: Trace) -> Program:
        """What computes the ends that are no inputs."""
        values = {id(t): trace.input(("x", i), t.shape[1:], t.dtype, t.name) for i, t in enumerate(self._inputs)}
        self._run(trace, self._lower, values)
        return Program(trace, [values[id(t)] for t in self._made()])

    def outputs(self, trace: Trace) -> list[Any]:
        """The model's outputs from its ends, which are the inputs ("x", i) of `columns`."""
        values: dict[int, Any] = {}
        for i, t in enumerate(self.ends):
            values[id(t)] = trace.input(("x", i), t.shape[1:], t.dtype, t.name)
        self._run(trace, self._upper, values)
        return [values[id(t)] for t in self._outputs]

    def columns(self, whole: Columns, features: list[np.ndarray]) -> Columns:
        """Columns of the upper calls: the ends, and targets and weights as they are."""
        made = {id(t): array for t, array in zip(self._made(), features, strict=True)}
        place = {id(t): i for i, t in enumerate(self._inputs)}
        result = {key: array for key, array in whole.items() if key[0] != "x"}
        for i, t in enumerate(self.ends):
            result["x", i] = made[id(t)] if id(t) in made else whole["x", place[id(t)]]
        return result

    def bytes_for(self, rows: int, dtype: str) -> int:
        """Memory for the ends of so many rows."""
        sizes = (int(np.prod(t.shape[1:], dtype=np.int64)) for t in self._made())
        return rows * sum(sizes) * np.dtype(dtype).itemsize

    def _made(self) -> list[KerasTensor]:
        inputs = {id(t) for t in self._inputs}
        return [t for t in self.ends if id(t) not in inputs]

    def _run(self, trace: Trace, nodes: list[Node], values: dict[int, Any]) -> None:
        with trace.layer(self._model_name, None):
            for node in nodes:
                args, kwargs = node.arguments(lambda tensor: values[id(tensor)])
                results = flatten(node.operation.trace_call(args, kwargs))
                values.update((id(t), value) for t, value in zip(node.outputs, results, strict=True))


def stack_of(model: Any) -> FrozenStack | None:
    """The frozen stack of a Sequential or Functional; None if there is none that computes anything worth keeping."""
    from .functional import Functional
    from .sequential import Sequential

    if type(model) is Sequential:
        nodes = [tensor.node for tensor in model._tensors[1:]]
    elif type(model) is Functional:
        nodes = [node for node in model._order if node.inputs]
    else:
        return None
    fixed = {id(t) for t in flatten(model._inputs)}
    lower, upper = [], []
    for node in nodes:
        if all(id(t) in fixed for t in node.inputs) and _is_fixed(node):
            lower.append(node)
            fixed.update(id(t) for t in node.outputs)
        else:
            upper.append(node)
    if any(id(t) in fixed for t in flatten(model._outputs)):
        return None
    stack = FrozenStack(model, lower, upper)
    return stack if any(len(v.shape) > 1 for v in stack.variables) else None


def _is_fixed(node: Node) -> bool:
    """Whether a call gives the same for the same arguments, in training as in inference."""
    operation = node.operation
    if isinstance(operation, OpCall):
        return "stream" not in operation.attrs
    layers = operation._all_layers() if isinstance(operation, Layer) else []
    return bool(layers) and "training" not in node.kwargs and all(_is_fixed_layer(layer) for layer in layers)


def _is_fixed_layer(layer: Layer) -> bool:
    if not is_ours(type(layer)) or isinstance(layer, Lambda) or layer.stochastic:
        return False
    if layer.activity_regularizer is not None or (isinstance(layer, BatchNormalization) and layer.trainable):
        return False
    activation = getattr(layer, "activation", None)
    known = activation is None or isinstance(activation, (Activation, Layer))
    return known and not any(variable.trainable for variable, _ in layer._own_variables())


class FrozenCache:
    """Outputs of the frozen stack, kept while a `fit` runs and thrown away when anything under them changes.

    Parameters
    ----------
    most : int, optional
        Bytes for one data set; without bound unless told.
    watch : bool
        Whether frozen weights may change between epochs: a callback may set them.
    """

    def __init__(self, most: int | None = None, watch: bool = True) -> None:
        self._most, self._watch = most, watch
        self._key: Any = None
        self._stack: FrozenStack | None = None
        self._weights: list[np.ndarray] = []
        self._columns: dict[int, tuple[ArraySource, Columns | None]] = {}

    def stack(self, model: Training, source: ArraySource) -> tuple[FrozenStack | None, Columns | None]:
        """The stack and the columns of what is above it; None and None where everything is to be computed."""
        key = (model._freezing(), structure_count())
        if key != self._key:
            if model._bottom[0] != key:
                model._bottom = (key, stack_of(model))  # so that the next fit finds its programs again
            self._key, self._stack, self._weights = key, model._bottom[1], []
            self._columns.clear()
        if self._stack is None:
            return None, None
        if self._watch:
            weights = [v.numpy() for v in self._stack.variables]
            if any(a.tobytes() != b.tobytes() for a, b in zip(self._weights, weights, strict=False)):
                self._columns.clear()
            self._weights = weights
        if id(source) not in self._columns:
            self._columns[id(source)] = (source, self._made(model, source, self._stack))
        columns = self._columns[id(source)][1]
        return (None, None) if columns is None else (self._stack, columns)

    def _made(self, model: Training, source: ArraySource, stack: FrozenStack) -> Columns | None:
        engine = model._get_engine()
        if self._most is not None and stack.bytes_for(source.n, engine.dtype) > self._most:
            return None
        trace = Trace(engine.dtype, False, engine.slab.index_of)
        features = engine.forward(stack.features(trace), source.whole, source.n, "fit")
        if not all(np.isfinite(array).all() for array in features):
            return None  # the layer that makes them is to be found and named
        return stack.columns(source.whole, features)
