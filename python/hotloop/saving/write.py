"""Models to files: the whole state (`hotloop.state`) as tensors and one JSON description."""

from __future__ import annotations

import inspect
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import activations, constraints, initializers
from ..state import custom_classes
from . import keras_files
from .atomic import check_folder
from .format import write_file
from .keras_config import model_to_keras
from .resuming import state_of_fit
from .schema import FORMAT_VERSION

if TYPE_CHECKING:
    from ..model import Model
    from ..table import TableSpec

SUFFIX = ".safetensors"


def _target(path: str | os.PathLike[str], overwrite: bool, weights_only: bool = False) -> Path:
    target = Path(path)
    check_ending(path, f"save '{target}'", weights_only)
    check_folder(path, "save")
    if not overwrite and target.exists():
        raise FileExistsError(f"[save '{target}'] expected no such file, because overwrite is False.")
    return target


def check_ending(path: str | os.PathLike[str], where: str, weights_only: bool = False) -> None:
    """Refuse a file name whose ending says another format than can be written."""
    target = Path(path)
    endings = (SUFFIX, ".weights.h5") if weights_only else (SUFFIX, ".keras", *keras_files.LEGACY)
    if not target.name.endswith(endings) or (not weights_only and target.name.endswith(".weights.h5")):
        raise ValueError(
            f"[{where}] expected a file name that ends in {' or '.join(endings)}, received '{target.name}'. "
            f"Use '{target.stem or 'model'}{SUFFIX}'."
        )


def _tensor_names(model: Model) -> list[str]:
    """`dense.kernel` for every weight: its path in the letters a tensor name may have, numbered where it repeats."""
    names: dict[str, None] = {}
    for variable in model.weights:
        base = re.sub(r"[^A-Za-z0-9_.-]", "_", variable.path.replace("/", "."))[:150] or "weight"
        base = f"_{base}" if base.startswith(("opt.", "fit.")) else base  # tensors of training begin so
        name, number = base, 0
        while name in names:
            number += 1
            name = f"{base}.{number}"
        names[name] = None
    return list(names)


def _head(kind: str, names: list[str]) -> dict[str, Any]:
    from .. import __version__

    return {"format_version": FORMAT_VERSION, "hotloop_version": __version__, "kind": kind, "weights": names}


def _plain(value: Any, functions: dict[str, Any] | None = None) -> Any:
    """The value with NumPy's numbers as Python's, and functions as their names; JSON knows no others."""
    functions = {} if functions is None else functions  # those met so far
    if isinstance(value, Mapping):
        return {key: _plain(item, functions) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, functions) for item in value]
    if callable(value):
        return _name_of(value, functions)
    return value.item() if isinstance(value, np.generic) else value


def _name_of(function: Any, functions: dict[str, Any]) -> str:
    if not inspect.isfunction(function) or function.__name__ == "<lambda>":
        raise ValueError(
            f"[save] expected functions with a name, received {function!r}, which a file cannot hold. Write it with "
            "`def`, and give it to load_model by that name in custom_objects."
        )
    name = function.__name__
    known = {*activations.names(), *constraints.names(), *initializers.names()}
    if name in known or functions.setdefault(name, function) is not function:
        raise ValueError(
            f"[save] expected a function with a name of its own, received one named '{name}', which another has too. "
            "A file holds names: rename it."
        )
    return name


