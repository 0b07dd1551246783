"""Transfer: the body of a model, without its heads, and new heads on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .functional import Functional
from .identifiers import unknown_name
from .layers import Dense
from .layers.layer import Layer
from .model import Model
from .sequential import Sequential
from .tensor import KerasTensor, Node
from .tree import flatten


def has_matrix(layer: Layer) -> bool:
    """Whether a layer multiplies by weights: Dense and its kin, but no normalisation."""
    return any(len(v.shape) > 1 for v in layer.weights)


def body(model: Any, until: Any = None, copy: bool = False, name: str | None = None) -> Any:
    """`Model.body`."""
    _require_graph(model, "body")
    if isinstance(model, Sequential):
        end = _sequential_end(model, until)
        found: Any = Sequential([model.input, *model.layers[:end]], name=name)
    else:
        tensor = _common(model, _below_heads(model)) if until is None else _output_of(model, until)
        found = Functional(_inputs_needed(model, tensor), tensor, name=name)
    return _copied(found) if copy else found


def replace_head(
    model: Any, units: Any, activation: Any, until: Any, copy: bool, name: str | None, options: dict[str, Any]
) -> Any:
    """`Model.replace_head`."""
    stem = body(model, until, copy)
    if not isinstance(units, Mapping):
        if isinstance(activation, Mapping):
            raise TypeError("[replace_head] expected one activation for one head, received a dict of them.")
        head = _head(stem, "head", units, activation, options)
        if isinstance(stem, Sequential):
            return Sequential([stem.input, *stem.layers, head], name=name)
        return Functional(stem.input, head(stem.output), name=name)
    if not units:
        raise ValueError("[replace_head] expected at least one head, received an empty dict.")
    activations = activation if isinstance(activation, Mapping) else dict.fromkeys(units, activation)
    for key in activations:
        if key not in units:
            raise unknown_name("replace_head", key, list(units))
    heads = {key: _head(stem, key, value, activations.get(key), options) for key, value in units.items()}
    return Functional(stem.input, {key: head(stem.output) for key, head in heads.items()}, name=name)


def head_layers(model: Any) -> list[Layer]:
    """The layers with weights that make the outputs: down to the last one that has a matrix, on each way.

    Those of a model inside, where it makes the outputs; of a model whose `call` is Python code, its last layer.
    """
    if _is_graph(model):
        heads, above = _heads(model)
        top = [node.operation for node in (*heads, *above)]
    else:
        top = [layer for layer in model.layers if layer.weights][-1:]
    found = [inner for layer in top for inner in (head_layers(layer) if isinstance(layer, Model) else [layer])]
    return list({id(layer): layer for layer in found if isinstance(layer, Layer) and layer.weights}.values())


def _is_graph(model: Any) -> bool:
    return isinstance(model, Sequential) or hasattr(model, "_order")


def _require_graph(model: Any, where: str) -> None:
    if not _is_graph(model):
        raise TypeError(
            f"[{where}] expected a Sequential or functional model, received {type(model).__name__} '{model.name}', "
            "whose `call` is Python code. Make a model of its layers: Sequential([...])."
        )
    if model._inputs is None:
        raise ValueError(
            f"[{where}] expected a model that is built, received '{model.name}'. Give it an Input, or call it on data."
        )


def _sequential_end(model: Sequential, until: Any) -> int:
    """How many of the layers belong to the body."""
    if until is not None:
        return _index(model.layers, until) + 1
    end = next((i for i in reversed(range(len(model.layers))) if has_matrix(model.layers[i])), 0)
    inside = isinstance(model.layers[end], Model)
    if end == 0 or inside:
        raise _no_head(model, model.layers[end] if inside else None)
    return end


def _no_head(model: Any, inside: Any) -> ValueError:
    found = "none" if inside is None else f"the model '{inside.name}' in its place"
    return ValueError(
        f"[body '{model.name}'] expected layers below a last Dense layer, received {found}. "
        f"Name the last layer of the body: until={model.layers[-1].name!r}."
    )


def _index(layers: list[Any], until: Any) -> int:
    if isinstance(until, int) and not isinstance(until, bool):
        if not -len(layers) <= until < len(layers):
            raise ValueError(f"[body] expected until to be an index below {len(layers)}, received {until}.")
        return until % len(layers)
    for i, layer in enumerate(layers):
        if layer is until or layer.name == until:
            return i
    if isinstance(until, str):
        raise unknown_name("body", until, [layer.name for layer in layers])
    raise TypeError(f"[body] expected until to be a layer of the model, its name or its index, received {until!r}.")


def _output_of(model: Any, until: Any) -> Any:
    layer = model.layers[_index(model.layers, until)]
    nodes = [node for node in model._order if node.operation is layer]
    if len(nodes) != 1:
        raise ValueError(
            f"[body] expected a layer that the model calls once, received '{layer.name}', which it calls {len(nodes)} "
            "times. Make Model(inputs, outputs) of the tensors."
        )
    return nodes[0].result


def _heads(model: Any) -> tuple[list[Node], list[Node]]:
    """The calls of layers with a matrix that walks back from the outputs meet first, and the calls above them."""
    heads: dict[int, Node] = {}
    above: dict[int, Node] = {}
    stack = [t.node for t in reversed(model.outputs)]
    while stack:
        node = stack.pop()
        if isinstance(node.operation, Layer) and has_matrix(node.operation):
            heads[id(node)] = node
        elif id(node) not in above:
            above[id(node)] = node
            stack.extend(t.node for t in reversed(node.inputs))
    return list(heads.values()), list(above.values())


def _below_heads(model: Any) -> list[KerasTensor]:
    """What the last layers with a matrix read."""
    heads, _ = _heads(model)
    inside = next((node.operation for node in heads if isinstance(node.operation, Model)), None)
    if inside is not None or not heads:
        raise _no_head(model, inside)
    return [t for node in heads for t in node.inputs]


def _common(model: Any, tensors: list[KerasTensor]) -> KerasTensor:
    """The last tensor that all ways from the inputs to these go through."""
    place = {id(node): i for i, node in enumerate(model._order)}
    pending = {id(t): t for t in tensors}
    while len(pending) > 1:
        last = max(pending.values(), key=lambda t: place[id(t.node)])
        if not last.node.inputs:
            break
        del pending[id(last)]
        pending.update((id(t), t) for t in last.node.inputs)
    (tensor, *others) = pending.values()
    if others or not tensor.node.inputs:
        raise ValueError(
            f"[body '{model.name}'] expected heads on one common layer, received "
            f"{', '.join(sorted({t.node.operation.name for t in tensors}))} below them. "
            "Name the last layer of the body with until."
        )
    return tensor


def _inputs_needed(model: Any, outputs: Any) -> Any:
    """The model's inputs, without those that the outputs do not depend on."""
    needed: set[int] = set()
    stack = [t.node for t in flatten(outputs)]
    while stack:
        node = stack.pop()
        if id(node) not in needed:
            needed.add(id(node))
            stack.extend(t.node for t in node.inputs)
    if all(id(t.node) in needed for t in model.inputs):
        return model.input
    if isinstance(model.input, dict):
        return {key: t for key, t in model.input.items() if id(t.node) in needed}
    return [t for t in model.inputs if id(t.node) in needed]


def _copied(model: Any) -> Any:
    from .models import clone_model

    copy = clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def _head(stem: Any, name: str, units: Any, activation: Any, options: dict[str, Any]) -> Layer:
    if isinstance(units, Layer):
        if activation is not None or options:
            raise ValueError(
                f"[replace_head] expected activation and other arguments with units alone, received the layer "
                f"'{units.name}' and {', '.join(['activation', *options] if activation is not None else options)}. "
                "Give them to the layer."
            )
        return units
    taken = {layer.name for layer in stem.layers}
    own, number = name, 0
    while own in taken:
        number += 1
        own = f"{name}_{number}"
    return Dense(units, activation=activation, **{"name": own, "dtype": stem._compute_dtype, **options})
