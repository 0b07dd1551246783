"""Models to files and back: the whole state (`hotloop.state`) as tensors and one JSON description.

The description is a closed schema: every key is listed here or is an argument of a class in one of the package's
fixed tables, unknown ones are refused, and it is checked, and the model rebuilt within an `Allowance`, before any
tensor is read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from .allowance import Allowance
from .format import FormatError, Header, open_file, parse_description, read_tensor, refusal, write_file

if TYPE_CHECKING:
    from ..model import Model
    from ..table import TableSpec

FORMAT_VERSION = 1
SUFFIX = ".safetensors"
_WEIGHTS_KEYS = {"format_version", "hotloop_version", "kind", "weights"}
_MODEL_KEYS = _WEIGHTS_KEYS | {"class_name", "config", "inputs", "compile", "optimizer", "training", "table"}
_DTYPES = {"F16": "float16", "F32": "float32", "F64": "float64", "I8": "int8", "I32": "int32", "I64": "int64"}


# -- writing ---------------------------------------------------------------------------------------------------------


def _target(path: str | os.PathLike[str], overwrite: bool) -> Path:
    target = Path(path)
    if target.suffix != SUFFIX:
        raise ValueError(
            f"[save '{target}'] expected a file name that ends in {SUFFIX}, received '{target.name}'. "
            f"Use '{target.with_suffix(SUFFIX).name}'."
        )
    if not overwrite and target.exists():
        raise FileExistsError(f"[save '{target}'] expected no such file, because overwrite is False.")
    return target


def _tensor_names(model: Model) -> list[str]:
    """`dense.kernel` for every weight: its path in the letters a tensor name may have, numbered where it repeats."""
    names: list[str] = []
    for variable in model.weights:
        base = re.sub(r"[^A-Za-z0-9_.-]", "_", variable.path.replace("/", "."))[:150] or "weight"
        name, number = base, 0
        while name in names:
            number += 1
            name = f"{base}.{number}"
        names.append(name)
    return names


def _head(kind: str, names: list[str]) -> dict[str, Any]:
    from .. import __version__

    return {"format_version": FORMAT_VERSION, "hotloop_version": __version__, "kind": kind, "weights": names}


def _plain(value: Any) -> Any:
    """The value with NumPy's numbers as Python's; JSON knows no others."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


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
        Ends in ``.safetensors``. Every reader of that format can read the weights.
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
    >>> import hotloop as keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> save_model(model, "small.safetensors")
    >>> load_model("small.safetensors").count_params()
    3
    """
    target = _target(path, overwrite)
    state = _built(model, "save")._get_state()
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
    description = {
        **_head("model", names),
        **{key: state[key] for key in ("class_name", "config", "inputs", "compile", "training")},
        "optimizer": optimizer,
        "table": None if table is None else table.to_dict(),
    }
    write_file(target, tensors, _plain(description))


def save_weights(model: Model, path: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Write the weights alone; `load_weights` reads them into a model of the same layers.

    Raises
    ------
    ValueError, FileExistsError, OSError
        As `save_model`.
    """
    target = _target(path, overwrite)
    names = _tensor_names(_built(model, "save_weights"))
    write_file(target, dict(zip(names, model.get_weights(), strict=True)), _head("weights", names))


def _built(model: Model, where: str) -> Model:
    if not model.built:
        raise ValueError(
            f"[{where}] expected a model with weights, received '{model.name}', which is not built. "
            "Give it an Input, or call it on data first."
        )
    return model


# -- reading ---------------------------------------------------------------------------------------------------------


@contextmanager
def _refusing(path: object) -> Iterator[None]:
    """Whatever a description makes the classes it names raise, the file is to blame."""
    try:
        yield
    except (FormatError, MemoryError, OSError):
        raise
    except Exception as error:
        raise refusal(path, "a description of a model", f"{error or type(error).__name__}") from error


