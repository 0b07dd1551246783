"""The whole state of a model as plain data: what pickle, deepcopy and files are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from . import losses, metrics, optimizers
from .compiled import Compiled
from .identifiers import Configurable, custom_object_scope, saved_name
from .layers.serialization import class_name, deserialize, layer_classes, serialize, sharing
from .optimizers.schedules import LearningRateSchedule
from .overrides import is_ours
from .slab import at_rest
from .tensor import KerasTensor
from .tree import map_structure
from .variable import COMPACT

if TYPE_CHECKING:
    from .model import Model


def get_state(model: Model) -> dict[str, Any]:
    """Everything that training goes on from, as it is between two batches.

    Returns
    -------
    dict
        "class_name", "config": the layers; "inputs": shapes and dtypes of a model that was built by data, or None;
        "weights": arrays in the order of `weights`; "compile": arguments of `compile`, or None; "optimizer":
        None, or "iterations" and "slots", a dict of slot name to a list with an array (or None) for each weight;
        "training": the seed, the passes over data sets begun so far, and the calls in training mode; "keep_zeros": the
        places of the weights that training keeps sparse; "storage": `storage_of` the model.
        But for the arrays these are numbers, strings, lists and dicts.
    """
    with at_rest(model.weights):
        return _state_at_rest(model)


def _state_at_rest(model: Model) -> dict[str, Any]:
    inputs = None
    if model._inputs is not None and not _describes_inputs(model):
        inputs = map_structure(lambda t: {"shape": list(t.shape[1:]), "dtype": t.dtype, "name": t.name}, model._inputs)
    with sharing(new=True):
        description = serialize(model)
    return {
        **description,
        "inputs": inputs,
        "weights": model.get_weights(),
        "compile": model.get_compile_config(),
        "optimizer": _optimizer_state(model),
        "training": {"seed": model._seed, "passes": model._passes, "calls": model._calls},
        "keep_zeros": [i for i, variable in enumerate(model.weights) if variable.keep_zeros],
        "storage": storage_of(model),
    }


def set_state(model: Model, state: Mapping[str, Any]) -> None:
    """Put back what `get_state` gave into a model made from its "config".

    Raises
    ------
    ValueError
        If the weights do not fit.
    """
    build_inputs(model, state.get("inputs"))
    store_alike(model, state.get("storage") or ())
    model.set_weights(state["weights"])
    kept = state.get("keep_zeros") or ()
    for i, variable in enumerate(model.weights):
        variable.keep_zeros = i in kept
    model.compile_from_config(state.get("compile"))
    training = state.get("training") or {}
    model._seed = training.get("seed")
    model._passes = int(training.get("passes", 0))
    model._calls = int(training.get("calls", 0))
    if state.get("optimizer") is not None and model.optimizer is not None:
        set_optimizer_state(model, state["optimizer"])


def build_inputs(model: Model, inputs: Any) -> None:
    """Build a model that data built once, for the "inputs" of its state."""
    if model._inputs is None and inputs is not None:
        model._build_for(_symbols(inputs))


def storage_of(model: Model) -> list[list[Any]]:
    """Places of the layers that are quantized, and how, for a model whose "config" may not say so: with own classes."""
    layers: list[Any] = model._all_layers()
    if all(is_ours(type(layer)) for layer in layers):
        return []
    return [[i, layer.storage] for i, layer in enumerate(layers) if getattr(layer, "storage", None) is not None]


def store_alike(model: Model, storage: Iterable[Any]) -> None:
    """Quantize a model that is built as `storage_of` another one of the same layers says."""
    layers: list[Any] = model._all_layers()
    for place, mode in storage:
        if layers[place].storage is None:
            layers[place].quantize(mode)


def rebuild(state: Mapping[str, Any]) -> Any:
    """The model of a state, with its classes in "classes" (pickle and deepcopy only)."""
    with custom_object_scope(state.get("classes")), sharing(new=True):
        model = deserialize({"class_name": state["class_name"], "config": state["config"]}, state.get("classes"))
        model._set_state(state)
    return model


def state_for_pickle(model: Model) -> dict[str, Any]:
    """The state, and the classes that are not the package's own."""
    return {**model._get_state(), "classes": custom_classes(model)}


