"""Keras's files: ``.keras``, ``.weights.h5`` and the old ``.h5``, as Keras 3 writes and reads them.

A ``.keras`` file is a zip archive of ``metadata.json``, ``config.json`` and ``model.weights.h5``, all stored
uncompressed. The names of its members are compared, never used as paths, and nothing is unpacked to disk.
"""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..identifiers import custom_object_scope
from ..state import build_inputs
from ..variable import COMPACT
from .allowance import Allowance
from .atomic import atomic_path
from .format import FormatError, parse_json, refusal
from .hdf5 import Hdf5File, h5py, open_hdf5, reading, write_hdf5
from .keras_config import compile_from_keras, layer_from_keras, model_to_keras
from .keras_legacy import legacy_weights, legacy_weights_by_name, read_legacy_config, write_legacy
from .keras_weights import arrays_of, find_weights, find_weights_by_name, optimizer_state

KERAS_VERSION = "3.15.1"  # whose layout is written
_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_MAX_CONFIG = 16 << 20
_MAX_DEPTH = 128
LEGACY = (".h5", ".hdf5")


def is_keras(path: object) -> bool:
    """Whether the ending says a file of Keras."""
    return str(path).endswith((".keras", *LEGACY))


# -- writing ---------------------------------------------------------------------------------------------------------


def write_model(model: Any, path: str | os.PathLike[str], plain: Any) -> None:
    """Write a whole model; `plain` makes of a description what JSON can hold."""
    h5py()
    _refuse_compact(model)
    state = model._get_state()
    description = plain(model_to_keras(model))
    if str(path).endswith(LEGACY):
        with atomic_path(path) as scratch:
            write_legacy(model, state, description, scratch, KERAS_VERSION)
        return
    weights = io.BytesIO()
    write_hdf5(weights, *arrays_of(model, state))
    metadata = {"keras_version": KERAS_VERSION, "date_saved": time.strftime("%Y-%m-%d@%H:%M:%S")}
    with atomic_path(path) as scratch, zipfile.ZipFile(scratch, "w") as archive:
        archive.writestr(_METADATA, json.dumps(metadata))
        archive.writestr(_CONFIG, json.dumps(description, allow_nan=False))
        archive.writestr(_WEIGHTS, weights.getbuffer())


def write_weights(model: Any, path: str | os.PathLike[str]) -> None:
    """Write the weights and the state of the optimizer, as ``.weights.h5``."""
    h5py()
    _refuse_compact(model)
    content = arrays_of(model, model._get_state())
    with atomic_path(path) as scratch:
        write_hdf5(scratch, *content)


def _refuse_compact(model: Any) -> None:
    for variable in model.weights:
        if variable.dtype in COMPACT:
            raise ValueError(
                f"[save] expected weights in float32 or float64, received '{variable.path}' in {variable.dtype}. "
                "Save to .safetensors."
            )


# -- reading ---------------------------------------------------------------------------------------------------------


def load_model(path: str | os.PathLike[str], custom_objects: Mapping[str, Any] | None, compile: bool) -> Any:
    """Read a whole model."""
    h5py()
    with custom_object_scope(custom_objects):
        if str(path).endswith(LEGACY):
            with open_hdf5(path) as file:
                return _model_from(file, read_legacy_config(file), custom_objects, compile, legacy_weights)
        with _open_archive(path) as (description, file):
            return _model_from(file, description, custom_objects, compile, find_weights)


def _model_from(file: Hdf5File, description: Any, custom_objects: Any, compile: bool, find: Any) -> Any:
    from .read import model_of, refusing

    path = file.path
    with refusing(path):
        limit = Allowance(file.kinds(but=("optimizer/", "optimizer_weights/")), file.file_bytes)
        compiled = compile_from_keras(description.get("compile_config")) if compile else None
        with limit.bounding():
            model = model_of(layer_from_keras(description), custom_objects)
            _build_inputs(model, description.get("build_config"))
        if not model.built:
            raise ValueError("a model that was built, received one without the shape of its inputs")
        pairs = find(model, file)
        arrays = {id(variable): array for variable, array in pairs}
        state: dict[str, Any] = {"weights": [arrays[id(variable)] for variable in model.weights]}
        model.set_weights(state["weights"])
        if compiled is not None:
            _compile(model, compiled, file)
    return model


def model_from_json(text: str, custom_objects: Mapping[str, Any] | None) -> Any:
    """`models.model_from_json`."""
    from .read import model_of

    if not isinstance(text, str):
        raise TypeError(f"[model_from_json] expected a string of JSON, received {type(text).__name__}.")
    with custom_object_scope(custom_objects):
        try:
            description = parse_json(text.encode(), _MAX_DEPTH)
            model = model_of(layer_from_keras(description), custom_objects)
            compiled = compile_from_keras(description.get("compile_config"))
            _build_inputs(model, description.get("build_config"))
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(f"[model_from_json] expected the description of a model, received {error}") from error
        if compiled is not None:
            model.compile_from_config(compiled)
    return model


