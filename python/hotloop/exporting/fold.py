"""Folding: layers that only shift and scale become part of the dense layers beside them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import activations, layers
from ..functional import Functional, _apply
from ..identifiers import custom_object_scope
from ..layers.layer import Layer
from ..sequential import Sequential
from ..state import custom_classes
from ..tensor import KerasTensor, Node
from ..tree import flatten, map_structure

_IDLE = (  # in inference
    layers.ActivityRegularization, layers.AlphaDropout, layers.Dropout, layers.GaussianDropout, layers.GaussianNoise,
    layers.Identity, layers.SpatialDropout1D, layers.SpatialDropout2D, layers.SpatialDropout3D,
)  # fmt: skip
_DENSE = (layers.Dense, layers.DropConnectDense)
_MOVING = (layers.Flatten, layers.Reshape, layers.Permute)  # elements change their places, not their values
_MOST_SHIFT = 100  # a sum that takes more away again, from data far from 0, would lose their digits

Affine = tuple[np.ndarray, np.ndarray]  # factor and summand of every element of a sample, float64
Place = tuple[int, int]  # a tensor: its node, and which of the node's outputs it is


def can_fold(model: Any) -> bool:
    """Whether the model's layers and how they are connected are known."""
    return isinstance(model, (Functional, Sequential)) and type(model).call in (Functional.call, Sequential.call)


def folded(model: Any, rounded: bool = False) -> Any:
    """What `Model.fold` returns.

    Parameters
    ----------
    model : Model
    rounded : bool
        For kernels, or inputs of Dense layers, of few bits: features that a layer brings to one size keep it, so of
        what a Dense reads no more is folded than a factor that all features share.
    """
    if not can_fold(model):
        raise ValueError(
            f"[fold '{model.name}'] expected a Sequential or functional model, received a {type(model).__name__} with "
            "a `call` of its own, whose layers nobody but Python knows. Fold the models it is made of."
        )
    if model._inputs is None:
        raise ValueError(
            f"[fold '{model.name}'] expected a model with weights, received one that is not built. Give it an Input, "
            "or call it on data."
        )
    return _folded(_copy(model), rounded)


def _folded(model: Any, rounded: bool) -> Any:
    network = _Network(model, rounded)
    network.fold()
    return network.rebuilt()


def _copy(model: Any) -> Any:
    """The same layers and weights, not compiled, without the model's own class."""
    plain = Sequential if isinstance(model, Sequential) else Functional
    classes = custom_classes(model)
    with custom_object_scope(classes):
        copy = plain.from_config(plain.get_config(model), custom_objects=classes)
    copy.set_weights(model.get_weights())
    return copy


def _has_inside(operation: Any) -> bool:
    return can_fold(operation) or type(operation) is layers.Residual


def _place(tensor: KerasTensor) -> Place:
    return id(tensor.node), tensor.index