def custom_classes(model: Model) -> dict[str, type]:
    """Classes that no table knows, of what is inside and of what `compile` was given, by name.

    Raises
    ------
    ValueError
        If two of them have one name.
    """
    known = layer_classes()
    layers = model._all_layers()
    found: list[tuple[str, type]] = [(class_name(type(layer)), type(layer)) for layer in layers]
    found = [(name, cls) for name, cls in found if known.get(name) is not cls]
    parts = [value for layer in layers for value in vars(layer).values() if isinstance(value, Configurable)]
    parts += [] if model._compiled is None else model._compiled.objects()
    rate = None if model.optimizer is None else model.optimizer._learning_rate
    parts += [rate] if isinstance(rate, LearningRateSchedule) else []
    found += [(saved_name(type(part)), type(part)) for part in parts if not is_ours(type(part))]
    classes: dict[str, type] = {}
    for name, cls in found:
        if classes.setdefault(name, cls) is not cls:
            raise ValueError(
                f"[save] expected classes of different names, received two called '{cls.__name__}': {classes[name]} "
                f"and {cls}. Files and copies know them by name: rename one."
            )
    return classes


def compile_config(compiled: Compiled) -> dict[str, Any]:
    """The arguments of `compile`, described."""
    return {
        "optimizer": None if compiled.optimizer is None else optimizers.serialize(compiled.optimizer),
        "loss": _described(compiled.loss, losses),
        "loss_weights": _plain(compiled.loss_weights),
        "metrics": _described(compiled.metrics, metrics),
        "weighted_metrics": _described(compiled.weighted_metrics, metrics),
    }


def _describes_inputs(model: Model) -> bool:
    from .functional import Functional
    from .sequential import Sequential

    return type(model).get_config in (Functional.get_config, Sequential.get_config)  # of a subclass too


def _symbols(inputs: Any) -> Any:
    if isinstance(inputs, Mapping) and set(inputs) == {"shape", "dtype", "name"}:
        return KerasTensor((None, *inputs["shape"]), inputs["dtype"], name=inputs["name"])
    if isinstance(inputs, Mapping):
        return {key: _symbols(value) for key, value in inputs.items()}
    return [_symbols(value) for value in inputs]


def _described(value: Any, module: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return {key: _described(item, module) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_described(item, module) for item in value]
    return module.serialize(module.get(value))


def _plain(weights: Any) -> Any:
    return map_structure(lambda w: None if w is None else float(w), weights)


def _optimizer_state(model: Model) -> dict[str, Any] | None:
    optimizer = model.optimizer
    if optimizer is None:
        return None
    engine = model._engine
    slots: dict[str, list[Any]] = {}
    if engine is not None and engine.optimizer is optimizer:
        for name, arrays in zip(optimizer.kept_names, engine.slots(), strict=True):
            slots[name] = [
                None if v.dtype in COMPACT else _slot_of(arrays, engine.slab.place_of(v)) for v in model.weights
            ]
    return {"iterations": int(optimizer.batches), "slots": slots}


def _slot_of(arrays: list[np.ndarray], place: int | None) -> np.ndarray | None:
    """None for a weight that was never trained: all zeros, or NaN where the rule says so."""
    return None if place is None or not np.nan_to_num(arrays[place]).any() else arrays[place]


def set_optimizer_state(model: Model, state: Mapping[str, Any]) -> None:
    """Put the "optimizer" of a state into a compiled model."""
    optimizer = model.optimizer
    optimizer.batches = int(state["iterations"])
    slots = state.get("slots") or {}
    if not slots and model._engine is None:
        return
    engine = model._get_engine()
    engine.use_optimizer(optimizer)
    weights = model.weights
    for s, name in enumerate(optimizer.kept_names):
        arrays = slots.get(name) or [None] * len(weights)
        if len(arrays) != len(weights):
            raise ValueError(f"[set_state] expected {len(weights)} arrays for slot '{name}', received {len(arrays)}.")
        for variable, array in zip(weights, arrays, strict=True):
            place = engine.slab.place_of(variable)
            if place is not None and variable.dtype not in COMPACT:
                start = np.full(variable.shape, optimizer.slot_start(name), variable.dtype)
                engine.set_slot(s, place, start if array is None else array)
