"""The old ``.h5`` files of Keras 1 to 3: descriptions as attributes, weights by layers' names, in the layers' order."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import losses
from ..naming import to_snake_case
from .format import parse_json, refusal
from .hdf5 import Hdf5File, write_hdf5

_MAX_DEPTH = 128


def write_legacy(
    model: Any, state: Mapping[str, Any], description: Mapping[str, Any], path: os.PathLike[str], version: str
) -> None:
    """Write a whole model to a new file, without the optimizer's state, after reading which Keras 3 cannot train."""
    if description["class_name"] not in ("Sequential", "Functional"):
        raise ValueError(
            f"[save] expected a Sequential or a Model(inputs, outputs) for an .h5 file, received '{model.name}' of "
            f"class {description['class_name']}. Save to .keras or .safetensors."
        )
    weight = {id(variable): array for variable, array in zip(model.weights, state["weights"], strict=True)}
    head: dict[str, Any] = {"keras_version": version, "backend": "hotloop"}
    arrays, attributes = {}, {"model_weights": {**head, "layer_names": [layer.name for layer in model.layers]}}
    for layer in model.layers:
        names = _unique([f"{variable.path}" for variable in _in_order(layer)])
        attributes[f"model_weights/{layer.name}"] = {"weight_names": names}
        for name, variable in zip(names, _in_order(layer), strict=True):
            arrays[f"model_weights/{layer.name}/{name}"] = weight[id(variable)]
    attributes["model_weights/top_level_model_weights"] = {"weight_names": []}
    head["model_config"] = json.dumps(
        {key: _old(description[key]) for key in ("class_name", "config")}, allow_nan=False
    )
    compiled = description.get("compile_config")
    if compiled is not None:
        optimizer = compiled["optimizer"]
        rest = {key: value for key, value in compiled.items() if key != "optimizer"}
        rest["loss"] = _full_names(rest["loss"])
        if optimizer is not None:
            rest["optimizer_config"] = {key: optimizer[key] for key in ("class_name", "config")}
        head["training_config"] = json.dumps(rest, allow_nan=False)
    attributes[""] = head
    write_hdf5(path, arrays, attributes)


def _in_order(layer: Any) -> list[Any]:
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def _unique(names: list[str]) -> list[str]:
    found: dict[str, None] = {}
    for base in names:
        name, number = base, 0
        while name in found:
            number += 1
            name = f"{base}_{number}"
        found[name] = None
    return list(found)


def _old(config: Any) -> Any:
    """Layers without the keys that these files have not."""
    if not isinstance(config, Mapping) or "layers" not in config:
        return config
    layers = []
    for layer in config["layers"]:
        kept = {key: layer[key] for key in ("class_name", "name", "inbound_nodes", "shared_object_id") if key in layer}
        if layer["module"] is None:
            kept["class_name"] = layer["registered_name"]
        layers.append({**kept, "config": _old(layer["config"])})
    return {**config, "layers": layers}


def _full_names(loss: Any) -> Any:
    """Losses without their short names: Keras 3 does not find "mse" in these files."""
    if isinstance(loss, str):
        return loss if loss.lower() in ("crossentropy", "ce") else to_snake_case(losses.find(loss).__name__)
    if isinstance(loss, Mapping) and "class_name" not in loss:
        return {key: _full_names(item) for key, item in loss.items()}
    return [_full_names(item) for item in loss] if isinstance(loss, list) else loss


def read_legacy_config(file: Hdf5File) -> dict[str, Any]:
    """The description of the model, with "compile_config".

    Raises
    ------
    FormatError
        If the file holds weights alone, or the texts are no JSON.
    """
    text = file.text("", "model_config")
    if text is None:
        raise refusal(file.path, "a file of a whole model", "one of weights alone; use model.load_weights")
    description = _parsed(file, text, "model_config")
    compiled = file.text("", "training_config")
    if compiled is not None:
        description["compile_config"] = _parsed(file, compiled, "training_config")
    return description


def _parsed(file: Hdf5File, text: str, what: str) -> dict[str, Any]:
    try:
        found = parse_json(text.encode(), _MAX_DEPTH)
    except (ValueError, RecursionError) as error:
        raise refusal(file.path, f"a {what} in JSON", str(error)[:120]) from None
    if not isinstance(found, dict):
        raise refusal(file.path, f"an object as {what}", type(found).__name__)
    return found


def _layers_in(file: Hdf5File) -> list[tuple[str, list[str]]]:
    """Names of layers and the paths of their weights, in order."""
    root = "" if file.names("", "layer_names") is not None else "model_weights"
    names = file.names(root, "layer_names")
    if names is None:
        raise refusal(file.path, "a list of layers (layer_names)", "none")
    found = []
    for name in names:
        group = f"{root}/{name}" if root else name
        found.append((name, [f"{group}/{weight}" for weight in file.names(group, "weight_names") or []]))
    return found


def legacy_weights(model: Any, file: Hdf5File) -> list[tuple[Any, np.ndarray]]:
    """The variables of a model with their arrays: layers that have weights, in order.

    Raises
    ------
    FormatError
        If their numbers differ.
    """
    saved = [(name, paths) for name, paths in _layers_in(file) if paths]
    layers = [layer for layer in model.layers if layer.weights]
    if len(saved) != len(layers):
        raise refusal(file.path, f"{len(layers)} layers with weights", str(len(saved)))
    pairs = []
    for layer, (name, paths) in zip(layers, saved, strict=True):
        variables = _in_order(layer)
        if len(variables) != len(paths):
            raise refusal(
                file.path, f"{len(variables)} weights for layer '{layer.name}'", f"{len(paths)} in '{name:.80}'"
            )
        pairs += [(variable, file.read(path)) for variable, path in zip(variables, paths, strict=True)]
    return pairs


def legacy_weights_by_name(model: Any, file: Hdf5File) -> dict[str, np.ndarray]:
    """Arrays by ``layer/variable``, of layers whose names the file knows."""
    saved = dict(_layers_in(file))
    arrays = {}
    for layer in model.layers:
        paths = saved.get(layer.name, [])
        if len(paths) == len(layer.weights):
            arrays.update({v.path: file.read(path) for v, path in zip(_in_order(layer), paths, strict=True)})
    return arrays