class _Network:
    """The calls of a model's layers, while some of them go away. The model is not used any more after."""

    def __init__(self, model: Any, rounded: bool) -> None:
        self.model, self.rounded = model, rounded
        tensors = model._tensors if isinstance(model, Sequential) else []
        self.nodes: list[Node] = [t.node for t in tensors] if tensors else list(model._order)
        self.calls = [node for node in self.nodes if node.inputs]
        self.outputs = flatten(model._outputs)
        self.kept: dict[int, Any] = {}  # by id of an operation, what takes its place
        self.weights: dict[int, Affine] = {}  # by id of a Dense, its kernel and bias
        self._same: dict[Place, KerasTensor] = {}  # outputs of calls that went away, and what is the same tensor now
        self._uses = {id(node.operation): 0 for node in self.nodes}
        for node in self.calls:
            self._uses[id(node.operation)] += 1

    # What is connected.

    def source(self, tensor: KerasTensor) -> KerasTensor:
        """The tensor that stands for this one now."""
        while _place(tensor) in self._same:
            tensor = self._same[_place(tensor)]
        return tensor

    def _read(self, tensor: KerasTensor) -> list[Node | None]:
        """The calls that read it; None for the model's outputs."""
        place = _place(tensor)
        found: list[Node | None] = [n for n in self.calls for t in n.inputs if _place(self.source(t)) == place]
        return found + [None for t in self.outputs if _place(self.source(t)) == place]

    def _only_reader(self, tensor: KerasTensor) -> Node | None:
        readers = self._read(tensor)
        return readers[0] if len(readers) == 1 else None

    def _remove(self, node: Node) -> None:
        self._same[_place(node.outputs[0])] = node.inputs[0]
        self.calls.remove(node)

    # Folding.

    def fold(self) -> None:
        """Everything that can be."""
        for node in list(self.calls):
            operation = node.operation
            if _has_inside(operation) and not _trains(node):
                if id(operation) not in self.kept:
                    self.kept[id(operation)] = self._inside(node)
            elif type(operation) in _IDLE and not _trains(node) and not self._carries_an_input_out(node):
                self._remove(node)
        waiting = True
        while waiting:
            waiting = any(self._fold_call(node) for node in list(self.calls))

    def _inside(self, node: Node) -> Any:
        """A model, or a block, of folded layers in the place of the one that is called."""
        operation: Any = node.operation
        if type(operation) is not layers.Residual:
            return folded(operation, self.rounded)
        first = layers.InputLayer(node.inputs[0].shape[1:], dtype=operation._compute_dtype)
        stack = _folded(Sequential([first, *operation.layers]), self.rounded)
        options = {"name": operation.name, "dtype": operation.dtype, "trainable": operation.trainable}
        return layers.Residual(stack.layers, **options)

    def _carries_an_input_out(self, node: Node) -> bool:
        """A model needs a layer between an input and an output."""
        return not self.source(node.inputs[0]).node.inputs and None in self._read(node.outputs[0])

    def _fold_call(self, node: Node) -> bool:
        affine = None if _trains(node) else _affine_of(node)
        if affine is None:
            return False
        below = self.source(node.inputs[0])
        merged = self._into_below(below, affine) if self._only_reader(below) is node else False
        merged = merged or self._into_above(node, affine)
        if merged:
            self._remove(node)
        return merged

    def _is_dense(self, node: Node) -> bool:
        dense = type(node.operation) in _DENSE and getattr(node.operation, "storage", None) is None
        return dense and self._uses[id(node.operation)] == 1

    def _into_below(self, tensor: KerasTensor, affine: Affine) -> bool:
        dense: Any = tensor.node.operation
        if not self._is_dense(tensor.node) or dense.activation is not activations.get(None):
            return False
        rows = _per_feature(affine)
        if rows is None:
            return False
        kernel, bias = self._weights_of(dense)
        return self._rewrite(dense, kernel * rows[0], bias * rows[0] + rows[1])

    def _into_above(self, node: Node, affine: Affine) -> bool:
        above = self._only_reader(node.outputs[0])
        while above is not None and type(above.operation) in _MOVING:
            affine = _moved(above.operation, affine)
            above = self._only_reader(above.outputs[0])
        if above is None or not self._is_dense(above):
            return False
        rows = _per_feature(affine)
        if rows is None or np.abs(rows[1]).max() > _MOST_SHIFT:
            return False
        if self.rounded and (rows[1].any() or (rows[0] != rows[0][0]).any()):
            return False
        kernel, bias = self._weights_of(above.operation)
        return self._rewrite(above.operation, rows[0][:, None] * kernel, bias + rows[1] @ kernel)

    def _rewrite(self, dense: Any, kernel: np.ndarray, bias: np.ndarray) -> bool:
        """Take these weights, if the layer's numbers can hold them."""
        if max(np.abs(kernel).max(), np.abs(bias).max()) > np.finfo(dense._compute_dtype).max:
            return False
        self.weights[id(dense)] = kernel, bias
        return True

    def _weights_of(self, dense: Any) -> Affine:
        if id(dense) not in self.weights:
            bias = np.zeros(dense.units) if dense.bias is None else dense.bias.numpy().astype(np.float64)
            self.weights[id(dense)] = dense.kernel.numpy().astype(np.float64), bias
        return self.weights[id(dense)]

    # The new model.

    def rebuilt(self) -> Any:
        """The model of the calls that are left."""
        operations = {id(node.operation): node.operation for node in self.calls}
        for key, operation in operations.items():
            self.kept.setdefault(key, _with_bias(operation) if key in self.weights else operation)
        for operation in operations.values():
            operation.nodes.clear()
        old = self.model
        if isinstance(old, Sequential):
            model: Any = Sequential([self.nodes[0].operation], name=old.name)
            for node in self.calls:
                model.add(self.kept[id(node.operation)])
        else:
            inputs = map_structure(lambda t: _same_input(t), old._inputs)
            now = {_place(t): new for t, new in zip(flatten(old._inputs), flatten(inputs), strict=True)}
            for node in self.calls:
                args, kwargs = node.arguments(lambda t: now[_place(self.source(t))])
                results = flatten(_apply(self.kept[id(node.operation)], list(args), kwargs))
                now.update((_place_of(node, i), result) for i, result in enumerate(results))
            model = Functional(inputs, map_structure(lambda t: now[_place(self.source(t))], old._outputs), old.name)
        for key, (kernel, bias) in self.weights.items():
            self.kept[key].set_weights([kernel, bias])
        model._trainable = old._trainable
        return model


