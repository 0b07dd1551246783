"""Models, under Keras's names."""

from __future__ import annotations

from typing import Any

from .functional import Functional
from .identifiers import custom_object_scope, take_not_yet
from .model import Model
from .residual import apply_fixup, residual_mlp
from .reuse import set_trainable
from .sequential import Sequential

__all__ = [
    "Functional", "Model", "Sequential", "apply_fixup", "clone_model", "load_model", "model_from_json",
    "residual_mlp", "save_model", "set_trainable",
]  # fmt: skip


def clone_model(model: Model) -> Any:
    """A model of the same layers and names with new weights; compiled alike if the model is.

    Parameters
    ----------
    model : Model

    Examples
    --------
    >>> from hotloop.layers import Dense, Input
    >>> model = Sequential([Input((2,)), Dense(1)])
    >>> clone_model(model).output_shape
    (None, 1)
    """
    from .layers.serialization import deserialize, serialize, sharing
    from .state import custom_classes, storage_of, store_alike

    classes = custom_classes(model)
    with custom_object_scope(classes), sharing(new=True):
        clone = deserialize(serialize(model), classes)
        if model.compiled:
            clone.compile_from_config(model.get_compile_config())
    if clone.built:
        store_alike(clone, storage_of(model))
    for variable, original in zip(clone.weights, model.weights, strict=False):  # a model that data builds has none yet
        variable.keep_zeros = original.keep_zeros
    return clone


def load_model(filepath: Any, custom_objects: Any = None, compile: bool = True, safe_mode: bool = True) -> Any:
    """Read a model that `Model.save` wrote; see `saving.load_model`. Every file is read in Keras's safe mode."""
    take_not_yet("load_model", {"safe_mode": safe_mode}, {"safe_mode": True})
    from .saving import load_model as load

    return load(filepath, custom_objects=custom_objects, compile=compile)


def model_from_json(json_string: str, custom_objects: Any = None) -> Any:
    """The model that `Model.to_json` described, Keras's too, with new weights; compiled alike.

    Parameters
    ----------
    json_string : str
    custom_objects : mapping of str to class or function, optional
        Those that the description names and that are neither the package's nor registered.

    Raises
    ------
    ValueError
        If it describes no model. Code in it is never run.

    Examples
    --------
    >>> from hotloop.layers import Dense, Input
    >>> model = Sequential([Input((2,)), Dense(1)])
    >>> model_from_json(model.to_json()).output_shape
    (None, 1)
    """
    from .saving.keras_files import model_from_json as read

    return read(json_string, custom_objects)


def save_model(model: Model, filepath: Any, overwrite: bool = True, zipped: Any = None) -> None:
    """Write a model to a file; see `saving.save_model`. `zipped` is None."""
    take_not_yet("save_model", {"zipped": zipped}, {"zipped": None})
    from .saving import save_model as save

    save(model, filepath, overwrite=overwrite)
