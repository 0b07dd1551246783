"""Where Keras's files keep weights and the optimizer's state: which array is which variable's."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..layers.layer import Layer
from ..naming import to_snake_case
from .format import refusal
from .hdf5 import Hdf5File

_NOT_CHILDREN = ("_own", "_engine", "nodes", "_arguments", "_layers", "_tensors", "_inputs", "_outputs", "_order",
                 "_operations", "_compiled", "_running")  # fmt: skip


class Group(NamedTuple):
    """The own variables of one layer, and the group of the file that holds them as "0", "1", ..."""

    path: str
    layer: Any
    variables: list[Any]


def groups_of(model: Any) -> list[Group]:
    """All layers by their structural paths, ``layers/dense_1/vars``: class names, numbered where they repeat."""
    found: list[Group] = []
    seen: set[int] = set()

    def visit(layer: Any, path: str) -> None:
        if id(layer) in seen:
            return
        seen.add(id(layer))
        own = sorted(layer._own_variables(), key=lambda pair: not pair[1])
        found.append(Group(f"{path}vars", layer, [variable for variable, _ in own]))
        for name, child in _children(layer):
            visit(child, f"{path}{name}/")

    visit(model, "")
    return found


def _children(layer: Any) -> Iterator[tuple[str, Any]]:
    if type(layer).__name__ in ("Sequential", "Functional") or hasattr(layer, "_layers"):
        yield from _numbered("layers", layer.layers)
    names = sorted(vars(layer), key=lambda name: (name.startswith("_"), name))
    for name in names:
        if name not in _NOT_CHILDREN:
            value = vars(layer)[name]
            if isinstance(value, Layer):
                yield name, value
            elif isinstance(value, (list, tuple, dict)):
                yield from _numbered(name, list(value.values()) if isinstance(value, dict) else value)


def _numbered(container: str, items: Any) -> Iterator[tuple[str, Any]]:
    counts: dict[str, int] = {}
    for item in items:
        is_layer = isinstance(item, Layer)
        if not is_layer and not isinstance(item, (list, tuple, dict)):
            continue
        base = to_snake_case(type(item).__name__) if is_layer else "container"
        count = counts[base] = counts.get(base, -1) + 1
        name = f"{container}/{base}_{count}" if count else f"{container}/{base}"
        if is_layer:
            yield name, item
        else:
            yield from _numbered(name, list(item.values()) if isinstance(item, dict) else item)


def arrays_of(model: Any, state: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, dict[str, str]]]:
    """Arrays by path and attributes of groups, as ``model.weights.h5`` has them; `state` is the model's."""
    weight = {id(variable): array for variable, array in zip(model.weights, state["weights"], strict=True)}
    arrays, attributes = {}, {}
    for group in groups_of(model):
        attributes[group.path] = {"name": group.layer.name}
        for i, variable in enumerate(group.variables):
            arrays[f"{group.path}/{i}"] = weight[id(variable)]
    if model.optimizer is not None:
        for i, (_, array) in enumerate(optimizer_arrays(model, state["optimizer"])):
            arrays[f"optimizer/vars/{i}"] = array
        attributes["optimizer/vars"] = {"name": model.optimizer.name}
    return arrays, attributes


def find_weights(model: Any, file: Hdf5File, root: str = "") -> list[tuple[Any, np.ndarray]]:
    """The variables of a model with their arrays, by structural path.

    Raises
    ------
    FormatError
        If the file has none for a layer, or another number of them.
    """
    pairs = []
    for group in groups_of(model):
        path = root + group.path
        found = _numbers_in(file, path)
        if found != len(group.variables):
            raise refusal(
                file.path, f"{len(group.variables)} weights at '{path:.120}' for layer '{group.layer.name}'", str(found)
            )
        pairs += [(variable, file.read(f"{path}/{i}")) for i, variable in enumerate(group.variables)]
    return pairs


