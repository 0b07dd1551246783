"""Functional models: a graph of layers from input tensors to output tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .layers.layer import Layer
from .layers.serialization import sharing
from .model import Model
from .naming import auto_name
from .tensor import KerasTensor, Node, OpCall, Operation
from .trace import Traced
from .tree import flatten, map_structure, pack_like


class Functional(Model):
    """A model given by its input and output tensors. `Model(inputs, outputs)` makes one.

    Parameters
    ----------
    inputs, outputs : KerasTensor, or list, tuple or dict of them
        Inputs may also be tensors inside another model.
    name : str, optional
    trainable : bool

    Raises
    ------
    ValueError
        If an output does not depend on the inputs.
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, trainable: bool = True) -> None:
        _check_tensors(inputs, "inputs")
        _check_tensors(outputs, "outputs")
        super().__init__(name=name or auto_name("functional"))
        inputs, outputs = _with_own_inputs(inputs, outputs)
        self._inputs, self._outputs = inputs, outputs
        self._order = _nodes_in_order(flatten(inputs), flatten(outputs))
        self._operations = _operations_by_depth(flatten(outputs), self._order)
        self._layers = [operation for operation in self._operations if isinstance(operation, Layer)]
        names: dict[str, Any] = {}
        for layer in self._layers:
            if names.setdefault(layer.name, layer) is not layer:
                raise ValueError(
                    f"[Model '{self.name}'] expected layers of different names, received two named '{layer.name}'."
                )
        self.output_names = _output_names(outputs)
        self.dtype = next((layer._compute_dtype for layer in self._layers if layer.weights), self.dtype)
        self.built = True
        if not trainable:
            self.trainable = False

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Run the graph of layers on traced tensors."""
        symbols = flatten(self._inputs)
        values = {id(t): v for t, v in zip(symbols, self._in_input_order(inputs), strict=True)}
        for node in self._order:
            if not node.inputs:
                continue
            args, kwargs = node.arguments(lambda tensor: values[id(tensor)])
            results = flatten(node.operation.trace_call(args, kwargs))
            values.update((id(t), v) for t, v in zip(node.outputs, results, strict=True))
        return pack_like(self._outputs, [values[id(t)] for t in flatten(self._outputs)])

    def _in_input_order(self, inputs: Any) -> list[Any]:
        symbols = flatten(self._inputs)
        if isinstance(inputs, dict):
            missing = [t.name for t in symbols if t.name not in inputs]
            if missing:
                raise ValueError(
                    f"[Model '{self.name}'] expected inputs {[t.name for t in symbols]}, missing {missing}."
                )
            return [inputs[t.name] for t in symbols]
        leaves = flatten(inputs)
        if len(leaves) != len(symbols):
            raise ValueError(f"[Model '{self.name}'] expected {len(symbols)} inputs, received {len(leaves)}.")
        for leaf, symbol in zip(leaves, symbols, strict=True):
            if isinstance(leaf, (Traced, KerasTensor)) and tuple(leaf.shape[1:]) != symbol.shape[1:]:
                raise ValueError(
                    f"[Model '{self.name}'] expected input '{symbol.name}' of shape {symbol.shape}, "
                    f"received {leaf.shape}."
                )
        return leaves

    @property
    def layers(self) -> list[Any]:
        """Layers, those of the inputs included, from inputs to outputs."""
        return list(self._layers)

    def _sublayers(self) -> list[Any]:
        return self._layers

    # Configurations.

    @sharing()
    def get_config(self) -> dict[str, Any]:
        """Layers, and the calls that connect them."""
        from .layers import serialize

        operations = list({id(node.operation): node.operation for node in self._order}.values())
        number = {id(node): i for i, node in enumerate(self._order)}

        def reference(tensor: KerasTensor) -> dict[str, Any]:
            return {"node": number[id(tensor.node)], "output": tensor.index}

        nodes = []
        for node in self._order:
            args, kwargs = node.arguments(reference)
            index = next(i for i, op in enumerate(operations) if op is node.operation)
            nodes.append({"layer": index, "args": list(args), "kwargs": kwargs})
        return {
            "name": self.name,
            "trainable": self.trainable,
            "layers": [_op_config(op) if isinstance(op, OpCall) else serialize(op) for op in operations],
            "nodes": nodes,
            "inputs": map_structure(reference, self._inputs),
            "outputs": map_structure(reference, self._outputs),
        }

    @classmethod
    @sharing()
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, type] | None = None) -> Functional:
        """The same model with new weights."""
        from .layers import deserialize
        from .layers.serialization import check_model_config

        check_model_config("Model", config, ("name", "trainable", "layers", "nodes", "inputs", "outputs"))
        operations = [
            OpCall(**layer["config"]) if layer["class_name"] == "Op" else deserialize(layer, custom_objects)
            for layer in config["layers"]
        ]
        results: list[list[KerasTensor]] = []
        for node in config["nodes"]:
            operation = operations[node["layer"]]
            args, kwargs = _resolve(list(node["args"]), results), _resolve(node["kwargs"], results)
            results.append(flatten(_apply(operation, args, kwargs) if args else operation.nodes[0].result))
        model = cls(_resolve(config["inputs"], results), _resolve(config["outputs"], results), name=config["name"])
        model._trainable = config.get("trainable", True)  # that of each layer is in its own configuration
        return model


def _resolve(value: Any, results: list[list[KerasTensor]]) -> Any:
    """References of a configuration as the tensors they stand for."""
    if isinstance(value, Mapping) and set(value) == {"node", "output"}:
        return results[value["node"]][value["output"]]
    if isinstance(value, Mapping):
        return {key: _resolve(item, results) for key, item in value.items()}
    return [_resolve(item, results) for item in value] if isinstance(value, (list, tuple)) else value


def _apply(operation: Operation, args: list[Any], kwargs: dict[str, Any]) -> Any:
    if isinstance(operation, OpCall):
        from . import ops

        return ops.apply(operation.op, args, operation.attrs)
    return operation(*args, **kwargs)  # type: ignore[operator]


def _op_config(call: OpCall) -> dict[str, Any]:
    return {"class_name": "Op", "config": {"op": call.op, "attrs": call.attrs, "name": call.name}}


def _check_tensors(tensors: Any, what: str) -> None:
    leaves = flatten(tensors)
    bad = [leaf for leaf in leaves if not isinstance(leaf, KerasTensor)]
    if bad or not leaves:
        received = type(bad[0]).__name__ if bad else "an empty list"
        raise ValueError(f"[Model] expected {what} to be tensors that Input and layers give, received {received}.")


def _is_input(tensor: KerasTensor) -> bool:
    return not tensor.node.inputs


def _with_own_inputs(inputs: Any, outputs: Any) -> tuple[Any, Any]:
    """Tensors inside another model become inputs of this one: the layers in between are called again on new Inputs."""
    outputs = map_structure(lambda t: _connected(t, flatten(inputs)), outputs)
    if all(_is_input(t) for t in flatten(inputs)):
        return inputs, outputs
    from .layers import Input

    fresh = map_structure(lambda t: t if _is_input(t) else Input(t.shape[1:], dtype=t.dtype), inputs)
    now = {id(old): new for old, new in zip(flatten(inputs), flatten(fresh), strict=True)}
    for node in _nodes_in_order(flatten(inputs), flatten(outputs)):
        if not node.inputs or all(id(t) in now for t in node.outputs):
            continue
        args, kwargs = node.arguments(lambda t: now.get(id(t), t))
        results = flatten(_apply(node.operation, list(args), kwargs))
        now.update((id(t), r) for t, r in zip(node.outputs, results, strict=True))
    return fresh, map_structure(lambda t: now.get(id(t), t), outputs)


def _connected(output: KerasTensor, inputs: list[KerasTensor]) -> KerasTensor:
    """`layer.output` of a shared layer belongs to the model that called it first; take the call on these inputs."""
    if _reaches(output, inputs):
        return output
    for node in output.node.operation.nodes:
        candidate = node.outputs[output.index]
        if _reaches(candidate, inputs):
            return candidate
    names = ", ".join(t.name for t in inputs)
    raise ValueError(
        f"[Model] expected outputs that depend on the inputs ({names}) alone, received the output of "
        f"'{output.node.operation.name}', which also needs another Input."
    )


def _reaches(output: KerasTensor, inputs: list[KerasTensor]) -> bool:
    """Whether every path back from `output` ends at one of `inputs`."""
    ends, stack, seen = {id(t) for t in inputs}, [output], set()
    while stack:
        tensor = stack.pop()
        if id(tensor) in ends or id(tensor) in seen:
            continue
        if _is_input(tensor):
            return False
        seen.add(id(tensor))
        stack.extend(tensor.node.inputs)
    return True


def _nodes_in_order(inputs: list[KerasTensor], outputs: list[KerasTensor]) -> list[Node]:
    """All nodes between inputs and outputs, each after those it needs (depth first, without recursion)."""
    ends = {id(t) for t in inputs}
    order: list[Node] = []
    done: set[int] = set()
    stack: list[tuple[Node, bool]] = [(t.node, id(t) in ends) for t in reversed(outputs)]
    opened: set[int] = set()
    while stack:
        node, is_end = stack[-1]
        if id(node) in done or id(node) in opened:
            stack.pop()
            if id(node) not in done:
                done.add(id(node))
                order.append(node)
            continue
        opened.add(id(node))
        if not is_end:
            stack.extend((t.node, id(t) in ends) for t in reversed(node.inputs) if id(t.node) not in opened)
    order += [t.node for t in inputs if id(t.node) not in done]
    return order


def _operations_by_depth(outputs: list[KerasTensor], order: list[Node]) -> list[Operation]:
    """Keras's order of layers: by distance from the outputs, then by when a walk back from them enters them.

    `order` lists all nodes, each after those it needs; inputs that no output depends on stand at its end.
    """
    depth: dict[int, int] = {}
    op_depth: dict[int, int] = {}
    for node in reversed(order):
        d = max(depth.get(id(node), 0), op_depth.get(id(node.operation), 0))
        depth[id(node)] = op_depth[id(node.operation)] = d
        for tensor in node.inputs:
            depth[id(tensor.node)] = max(depth.get(id(tensor.node), 0), d + 1)
    entered: dict[int, int] = {}
    stack, seen = [tensor.node for tensor in reversed(outputs)], set()
    while stack:
        node = stack.pop()
        if id(node) not in seen:
            seen.add(id(node))
            entered.setdefault(id(node.operation), len(entered))
            stack.extend(tensor.node for tensor in reversed(node.inputs))
    unique = {id(node.operation): node.operation for node in order}
    return sorted(unique.values(), key=lambda op: (-op_depth[id(op)], entered.get(id(op), -1)))


def _output_names(outputs: Any) -> list[str]:
    """A dict's sorted keys, or the names of the layers that make the outputs, told apart by _1, _2, ..."""
    if isinstance(outputs, dict):
        return sorted(outputs)
    names: list[str] = []
    for tensor in flatten(outputs):
        base = tensor.node.operation.name
        name, number = base, 0
        while name in names:
            number += 1
            name = f"{base}_{number}"
        names.append(name)
    return names
