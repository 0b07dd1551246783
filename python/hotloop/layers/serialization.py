"""Layers to plain configurations and back. Class names come from one fixed table, or from the caller."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ..identifiers import CUSTOM, custom_object, suggestion, unknown_argument
from ..overrides import is_ours


class _Shared:
    """What one description of a model has described, and made, so far: a layer in several places is one layer."""

    def __init__(self) -> None:
        self.described: dict[int, tuple[Any, dict[str, Any]]] = {}  # by id: the layer and its first description
        self.made: dict[int, Any] = {}  # by the number that descriptions of the same layer have

    def noted(self, layer: Any, description: dict[str, Any]) -> dict[str, Any]:
        """The description; it and the first one of the same layer get a number, under Keras's name for it."""
        _, first = self.described.setdefault(id(layer), (layer, description))
        if first is not description:
            number = list(self.described).index(id(layer))
            first["shared_object_id"] = description["shared_object_id"] = number
        return description


_SHARED: ContextVar[_Shared | None] = ContextVar("shared", default=None)


@contextmanager
def sharing(new: bool = False) -> Iterator[_Shared]:
    """While one description is written or read: the one around it, if any, goes on unless this is a `new` one."""
    shared = None if new else _SHARED.get()
    if shared is not None:
        yield shared
        return
    token = _SHARED.set(_Shared())
    try:
        yield _SHARED.get()  # type: ignore[misc]
    finally:
        _SHARED.reset(token)


def layer_classes() -> dict[str, type]:
    """Every class a configuration may name."""
    from .. import layers, models, pretraining

    table = {name: getattr(layers, name) for name in layers.__all__}
    table = {name: cls for name, cls in table.items() if isinstance(cls, type) and name != "Layer"}
    table.update({name: getattr(pretraining, name) for name in pretraining.MODELS})
    return {**table, "Sequential": models.Sequential, "Functional": models.Functional}


def serialize(layer: Any) -> dict[str, Any]:
    """`{"class_name": ..., "config": ...}`, of numbers, strings, lists and dicts only.

    Descriptions of the same layer in several places of a model have the same number, "shared_object_id".
    """
    with sharing() as shared:
        return shared.noted(layer, {"class_name": class_name(type(layer)), "config": layer.get_config()})


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

    Returns
    -------
    Layer
        The one of before, if the description is part of one in which "shared_object_id" says so.

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
    number = config.get("shared_object_id")
    if number is not None and type(number) is not int:
        raise ValueError(f"[layer] expected shared_object_id to be a number, received {number!r}.")
    with sharing() as shared:
        if number is None:
            return _made(cls, dict(config["config"]), custom)
        if number not in shared.made:
            shared.made[number] = _made(cls, dict(config["config"]), custom)
        if type(shared.made[number]) is not cls:
            raise ValueError(f"[layer] expected every layer with shared_object_id {number} to be one, received others.")
        return shared.made[number]


def _made(cls: Any, arguments: dict[str, Any], custom: dict[str, type]) -> Any:
    from ..model import Model

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