def _build_inputs(model: Any, build_config: Any) -> None:
    """Build a model that describes no input of its own."""
    if model._inputs is None and isinstance(build_config, Mapping) and build_config.get("input_shape") is not None:
        build_inputs(model, _shapes(build_config["input_shape"], model._compute_dtype))


def _shapes(shape: Any, dtype: str, name: str = "input") -> Any:
    if isinstance(shape, Mapping):
        return {key: _shapes(item, dtype, str(key)) for key, item in shape.items()}
    if isinstance(shape, list) and shape and isinstance(shape[0], list):
        return [_shapes(item, dtype, f"input_{i}") for i, item in enumerate(shape)]
    return {"shape": list(shape)[1:], "dtype": dtype, "name": name}


def _compile(model: Any, compiled: dict[str, Any], file: Hdf5File) -> None:
    from ..state import set_optimizer_state

    try:
        model.compile_from_config(compiled)
    except Exception as error:
        raise ValueError(f"{error} compile=False leaves the model uncompiled.") from error
    arrays = _optimizer_arrays(file)
    if arrays and model.optimizer is not None:
        state = optimizer_state(model, arrays)
        if state is not None:
            set_optimizer_state(model, state)


def _optimizer_arrays(file: Hdf5File) -> list[np.ndarray]:
    names = file.names("optimizer_weights", "weight_names")
    if names is not None:
        return [file.read(f"optimizer_weights/{name}") for name in names]
    prefix = "optimizer/vars/"
    numbers = sorted(
        int(path[len(prefix) :]) for path in file.arrays if path.startswith(prefix) and path[len(prefix) :].isdecimal()
    )
    return [file.read(f"{prefix}{number}") for number in numbers]


@contextmanager
def _open_archive(path: str | os.PathLike[str]) -> Iterator[tuple[Any, Hdf5File]]:
    """The description and the weights of a ``.keras`` file."""
    with open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        try:
            with zipfile.ZipFile(stream) as archive:
                _check_members(path, archive.infolist(), size)
                texts = {name: archive.read(name) for name in (_CONFIG, _WEIGHTS)}
        except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, RuntimeError, OSError,
                ValueError) as error:  # fmt: skip
            if isinstance(error, FormatError):
                raise
            raise refusal(path, "a complete .keras file, which is a zip archive", str(error)[:120]) from None
    try:
        description = parse_json(texts[_CONFIG], _MAX_DEPTH)
    except (ValueError, RecursionError) as error:
        raise refusal(path, "a config.json in JSON", str(error)[:120]) from None
    if not isinstance(description, Mapping):
        raise refusal(path, "an object in config.json", type(description).__name__)
    with reading(io.BytesIO(texts[_WEIGHTS]), path) as file:
        yield description, file


def _check_members(path: object, members: Sequence[zipfile.ZipInfo], size: int) -> None:
    names = [member.filename for member in members]
    if (
        len(names) > 3
        or len(set(names)) < len(names)
        or not {_CONFIG, _WEIGHTS} <= set(names) <= {_CONFIG, _WEIGHTS, _METADATA}
    ):
        raise refusal(path, f"the members {_METADATA}, {_CONFIG} and {_WEIGHTS}, each once", repr(names)[:160])
    for member in members:
        stored = member.compress_type == zipfile.ZIP_STORED and member.file_size == member.compress_size
        if not stored or member.flag_bits & 1 or member.file_size > size:
            raise refusal(
                path, f"'{member.filename}' stored as it is, within the file's {size} bytes",
                f"one of {member.file_size} bytes, {member.compress_size} of them in the file",
            )  # fmt: skip
    if sum(member.file_size for member in members) > size:
        raise refusal(path, f"members of at most the file's {size} bytes", "more: they overlap")
    if next(member.file_size for member in members if member.filename == _CONFIG) > _MAX_CONFIG:
        raise refusal(path, f"a config.json of at most {_MAX_CONFIG} bytes", "a larger one")


@contextmanager
def _open_weights(path: str | os.PathLike[str]) -> Iterator[Hdf5File]:
    h5py()
    if str(path).endswith(".keras"):
        with _open_archive(path) as (_, file):
            yield file
    else:
        with open_hdf5(path) as file:
            yield file


def load_weights(model: Any, path: str | os.PathLike[str], by_name: Any, skip_mismatch: bool) -> None:
    """Read the weights of any of the files, not the optimizer's state.

    By their place in the model: in ``.keras`` and ``.weights.h5`` files the structural path, in ``.h5`` files the order
    of the layers that have weights; or by the names of the layers.
    """
    from ..reuse import assign, load_arrays

    with _open_weights(path) as file:
        old = _is_legacy(file)
        if by_name:
            load_arrays(
                model, (legacy_weights_by_name if old else find_weights_by_name)(model, file), by_name, skip_mismatch
            )
        else:
            assign((legacy_weights if old else find_weights)(model, file), skip_mismatch)


def _is_legacy(file: Hdf5File) -> bool:
    return any(file.names(group, "layer_names") is not None for group in ("", "model_weights"))
