"""Graphs of layers as Keras describes them: each layer with its calls, each call with the calls it reads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..tensor import KerasTensor, OpCall
from ..tree import flatten, map_structure

_MODELS = ("Functional", "Model")  # their first node is that of their own inputs, which references count or do not


def graph_to_keras(model: Any, layer_to_keras: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """The configuration of a Functional."""
    calls: dict[int, list[Any]] = {}
    for node in model._order:
        calls.setdefault(id(node.operation), []).append(node)
    number = {id(node): i for nodes in calls.values() for i, node in enumerate(nodes)}

    def reference(tensor: KerasTensor) -> list[Any]:
        return [tensor.node.operation.name, number[id(tensor.node)], tensor.index]

    def described(tensor: KerasTensor) -> dict[str, Any]:
        config = {"shape": list(tensor.shape), "dtype": tensor.dtype, "keras_history": reference(tensor)}
        return {"class_name": "__keras_tensor__", "config": config}

    def end(tensor: KerasTensor) -> list[Any]:
        name, node, index = reference(tensor)
        return [name, node + (type(tensor.node.operation).__name__ in _MODELS), index]

    layers = []
    for operation in model._operations:
        if isinstance(operation, OpCall):
            raise ValueError(
                f"[save '{model.name}'] expected layers, received the function '{operation.op}' on tensors, which this "
                "format does not hold yet. Save to .safetensors, or put it into a layer."
            )
        nodes = []
        for node in calls[id(operation)]:
            if node.inputs:
                args, kwargs = node.arguments(described)
                nodes.append({"args": list(args), "kwargs": kwargs})
        layers.append(layer_to_keras(operation))
        layers[-1].update(name=operation.name, inbound_nodes=nodes)
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": layers,
        "input_layers": map_structure(end, model._inputs),
        "output_layers": map_structure(end, model._outputs),
    }


def graph_from_keras(config: Mapping[str, Any], layer_from_keras: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """The configuration of a `hotloop.Functional` from Keras's, of version 3 or 2.

    Raises
    ------
    ValueError
        If a call reads what is not there, or calls read each other in a circle.
    """
    entries = config.get("layers")
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise ValueError("a list of layers in a Functional")
    graph = _Graph(entries)
    graph.order_calls()
    return {
        "name": config.get("name"),
        "trainable": config.get("trainable", True),
        "layers": [layer_from_keras(entry) for entry in entries],
        "nodes": graph.nodes,
        "inputs": graph.ends(config.get("input_layers")),
        "outputs": graph.ends(config.get("output_layers")),
    }


class _Graph:
    """The calls of a configuration, put in an order in which each comes after those it reads."""

    def __init__(self, entries: list[Any]) -> None:
        self.nodes: list[dict[str, Any]] = []
        self._place: dict[tuple[str, int], int] = {}  # of a layer's n-th call in `nodes`
        self._waiting: list[tuple[str, int, int, list[Any], dict[str, Any]]] = []
        self._class: dict[str, str] = {}
        self._is_old = False
        for index, entry in enumerate(entries):
            name = str(entry.get("name", (entry.get("config") or {}).get("name")))
            if name in self._class:
                raise ValueError(f"layers of different names, received two named '{name:.80}'")
            self._class[name] = str(entry.get("class_name"))
            calls = entry.get("inbound_nodes")
            if self._class[name] == "InputLayer":
                calls = [None]
            if not isinstance(calls, list):
                raise ValueError(f"inbound_nodes of layer '{name:.80}', received none")
            for n, call in enumerate(calls):
                args, kwargs = self._arguments(call)
                self._waiting.append((name, n, index, args, kwargs))
        self._first = self._first_numbers()

    def _arguments(self, call: Any) -> tuple[list[Any], dict[str, Any]]:
        """Of one call, in both ways of writing it; tensors become `(name, call, output)`."""
        if call is None:
            return [], {}
        if isinstance(call, Mapping) and isinstance(call.get("args"), list):
            return [_tensors(arg) for arg in call["args"]], _given(_tensors(call.get("kwargs", {})))
        if not isinstance(call, list) or not all(isinstance(item, list) and len(item) in (3, 4) for item in call):
            raise ValueError(f"the arguments of a call, received {_shown(call)}")
        self._is_old = True
        tensors = [_reference(item[:3]) for item in call]
        kwargs = _given(call[0][3]) if call and len(call[0]) == 4 else {}
        return [tensors[0] if len(tensors) == 1 else tensors], kwargs

    def _first_numbers(self) -> dict[str, int]:
        """Version 2 counts the calls of models from 1, if nobody reads their own inputs."""
        read: dict[str, int] = {}
        for *_, args, kwargs in self._waiting:
            for tensor in _references((args, kwargs)):
                read[tensor.layer] = min(tensor.call, read.get(tensor.layer, tensor.call))
        old = {name for name, kind in self._class.items() if self._is_old and kind in (*_MODELS, "Sequential")}
        return {name: 1 for name in old if read.get(name, 1) >= 1}

    def order_calls(self) -> None:
        """Fill `nodes`; Kahn's algorithm."""
        readers: dict[tuple[str, int], list[int]] = {}
        missing = []
        for i, (*_, args, kwargs) in enumerate(self._waiting):
            read = {self._key(tensor) for tensor in _references((args, kwargs))}
            missing.append(len(read))
            for key in read:
                readers.setdefault(key, []).append(i)
        ready = deque(i for i, count in enumerate(missing) if not count)
        while ready:
            name, n, index, args, kwargs = self._waiting[ready.popleft()]
            self._place[name, n] = len(self.nodes)
            self.nodes.append({"layer": index, "args": self._resolved(args), "kwargs": self._resolved(kwargs)})
            for i in readers.get((name, n), ()):
                missing[i] -= 1
                if not missing[i]:
                    ready.append(i)
        if len(self.nodes) < len(self._waiting):
            stuck = next(call[0] for call, count in zip(self._waiting, missing, strict=True) if count)
            raise ValueError(f"calls that read what is there, received a circle or a gap at '{stuck:.80}'")

    def _key(self, tensor: _Tensor) -> tuple[str, int]:
        return tensor.layer, tensor.call - self._first.get(tensor.layer, 0)

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, _Tensor):
            return {"node": self._place[self._key(value)], "output": value.output}
        if isinstance(value, Mapping):
            return {key: self._resolved(item) for key, item in value.items()}
        return [self._resolved(item) for item in value] if isinstance(value, list) else value

    def ends(self, value: Any) -> Any:
        """The inputs or outputs: one tensor, or lists and dicts of them."""
        if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
            tensor = _reference(value)
            key = self._key(tensor)
            if not self._is_old and self._class.get(tensor.layer) in _MODELS:
                key = (tensor.layer, tensor.call - 1)
            if key not in self._place:
                raise ValueError(f"inputs and outputs of layers that are called, received {_shown(value)}")
            return {"node": self._place[key], "output": tensor.output}
        if isinstance(value, Mapping):
            return {key: self.ends(item) for key, item in value.items()}
        if not isinstance(value, list):
            raise ValueError(f"a list of inputs and of outputs, received {_shown(value)}")
        found = [self.ends(item) for item in value]
        return found[0] if self._is_old and len(found) == 1 else found


@dataclass(frozen=True)
class _Tensor:
    """An output of a call of a layer."""

    layer: str
    call: int
    output: int


def _reference(value: Any) -> _Tensor:
    if not isinstance(value, list) or [type(item) for item in value] != [str, int, int] or min(value[1:]) < 0:
        raise ValueError(f"a layer's name and two numbers of at least 0, received {_shown(value)}")
    return _Tensor(*value)


def _references(value: Any) -> list[_Tensor]:
    return [leaf for leaf in flatten(value) if isinstance(leaf, _Tensor)]


def _shown(value: Any) -> str:
    return repr(value)[:80]


def _tensors(value: Any) -> Any:
    if isinstance(value, Mapping):
        if value.get("class_name") == "__keras_tensor__":
            return _reference((value.get("config") or {}).get("keras_history"))
        if value.get("class_name") == "__tuple__":
            return _tensors(value.get("items"))
        return {key: _tensors(item) for key, item in value.items()}
    return [_tensors(item) for item in value] if isinstance(value, list) else value


def _given(kwargs: Any) -> dict[str, Any]:
    """Keyword arguments without those that Keras writes though nobody gave them."""
    return {key: value for key, value in dict(kwargs).items() if value is not None}