def _check_keys(path: object, what: str, value: Any, keys: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != keys:
        received = sorted(set(value) ^ keys) if isinstance(value, dict) else type(value).__name__
        raise refusal(path, f"{what} with the keys {', '.join(sorted(keys))}", f"{received} beside or instead"[:400])
    return value


def _check_count(path: object, what: str, value: Any, limit: int = 2**63) -> int:
    if type(value) is not int or not 0 <= value < limit:
        raise refusal(path, f"{what} to be a number of at least 0", repr(value)[:80])
    return value


def _checked_description(header: Header, path: object) -> dict[str, Any]:
    """Version, keys and types; the classes check their own configurations when they are made."""
    description = parse_description(header, path)
    version = description.get("format_version")
    if version != FORMAT_VERSION:
        raise refusal(path, f"a file of format version {FORMAT_VERSION}", f"{version!r}, which is newer or none"[:80])
    kind = description.get("kind")
    _check_keys(path, "a description", description, _MODEL_KEYS if kind == "model" else _WEIGHTS_KEYS)
    names = description["weights"]
    if kind not in ("model", "weights") or not isinstance(names, list):
        raise refusal(path, "a description of a model or of weights", f"kind {kind!r}"[:80])
    used = [*names, *_checked_optimizer(description.get("optimizer"), len(names), header, path, names)]
    if not all(isinstance(name, str) for name in used) or sorted(used) != sorted(header.tensors):
        raise refusal(path, "a description that uses every tensor once", "one that does not")
    return description


def _checked_optimizer(state: Any, n: int, header: Header, path: object, names: list[Any]) -> list[str]:
    """Names of the tensors in the optimizer's slots, each of the shape of its weight."""
    if state is None:
        return []
    _check_keys(path, "an optimizer's state", state, {"iterations", "slots"})
    _check_count(path, "iterations", state["iterations"])
    if not isinstance(state["slots"], dict):
        raise refusal(path, "slots by name", type(state["slots"]).__name__)
    used = []
    for slot, tensors in state["slots"].items():
        if not isinstance(tensors, list) or len(tensors) != n:
            raise refusal(path, f"{n} tensors in slot '{slot:.40}'", repr(tensors)[:80])
        for name, weight in zip(tensors, names, strict=True):
            if name is not None:
                if _kind_of(header, name) != _kind_of(header, weight) or name in names:
                    raise refusal(path, f"tensor '{name!s:.80}' to be like '{weight!s:.80}'", "another shape or dtype")
                used.append(name)
    return used


def _kind_of(header: Header, name: Any) -> tuple[tuple[int, ...], str]:
    entry = header.tensors.get(name) if isinstance(name, str) else None
    return ((), "") if entry is None else (entry.shape, _DTYPES.get(entry.dtype, ""))


def _checked_training(state: Any, path: object) -> dict[str, Any]:
    _check_keys(path, "a state of training", state, {"seed", "passes", "calls"})
    if state["seed"] is not None:
        _check_count(path, "the seed", state["seed"], 2**64)
    for key in ("passes", "calls"):
        _check_count(path, key, state[key])
    return state


def _build(description: dict[str, Any], custom_objects: Mapping[str, type] | None) -> Any:
    from ..layers import deserialize
    from ..model import Model
    from ..state import build_inputs

    found = {"class_name": description["class_name"], "config": description["config"]}
    model = deserialize(found, custom_objects)
    if not isinstance(model, Model):
        raise ValueError(f"class_name {description['class_name']!r}, which is no model")
    if description["inputs"] is not None and model.built:
        raise ValueError("inputs for a model that has its own")
    build_inputs(model, description["inputs"])
    return model


def _read_state(
    stream: BinaryIO, path: object, header: Header, description: dict[str, Any], with_optimizer: bool
) -> dict[str, Any]:
    def read(name: str | None) -> np.ndarray | None:
        return None if name is None else read_tensor(stream, path, header, name)

    optimizer = description["optimizer"] if with_optimizer else None
    if optimizer is not None:
        slots = {slot: [read(name) for name in names] for slot, names in optimizer["slots"].items()}
        optimizer = {"iterations": optimizer["iterations"], "slots": slots}
    return {
        "inputs": None,
        "weights": [read(name) for name in description["weights"]],
        "compile": description["compile"] if with_optimizer else None,
        "optimizer": optimizer,
        "training": _checked_training(description["training"], path),
    }


def _load(
    path: str | os.PathLike[str], custom_objects: Mapping[str, type] | None, compile: bool
) -> tuple[Any, dict[str, Any]]:
    """The model of a file and the file's description."""
    with open_file(path) as (stream, header):
        description = _checked_description(header, path)
        if description["kind"] != "model":
            raise refusal(path, "a file of a whole model", "one of weights alone; use model.load_weights")
        kinds = [_kind_of(header, name) for name in description["weights"]]
        limit = Allowance(kinds, os.fstat(stream.fileno()).st_size)
        with _refusing(path):
            with limit.bounding():
                model = _build(description, custom_objects)
            _check_weights(model, kinds)
            state = _read_state(stream, path, header, description, compile)
            model._set_state(state)
            _check_slots(model, state["optimizer"])
    return model, description


def _check_weights(model: Any, kinds: list[tuple[tuple[int, ...], str]]) -> None:
    wanted = [(variable.shape, variable.dtype) for variable in model.weights]
    if wanted != kinds:
        raise ValueError(f"layers with {len(wanted)} weights that are not the file's {len(kinds)}")


def _check_slots(model: Any, optimizer: Mapping[str, Any] | None) -> None:
    known = () if model.optimizer is None else model.optimizer.slot_names
    for slot in optimizer["slots"] if optimizer is not None else ():
        if slot not in known:
            raise ValueError(f"an optimizer's slot '{slot}', which it does not have")


def load_model(
    path: str | os.PathLike[str], custom_objects: Mapping[str, type] | None = None, compile: bool = True
) -> Any:
    """Read what `save_model` wrote: training goes on as if it had never stopped.

    Nothing in a file is executed, imported by name, unpickled or followed as a path.

    Parameters
    ----------
    path : str
    custom_objects : mapping of str to type, optional
        Classes of layers that are not the package's own, by name.
    compile : bool
        Whether to compile the model as it was, and take up the optimizer where it was.

    Returns
    -------
    Model

    Raises
    ------
    FormatError
        If the file is truncated, damaged, hostile or of a newer format.
    FileNotFoundError
        If there is none.
    """
    return _load(path, custom_objects, compile)[0]


def load_table(path: str | os.PathLike[str]) -> tuple[TableSpec, Any]:
    """What `save_model` wrote with `table`: the table's description and the model; see `TableModel.load`.

    Raises
    ------
    FormatError
        As `load_model`, or if the file holds no table.
    """
    from ..table import TableSpec

    model, description = _load(path, None, True)
    with _refusing(path):
        spec = TableSpec.from_dict(description["table"])
        if model.input_shape != (None, spec.width) or model.output_shape != (None, spec.target.outputs):
            raise ValueError(f"a network of other width than the table's {spec.width} features")
    return spec, model


def load_weights(model: Model, path: str | os.PathLike[str]) -> None:
    """Read weights that `save_weights` or `save_model` wrote into a model of the same layers, in their order.

    Raises
    ------
    FormatError
        If the file is damaged.
    ValueError
        If the number of weights or a shape differs; the model is as before.
    """
    _built(model, "load_weights")
    with open_file(path) as (stream, header):
        names = _checked_description(header, path)["weights"]
        wanted = [(variable.path, variable.shape) for variable in model.weights]
        found = [(name, header.tensors[name].shape) for name in names]
        if [shape for _, shape in wanted] != [shape for _, shape in found]:
            raise ValueError(
                f"[load_weights '{path}'] expected weights {_listed(wanted)}, received {_listed(found)}. "
                "Build the model with the same layers."
            )
        weights = [read_tensor(stream, path, header, name) for name in names]
    model.set_weights(weights)


def _listed(weights: list[tuple[str, tuple[int, ...]]]) -> str:
    shown = ", ".join(f"{name} {shape}" for name, shape in weights[:8])
    return f"{shown} and {len(weights) - 8} more" if len(weights) > 8 else shown or "none"