def _place_of(node: Node, index: int) -> Place:
    return id(node), index


def _same_input(tensor: KerasTensor) -> KerasTensor:
    return layers.InputLayer(**tensor.node.operation.get_config()).output  # type: ignore[attr-defined]


def _with_bias(dense: Any) -> Layer:
    """The same layer, not built, with a bias."""
    return type(dense).from_config({**dense.get_config(), "use_bias": True})


def _trains(node: Node) -> bool:
    """Whether this call asks for what training does."""
    return bool(node.kwargs.get("training")) or len(node.args) > 1


def _affine_of(node: Node) -> Affine | None:
    """What a call does to every element of a sample, if it shifts and scales them."""
    layer: Any = node.operation
    if type(layer) is layers.Rescaling:
        factor, summand = np.float64(layer.scale), np.float64(layer.offset)
    elif type(layer) is layers.LayerScale:
        factor, summand = layer.gamma.numpy().astype(np.float64), np.float64(0)
    elif type(layer) is layers.Normalization:
        mean, variance = (v.numpy().astype(np.float64) for v in (layer.mean, layer.variance))
        spread = np.maximum(np.sqrt(variance), 1e-7)
        factor, summand = (spread, mean) if layer.invert else (1 / spread, -mean / spread)
    elif type(layer) is layers.BatchNormalization:
        factor, summand = _normalisation(layer, len(node.inputs[0].shape))
    else:
        return None
    sample = node.inputs[0].shape[1:]
    return np.broadcast_to(factor, sample), np.broadcast_to(summand, sample)


def _normalisation(layer: Any, rank: int) -> Affine:
    mean, variance = (v.numpy().astype(np.float64) for v in (layer.moving_mean, layer.moving_variance))
    factor = 1 / np.sqrt(variance + layer.epsilon)
    factor = factor if layer.gamma is None else factor * layer.gamma.numpy()
    summand = -mean * factor if layer.beta is None else layer.beta.numpy() - mean * factor
    [axis, *more] = layer._feature_axes((None,) * rank)
    shape = factor.shape[1:] if factor.ndim == rank else (*factor.shape, *(1,) * (rank - 1 - axis - len(more)))
    return factor.reshape(shape), summand.reshape(shape)


def _moved(layer: Any, affine: Affine) -> Affine:
    if type(layer) is layers.Permute:
        order = [axis - 1 for axis in layer.dims]
        return affine[0].transpose(order), affine[1].transpose(order)
    shape = (-1,) if type(layer) is layers.Flatten else layer.target_shape
    return affine[0].reshape(shape), affine[1].reshape(shape)


def _per_feature(affine: Affine) -> Affine | None:
    """Factor and summand of each feature of the last axis, if the other axes share them."""
    rows = [array.reshape(-1, array.shape[-1]) for array in affine]
    if any((array != array[:1]).any() for array in rows):
        return None
    return rows[0][0], rows[1][0]