def save_model(
    model: Model, path: str | os.PathLike[str], overwrite: bool = True, *, table: TableSpec | None = None
) -> None:
    """Write a model, its weights, what `compile` was given, and the whole state of training to one file.

    The file is replaced as a whole: whatever happens, either the old one or the new one is there.

    Parameters
    ----------
    model : Model
        Built, so that it has weights.
    path : str
        Ends in ``.safetensors``: every reader of that format can read the weights; or in ``.keras`` or ``.h5``: Keras 3
        reads it. These need h5py, hold only what Keras has too, and of the state of training the optimizer's
        (``.keras``) or none (``.h5``).
    overwrite : bool
        Whether a file that is there is replaced.
    table : TableSpec, optional
        What the model needs to read raw rows of a table.

    Raises
    ------
    ValueError
        If the model is not built, the name has another ending, or something in it cannot be described (a Python
        function as learning rate, for example).
    FileExistsError
        If the file is there and `overwrite` is False.
    OSError
        If the disk refuses.

    Examples
    --------
    >>> import tempfile
    >>> import hotloop as keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model, f"{folder}/small.safetensors")
    ...     keras.models.load_model(f"{folder}/small.safetensors").count_params()
    3
    """
    target = _target(path, overwrite)
    custom_classes(require_built(model, "save"))
    if keras_files.is_keras(target):
        if table is not None:
            raise ValueError(
                f"[save '{target}'] expected a {SUFFIX} file for a table, which Keras's formats cannot hold."
            )
        keras_files.write_model(model, target, _plain)
        return
    state = model._get_state()
    names = _tensor_names(model)
    tensors = dict(zip(names, state["weights"], strict=True))
    optimizer = state["optimizer"]
    if optimizer is not None:
        slots = {}
        for slot, arrays in optimizer["slots"].items():
            slots[slot] = [
                None if array is None else f"opt.{slot}.{name}" for name, array in zip(names, arrays, strict=True)
            ]
            tensors.update({key: array for key, array in zip(slots[slot], arrays, strict=True) if key is not None})
        optimizer = {"iterations": optimizer["iterations"], "slots": slots}
    fit, more = state_of_fit(model)
    tensors.update(more)
    description = {
        **_head("model", names),
        **{key: state[key] for key in ("class_name", "config", "inputs", "compile", "training")},
        "optimizer": optimizer,
        "table": None if table is None else table.to_dict(),
        **_in_bfloat16(model, tensors, names),
        **{key: state[key] for key in ("keep_zeros", "storage") if state[key]},
        **({} if fit is None else {"fit": fit}),
    }
    write_file(target, tensors, _plain(description))


def model_to_json(model: Model, **kwargs: Any) -> str:
    """`Model.to_json`."""
    return json.dumps(_plain(model_to_keras(model)), **kwargs)


def save_weights(model: Model, path: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Write the weights alone; `load_weights` reads them into a model of the same layers.

    Parameters
    ----------
    model : Model
    path : str
        Ends in ``.safetensors``; or in ``.weights.h5``, which Keras 3 reads (it holds the optimizer's state too).
    overwrite : bool
        Whether a file that is there is replaced.

    Raises
    ------
    ValueError, FileExistsError, OSError, ImportError
        As `save_model`.
    """
    target = _target(path, overwrite, weights_only=True)
    require_built(model, "save_weights")
    if keras_files.is_keras(target):
        keras_files.write_weights(model, target)
        return
    names = _tensor_names(model)
    tensors = dict(zip(names, model.get_weights(), strict=True))
    write_file(target, tensors, {**_head("weights", names), **_in_bfloat16(model, tensors, names)})


def _in_bfloat16(model: Model, tensors: dict[str, Any], names: list[str]) -> dict[str, list[str]]:
    """Makes bits of weights in bfloat16, of which NumPy has no arrays; what the description says of them."""
    halves = [name for name, variable in zip(names, model.weights, strict=True) if variable.dtype == "bfloat16"]
    for name in halves:
        tensors[name] = (np.ascontiguousarray(tensors[name]).view(np.uint32) >> 16).astype(np.uint16)
    return {"bfloat16": halves} if halves else {}


def require_built(model: Model, where: str) -> Model:
    """The model; ValueError if it has no weights yet."""
    if not model.built:
        raise ValueError(
            f"[{where}] expected a model with weights, received '{model.name}', which is not built. "
            "Give it an Input, or call it on data first."
        )
    return model