def find_weights_by_name(model: Any, file: Hdf5File) -> dict[str, np.ndarray]:
    """Arrays by ``layer/variable``, of layers whose names the file knows."""
    named = {file.text(path, "name"): path for path in file.groups if path.rpartition("/")[2] == "vars"}
    arrays = {}
    for group in groups_of(model):
        path = named.get(group.layer.name, "")
        if group.variables and path and _numbers_in(file, path) == len(group.variables):
            arrays.update({v.path: file.read(f"{path}/{i}") for i, v in enumerate(group.variables)})
    return arrays


def _numbers_in(file: Hdf5File, path: str) -> int:
    group = file.groups.get(path)
    return 0 if group is None else sum(f"{path}/{name}" in file.arrays for name in group)


# -- the optimizer's ------------------------------------------------------------------------------------------------


def _slot_order(optimizer: Any) -> list[list[str]]:
    """Lists of slots that lie variable by variable beside each other: averages and sums of gradients come first."""
    slots = list(optimizer.slot_names)
    kept = [[name] for name in optimizer.kept_names if name not in slots]
    first = 1 if type(optimizer).__name__ == "RMSprop" else 2
    return [*kept, slots[:first], *([slot] for slot in slots[first:])]


def optimizer_arrays(model: Any, state: Mapping[str, Any] | None = None) -> list[tuple[str, np.ndarray]]:
    """Keras's names and values of the variables of the model's optimizer, in its order; `state` is its own."""
    optimizer, trained = model.optimizer, model.trainable_weights
    slots = {} if state is None else state["slots"]
    place = {id(variable): i for i, variable in enumerate(model.weights)}
    result = [("iteration", np.array(optimizer.batches, np.int32))]
    if _has_rate(optimizer):
        result.append(("learning_rate", np.array(optimizer.learning_rate, np.float32)))
    for names in _slot_order(optimizer):
        for variable in trained:
            for slot in (name for name in names if optimizer.keeps(name, variable)):
                array = slots[slot][place[id(variable)]] if slot in slots else None
                if array is None:
                    start = optimizer.slot_start(slot)  # NaN: what the weight is
                    array = np.full(variable.shape, variable.numpy() if start != start else start, variable.dtype)
                result.append((f"{variable.path.replace('/', '_')}_{slot}", array))
    if type(optimizer).__name__ == "Nadam":
        result.append(("u_product", _nadam_product(optimizer)))
    return result


def _nadam_product(optimizer: Any) -> np.ndarray:
    product = np.float32(1)
    for step in range(1, optimizer.iterations + 1):
        product *= np.float32(optimizer.beta_1 * (1.0 - 0.5 * 0.96**step))
        if not product:
            break
    return np.array(product, np.float32)


def optimizer_state(model: Any, arrays: list[np.ndarray]) -> dict[str, Any] | None:
    """The state that `Model._set_state` takes, from the arrays of a file; None, with a warning, if they do not fit."""
    expected = optimizer_arrays(model)
    if [array.shape for _, array in expected] != [array.shape for array in arrays]:
        warnings.warn(
            f"load_model left out the optimizer's state: expected {len(expected)} arrays of "
            f"{type(model.optimizer).__name__} for {len(model.trainable_weights)} weights, received {len(arrays)}. "
            "Training starts with new ones.",
            stacklevel=2,
        )
        return None
    iterations = arrays[0]
    if iterations.dtype.kind not in "iu" or not 0 <= int(iterations) < 2**63:
        raise ValueError(f"a number of updates of at least 0, received {iterations!r}")
    weights = model.weights
    place = {id(variable): i for i, variable in enumerate(weights)}
    slots: dict[str, list[Any]] = {slot: [None] * len(weights) for slot in model.optimizer.kept_names}
    rest = iter(arrays[1 + _has_rate(model.optimizer) :])
    for names in _slot_order(model.optimizer):
        for variable in model.trainable_weights:
            for slot in (name for name in names if model.optimizer.keeps(name, variable)):
                slots[slot][place[id(variable)]] = next(rest)
    return {"iterations": int(iterations), "slots": slots}


def _has_rate(optimizer: Any) -> bool:
    """Whether the rate is a number, which Keras keeps among the variables; it knows no `decay` but as a schedule."""
    return not (optimizer.has_schedule or optimizer.decay)
