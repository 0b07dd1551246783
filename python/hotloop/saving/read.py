"""Files to models.

The description is a closed schema: every key is listed in `schema` or is an argument of a class in one of the
package's fixed tables, unknown ones are refused, and the model is rebuilt from it within an `Allowance`, before any
tensor is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ..identifiers import custom_object_scope
from ..variable import COMPACT
from . import keras_files
from .allowance import Allowance
from .format import FormatError, Header, open_file, read_tensor, refusal
from .schema import checked_description, checked_training, kind_of
from .write import require_built

if TYPE_CHECKING:
    from ..model import Model
    from ..table import TableSpec


@contextmanager
def refusing(path: object) -> Iterator[None]:
    """Whatever a description makes the classes it names raise, the file is to blame."""
    try:
        yield
    except (FormatError, MemoryError, OSError):
        raise
    except Exception as error:
        raise refusal(path, "a description of a model", f"{error or type(error).__name__}") from error


def model_of(description: Mapping[str, Any], custom_objects: Mapping[str, type] | None) -> Any:
    """The model of a description, with new weights; ValueError if it describes something else."""
    from ..layers.serialization import deserialize, sharing
    from ..model import Model

    with sharing(new=True):
        model = deserialize({"class_name": description["class_name"], "config": description["config"]}, custom_objects)
    if not isinstance(model, Model):
        raise ValueError(f"class_name {description['class_name']!r}, which is no model")
    return model


def _build(description: dict[str, Any], custom_objects: Mapping[str, type] | None) -> Any:
    from ..state import build_inputs, store_alike

    model = model_of(description, custom_objects)
    if description["inputs"] is not None and model.built:
        raise ValueError("inputs for a model that has its own")
    build_inputs(model, description["inputs"])
    store_alike(model, description.get("storage", []))
    return model


def read_state(
    stream: BinaryIO, path: object, header: Header, description: dict[str, Any], with_optimizer: bool
) -> dict[str, Any]:
    halves = set(description.get("bfloat16", []))

    def read(name: str | None) -> np.ndarray | None:
        return None if name is None else _as_floats(read_tensor(stream, path, header, name), name in halves)

    optimizer = description["optimizer"] if with_optimizer else None
    if optimizer is not None:
        slots = {slot: [read(name) for name in names] for slot, names in optimizer["slots"].items()}
        optimizer = {"iterations": optimizer["iterations"], "slots": slots}
    return {
        "inputs": None,
        "weights": [read(name) for name in description["weights"]],
        "compile": description["compile"] if with_optimizer else None,
        "optimizer": optimizer,
        "training": checked_training(description["training"], path),
        "keep_zeros": description.get("keep_zeros", []),
    }


def _load(
    path: str | os.PathLike[str], custom_objects: Mapping[str, type] | None, compile: bool
) -> tuple[Any, dict[str, Any]]:
    """The model of a file and the file's description."""
    with open_file(path) as (stream, header):
        description = checked_description(header, path)
        if description["kind"] != "model":
            raise refusal(path, "a file of a whole model", "one of weights alone; use model.load_weights")
        kinds = _kinds(header, description)
        first = [(shape, "float32") for shape, dtype in kinds if dtype in COMPACT and description.get("storage")]
        limit = Allowance(kinds + first, os.fstat(stream.fileno()).st_size)
        with refusing(path), custom_object_scope(custom_objects):
            with limit.bounding():
                model = _build(description, custom_objects)
            _check_weights(model, kinds)
            state = read_state(stream, path, header, description, compile)
            model._set_state(state)
            _check_slots(model, state["optimizer"])
    return model, description


def _kinds(header: Header, description: dict[str, Any]) -> list[tuple[tuple[int, ...], str]]:
    """Shapes and dtypes of a file's weights."""
    kinds = {name: kind_of(header, name) for name in description["weights"]}
    kinds.update((name, (kinds[name][0], "bfloat16")) for name in description.get("bfloat16", []))
    return [kinds[name] for name in description["weights"]]


def _as_floats(array: np.ndarray, bfloat16: bool) -> np.ndarray:
    """The numbers of bits that were written as such."""
    return (array.astype(np.uint32) << 16).view(np.float32) if bfloat16 else array


def _check_weights(model: Any, kinds: list[tuple[tuple[int, ...], str]]) -> None:
    wanted = [(variable.shape, variable.dtype) for variable in model.weights]
    if wanted != kinds:
        raise ValueError(f"layers with {len(wanted)} weights that are not the file's {len(kinds)}")


def _check_slots(model: Any, optimizer: Mapping[str, Any] | None) -> None:
    known = () if model.optimizer is None else model.optimizer.kept_names
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
        A ``.safetensors`` file; or one of Keras, ``.keras`` or (of Keras 2 and 3) ``.h5``, as long as hotloop has its
        layers. These need h5py: ``pip install 'hotloop[keras]'``. Of an ``.h5`` file of Keras 2 the state of the
        optimizer is left out.
    custom_objects : mapping of str to type, optional
        Classes, and functions of losses, metrics and Lambda layers, that are not the package's own, by name.
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
    ImportError
        If h5py is needed and not there.
    """
    if keras_files.is_keras(path):
        return keras_files.load_model(path, custom_objects, compile)
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
    with refusing(path):
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
    require_built(model, "load_weights")
    with open_file(path) as (stream, header):
        description = checked_description(header, path)
        names, halves = description["weights"], description.get("bfloat16", [])
        check_same(model, path, header, names)
        weights = [_as_floats(read_tensor(stream, path, header, name), name in halves) for name in names]
    model.set_weights(weights)


def check_same(model: Model, path: object, header: Header, names: list[str]) -> None:
    """Refuse a file whose weights are of other shapes than the model's."""
    wanted = [(variable.path, variable.shape) for variable in model.weights]
    found = [(name, header.tensors[name].shape) for name in names]
    if [shape for _, shape in wanted] != [shape for _, shape in found]:
        raise ValueError(
            f"[load_weights '{path}'] expected weights {_listed(wanted)}, received {_listed(found)}. "
            "Build the model with the same layers."
        )


def _listed(weights: list[tuple[str, tuple[int, ...]]]) -> str:
    shown = ", ".join(f"{name} {shape}" for name, shape in weights[:8])
    return f"{shown} and {len(weights) - 8} more" if len(weights) > 8 else shown or "none"
