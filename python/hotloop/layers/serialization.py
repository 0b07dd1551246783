"""Layers to plain configurations and back. Class names come from one fixed table, or from the caller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..identifiers import CUSTOM, custom_object, suggestion, unknown_argument
from ..overrides import is_ours


def layer_classes() -> dict[str, type]:
    """Every class a configuration may name."""
    from .. import layers, models, pretraining

    table = {name: getattr(layers, name) for name in layers.__all__}
    table = {name: cls for name, cls in table.items() if isinstance(cls, type) and name != "Layer"}
    table.update({name: getattr(pretraining, name) for name in pretraining.MODELS})
    return {**table, "Sequential": models.Sequential, "Functional": models.Functional}


def serialize(layer: Any) -> dict[str, Any]:
    """`{"class_name": ..., "config": ...}`, of numbers, strings, lists and dicts only."""
    return {"class_name": class_name(type(layer)), "config": layer.get_config()}


def class_name(cls: type) -> str:
    """What files call a layer's class: its name, marked where it is a user's and named like one of the package's."""
    return cls.__name__ if layer_classes().get(cls.__name__, cls) is cls else f"{CUSTOM}{cls.__name__}"


def deserialize(config: Mapping[str, Any], custom_objects: Mapping[str, type] | None = None) -> Any:
    """A layer with new weights from what `serialize` gave.

    Parameters
    ----------
    config : mapping
    custom_objects : mapping, optional
        Classes of one's own by name.

    Raises
    ------
    ValueError
        If the class is unknown. Nothing is ever imported by name.
    """
    if not isinstance(config, Mapping) or not isinstance(config.get("config"), Mapping):
        raise ValueError(f"[layer] expected a configuration with 'class_name' and 'config', received {config!r}.")
    name = str(config.get("class_name"))
    custom = dict(custom_objects or {})
    cls: Any = layer_classes().get(name) or custom.get(name) or custom.get(name.rpartition(">")[2])
    cls = cls or custom_object(name)  # of a layer inside a layer
    if cls is None:
        hint = suggestion(name, [*layer_classes(), *custom])
        raise ValueError(
            f"[layer] expected a known layer class, received {name!r}.{hint} "
            f"Pass a class of your own by its name: custom_objects={{{name.rpartition('>')[2]!r}: ...}}."
        )
    from ..model import Model

    arguments = dict(config["config"])
    if isinstance(cls, type) and issubclass(cls, Model) and is_ours(cls.from_config):
        return cls.from_config(arguments, custom_objects=custom)
    return cls.from_config(arguments)


def check_model_config(name: str, config: Mapping[str, Any], keys: Iterable[str]) -> None:
    """Refuse a model's configuration with unknown keys, or a `trainable` that is no truth value."""
    for key in config:
        if key not in keys:
            raise ValueError(unknown_argument(name, key, keys))
    if not isinstance(config.get("trainable", True), bool):
        raise ValueError(f"[{name}] expected trainable to be True or False, received {config['trainable']!r}.")
