"""Descriptions of models in Keras's words, and back.

Keras describes an object as ``{"module", "class_name", "config", "registered_name"}``. Only names count here: they are
looked up in the package's own tables or among `custom_objects`. A module is never imported, and what would need Keras
to run code (a pickled lambda) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..identifiers import CUSTOM
from ..layers.serialization import class_name, layer_classes, sharing
from ..tensor import KerasTensor
from ..tree import map_structure
from .keras_graph import graph_from_keras, graph_to_keras

# What hotloop has and Keras has not: a file of Keras cannot hold it.
NOT_IN_KERAS = frozenset(
    {
        "BatchEnsembleDense", "BlockSparseDense", "DropConnectDense", "LayerScale", "OneCycle", "PowerDecay", "RReLU",
        "Residual", "swiglu", "geglu", "reglu", "Contrastive", "MarginRanking", "Quantile", "RandomSign", "Triplet",
    }
)  # fmt: skip
_PRECISIONS = ("float32", "float64", "int32", "string")
_COMPILE = ("loss", "loss_weights", "metrics", "weighted_metrics")
_MODULES = {"initializer": "initializers", "regularizer": "regularizers", "constraint": "constraints",
            "learning_rate": "optimizers.schedules"}  # fmt: skip


# -- ours to Keras's -------------------------------------------------------------------------------------------------


def model_to_keras(model: Any) -> dict[str, Any]:
    """The description of a model, with what `compile` was given."""
    description = layer_to_keras(model)
    compiled = model.get_compile_config()
    if compiled is not None:
        description["compile_config"] = compile_to_keras(compiled)
    return description


def layer_to_keras(layer: Any) -> dict[str, Any]:
    """The description of a layer, or of a model inside another."""
    with sharing() as shared:
        return shared.noted(layer, _layer_to_keras(layer))


def _layer_to_keras(layer: Any) -> dict[str, Any]:
    name, saved = type(layer).__name__, class_name(type(layer))
    ours = layer_classes().get(name) is type(layer)
    if ours:
        _check_known(name)
    described: dict[str, Any] = {"module": "keras.layers" if ours else None, "class_name": name}
    if ours and name == "Sequential":
        return {**described, "module": "keras", "config": _sequential(layer), "registered_name": None}
    if ours and name == "Functional":
        described["module"] = "keras.src.models.functional"
        return {**described, "config": graph_to_keras(layer, layer_to_keras), "registered_name": "Functional"}
    config = {key: _to_keras(value, key) for key, value in layer.get_config().items()}
    if ours and name == "Hashing" and config["output_mode"] == "int":
        config["dtype"] = "int64"  # of codes: Keras wants to see it
    described = {**described, "config": config, "registered_name": None if ours else saved}
    inputs = getattr(layer, "_inputs", None)
    if not ours and inputs is not None:
        described["build_config"] = {"input_shape": map_structure(_shape, inputs)}
    return described


def _shape(tensor: KerasTensor) -> list[int | None]:
    return list(tensor.shape)


def _sequential(model: Any) -> dict[str, Any]:
    layers = model.layers
    if len({id(layer) for layer in layers}) < len(layers):
        raise ValueError(
            f"[save '{model.name}'] expected every layer once, as Keras's Sequential has it, received one twice. "
            "Save to .safetensors, or write Model(inputs, outputs)."
        )
    described = [layer_to_keras(layer) for layer in layers]
    if model._inputs is not None:
        described.insert(0, layer_to_keras(model._inputs.node.operation))
    return {"name": model.name, "trainable": model.trainable, "dtype": model.dtype, "layers": described}


def _check_known(name: str) -> None:
    if name in NOT_IN_KERAS:
        raise ValueError(f"[save] expected what Keras has too, received {name}. Save to .safetensors.")


def _to_keras(value: Any, key: str) -> Any:
    """A value of a configuration; its key says what kind of object a description in it describes."""
    if isinstance(value, str):
        if key == "activation":
            _check_known(value)
        return value
    if callable(value):
        return {"module": "builtins", "class_name": "function", "config": value, "registered_name": "function"}
    if isinstance(value, Mapping) and "class_name" in value:
        module = next((m for end, m in _MODULES.items() if key.endswith(end)), "layers")
        return object_to_keras(value, module)
    if isinstance(value, Mapping):
        return {inner: _to_keras(item, inner) for inner, item in value.items()}
    return [_to_keras(item, key) for item in value] if isinstance(value, (list, tuple)) else value


def object_to_keras(description: Mapping[str, Any], module: str) -> dict[str, Any]:
    """A description of ours with the module that Keras wants to see."""
    name, config = description["class_name"], dict(description["config"])
    if name in ("LossFunctionWrapper", "MeanMetricWrapper"):
        return {"module": "builtins", "class_name": "function", "config": config["fn"], "registered_name": "function"}
    ours = _tables().get(module, {}).get(name) is not None or module == "layers"
    if ours:
        _check_known(name)
    config = {key: _to_keras(value, key) for key, value in config.items()}
    number = {key: value for key, value in description.items() if key == "shared_object_id"}
    return {
        "module": f"keras.{module}" if ours else None, "class_name": name, "config": config,
        "registered_name": None if ours else name, **number,
    }  # fmt: skip


def _tables() -> dict[str, dict[str, Any]]:
    from .. import constraints, initializers, losses, metrics, optimizers, regularizers
    from ..optimizers import schedules

    modules = {"initializers": initializers, "regularizers": regularizers, "constraints": constraints,
               "losses": losses, "metrics": metrics, "optimizers": optimizers,
               "optimizers.schedules": schedules}  # fmt: skip
    return {name: vars(module) for name, module in modules.items()}


def compile_to_keras(compiled: Mapping[str, Any]) -> dict[str, Any]:
    """What `compile` was given."""
    optimizer = compiled["optimizer"]
    return {
        "optimizer": None if optimizer is None else _optimizer_to_keras(optimizer),
        "loss": _terms_to_keras(compiled["loss"], "losses"),
        "loss_weights": compiled["loss_weights"],
        "metrics": _terms_to_keras(compiled["metrics"], "metrics"),
        "weighted_metrics": _terms_to_keras(compiled["weighted_metrics"], "metrics"),
        "run_eagerly": False,
        "steps_per_execution": 1,
        "jit_compile": "auto",
    }


def _optimizer_to_keras(description: Mapping[str, Any]) -> dict[str, Any]:
    config = dict(description["config"])
    decay, rate = config.pop("decay", 0.0), config["learning_rate"]
    if decay:
        if isinstance(rate, Mapping):
            raise ValueError("[save] expected a schedule or decay=, received both, which Keras has not. Leave one out.")
        rate = {"initial_learning_rate": rate, "decay_steps": 1, "decay_rate": decay}
        config["learning_rate"] = {"class_name": "InverseTimeDecay", "config": rate}
    return object_to_keras({**description, "config": config}, "optimizers")


def _class_name(name: str, module: str) -> str:
    try:
        return _tables()[module]["find"](name).__name__
    except ValueError:  # "crossentropy" and "accuracy" are chosen by the shape of the data
        return name


def _terms_to_keras(value: Any, module: str) -> Any:
    """Losses or metrics: names, descriptions, or lists and dicts of them."""
    if isinstance(value, str):
        _check_known(_class_name(value, module))
        return value
    if isinstance(value, Mapping) and "class_name" in value:
        return object_to_keras(value, module)
    if isinstance(value, Mapping):
        return {key: _terms_to_keras(item, module) for key, item in value.items()}
    return [_terms_to_keras(item, module) for item in value] if isinstance(value, (list, tuple)) else value


# -- Keras's to ours -------------------------------------------------------------------------------------------------


def layer_from_keras(description: Any) -> dict[str, Any]:
    """The description of a layer or model in our words.

    Raises
    ------
    ValueError
        For what is no description, or needs code that a file cannot hold.
    """
    described = _layer_from_keras(description)
    if "shared_object_id" in description:
        described["shared_object_id"] = description["shared_object_id"]
    return described


def _layer_from_keras(description: Any) -> dict[str, Any]:
    name, config = _parts(description)
    if name == "Model" and isinstance(config, Mapping) and "input_layers" in config:
        name = "Functional"
    name = _known_layer(name, description.get("module"))
    if name == "Sequential":
        return {"class_name": name, "config": _sequential_from_keras(config)}
    if not isinstance(config, Mapping):
        raise ValueError(f"a configuration of {name}, received {_shown(config)}")
    if name == "Functional":
        return {"class_name": name, "config": graph_from_keras(config, layer_from_keras)}
    return {"class_name": name, "config": _layer_config(name, config)}


def _parts(description: Any) -> tuple[str, Any]:
    if not isinstance(description, Mapping) or not isinstance(description.get("class_name"), str):
        raise ValueError(f"a description with 'class_name' and 'config', received {_shown(description)}")
    registered, name = description.get("registered_name"), description["class_name"]
    if isinstance(registered, str) and (">" in registered or _custom(registered) is not None):
        name = registered  # of a class that its author has registered
    return name, description.get("config")


def _custom(name: str) -> Any:
    from ..identifiers import custom_object

    return custom_object(name)


def _known_layer(name: str, module: Any) -> str:
    ours = module is None or (
        isinstance(module, str) and re.match(r"(keras|tensorflow|tf_keras)\b(?!.*\bops\b)", module)
    )
    if not (ours and name in layer_classes()) and _custom(name) is None:
        raise ValueError(
            f"a layer of class {_origin(module)}{name}, which hotloop has not. A class of your own is found by its "
            f"name: custom_objects={{{name.rpartition('>')[2]!r}: ...}}."
        )
    return name if ours or name not in layer_classes() else f"{CUSTOM}{name}"


def _origin(module: Any) -> str:
    return f"{module}." if isinstance(module, str) and module != "keras.layers" else ""


def _layer_config(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    if name in ("Hashing", "IntegerLookup", "StringLookup"):  # their dtype is that of codes or tokens
        config = {key: value for key, value in config.items() if key != "dtype"}
    plain = {key: from_keras(value, key) for key, value in config.items()}
    if name == "InputLayer":
        plain = {key: value for key, value in plain.items() if key not in ("sparse", "ragged") or value}
        if "batch_input_shape" in plain:
            plain["batch_shape"] = plain.pop("batch_input_shape")
    plain.pop("batch_input_shape", None)  # of the first layer of an old Sequential, which has read it
    if name == "BatchNormalization" and isinstance(plain.get("axis"), list) and len(plain["axis"]) == 1:
        plain["axis"] = plain["axis"][0]
    if name == "LeakyReLU" and "alpha" in plain:
        plain["negative_slope"] = plain.pop("alpha")
    if name == "Flatten" and plain.get("data_format") == "channels_first":
        raise ValueError("Flatten in the order of data_format 'channels_first', which hotloop has not")
    return plain


def _sequential_from_keras(config: Any) -> dict[str, Any]:
    config = {"layers": config} if isinstance(config, list) else config
    if not isinstance(config, Mapping) or not isinstance(config.get("layers"), list):
        raise ValueError(f"a Sequential with layers, received {_shown(config)}")
    layers, source = list(config["layers"]), None
    if layers and _parts(layers[0])[0] == "InputLayer":
        source = layer_from_keras(layers.pop(0))["config"]
    elif layers and isinstance(layers[0], Mapping) and isinstance(layers[0].get("config"), Mapping):
        shape = layers[0]["config"].get("batch_input_shape", config.get("build_input_shape"))
        if shape is not None:
            source = {"batch_shape": shape, "dtype": from_keras(layers[0]["config"].get("dtype", "float32"))}
    return {
        **{key: config[key] for key in ("name", "trainable") if config.get(key) is not None},
        "input": source,
        "layers": [layer_from_keras(layer) for layer in layers],
    }


def from_keras(value: Any, key: str = "") -> Any:
    """A value of a configuration in our words: descriptions inside, precisions, arrays and functions by name."""
    if isinstance(value, list):
        return [from_keras(item, key) for item in value]
    if not isinstance(value, Mapping):
        return value
    if "class_name" not in value:
        return {inner: from_keras(item, inner) for inner, item in value.items()}
    name, config = _parts(value)
    if name in ("DTypePolicy", "Policy"):
        return _precision(config.get("name") if isinstance(config, Mapping) else config)
    if name in ("__numpy__", "__tensor__") and isinstance(config, Mapping):
        return from_keras(config.get("value"))
    if name == "__tuple__":
        return from_keras(value.get("items"))
    if name == "function" and isinstance(config, str):
        return config
    if name.startswith("__"):
        what = "pickled Python code, which is never run" if name == "__lambda__" else f"a {name}"
        raise ValueError(f"plain numbers, names and known classes, received {what}")
    if key in ("activation", "layer") or value.get("module") == "keras.layers":
        return layer_from_keras(value)
    return {"class_name": name, "config": from_keras(config if config is not None else {})}


def _precision(name: Any) -> str:
    if name not in _PRECISIONS:
        raise ValueError(f"float32 or float64 throughout, received the precision {_shown(name)}")
    return str(name)


def compile_from_keras(compiled: Any) -> dict[str, Any] | None:
    """What `compile` takes, or None for a model that was not compiled."""
    if not compiled:
        return None
    if not isinstance(compiled, Mapping):
        raise ValueError(f"a compile_config, received {_shown(compiled)}")
    optimizer = compiled.get("optimizer", compiled.get("optimizer_config"))
    found = {key: _terms_from_keras(compiled.get(key), key) for key in _COMPILE}
    return {"optimizer": optimizer if isinstance(optimizer, str) else _optimizer_from_keras(optimizer), **found}


def _optimizer_from_keras(description: Any) -> Any:
    if description is None:
        return None
    name, config = _parts(description)
    config = {key: from_keras(value) for key, value in (config or {}).items() if key not in _OPTIMIZER_EXTRAS}
    rate = config.get("learning_rate")
    if isinstance(rate, float):
        config["learning_rate"] = shortest(rate)
    return {"class_name": name.rpartition(">")[2], "config": config}


_OPTIMIZER_EXTRAS = ("jit_compile", "is_legacy_optimizer")


def shortest(number: float) -> float:
    """0.01 for 0.009999999776482582: the shortest number that is the same in float32, in which Keras keeps rates."""
    single = np.float32(number)
    return float(str(single)) if float(single) == number else number


def _terms_from_keras(value: Any, key: str) -> Any:
    """Losses or metrics: names, descriptions, or lists and dicts of them."""
    if isinstance(value, list):
        return [_terms_from_keras(item, key) for item in value]
    if not isinstance(value, Mapping):
        return value
    if "class_name" not in value:
        return {inner: _terms_from_keras(item, key) for inner, item in value.items()}
    name, config = _parts(value)
    if name == "function" and isinstance(config, str):
        return _function_term(config, key)
    config = dict(config or {})
    if name in ("MeanMetricWrapper", "LossFunctionWrapper") and isinstance(config.get("fn"), str):
        return config["name"] if config.get("name") in ("accuracy", "acc") else _function_term(config["fn"], key)
    return {"class_name": name, "config": {inner: from_keras(item) for inner, item in config.items()}}


def _function_term(name: str, key: str) -> Any:
    if _custom(name) is None:
        return name
    wrapper = "LossFunctionWrapper" if key == "loss" else "MeanMetricWrapper"
    return {"class_name": wrapper, "config": {"fn": name, "name": name}}


def _shown(value: Any) -> str:
    return repr(value)[:80]
