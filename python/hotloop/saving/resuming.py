"""The state of a `fit` in a file, and how a later one goes on from it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..model import Model


def state_of_fit(model: Model) -> tuple[dict[str, Any] | None, dict[str, np.ndarray]]:
    """Position and callbacks of the `fit` that is going on, as plain data, and the tensors that belong to it."""
    running = model._running
    if running is None:
        return None, {}
    tensors: dict[str, np.ndarray] = {}
    callbacks = {key: callback.get_state() for key, callback in _numbered(running)}
    return _packed({**running.position(), "callbacks": callbacks}, tensors), tensors


def resume(running: Any, path: str | os.PathLike[str]) -> np.ndarray | None:
    """Put model, data and callbacks of a beginning `fit` where the file's was.

    Returns
    -------
    ndarray or None
        The sums of losses and metrics of the epoch that was going on, if one was.

    Raises
    ------
    FormatError
        If the file is damaged, or was not written during a `fit`.
    ValueError
        If it is another model's, or another optimizer's.
    """
    from .format import open_file, read_tensor, refusal
    from .read import check_same, read_state, refusing
    from .schema import checked_description, checked_fit

    model = running.model
    if not getattr(running.source, "restarts", True):
        raise ValueError(
            f"[fit resume='{path}'] expected data that can start again for resume, received a generator. Pass a "
            "PyDataset, or an iterable that can start again."
        )
    with open_file(path) as (stream, header):
        description = checked_description(header, path)
        if description.get("fit") is None:
            raise refusal(path, "a file that was written during fit", "one of another time; use load_model")
        check_same(model, path, header, description["weights"])
        _check_optimizer(model, path, description)
        with refusing(path):
            state = read_state(stream, path, header, description, True)
            fit = _unpacked(checked_fit(description["fit"], path), lambda name: read_tensor(stream, path, header, name))
            if fit["totals"] is not None:
                fit["totals"] = np.array(fit["totals"], np.float64).reshape(-1, 2)
                running.check_totals(fit["totals"])
            rate = description["compile"]["optimizer"]["config"]["learning_rate"]
            model._set_state({**state, "compile": None})
            if not isinstance(rate, Mapping):
                model.optimizer.learning_rate = rate
            return _go_on(running, fit)


def _go_on(running: Any, fit: Mapping[str, Any]) -> np.ndarray | None:
    model, source = running.model, running.source
    for key, callback in _numbered(running):
        if fit["callbacks"].get(key):
            callback.set_state(fit["callbacks"][key])
    source.seek(model._seed, fit["passes"], fit["pass_batch"], fit["begun"], fit["batch"])
    running.epoch, running.batch = fit["epoch"], fit["batch"]
    model._passes, model.stop_training = source.passes, fit["stopped"]
    return fit["totals"]


def _check_optimizer(model: Model, path: object, description: Mapping[str, Any]) -> None:
    saved = (description["compile"] or {}).get("optimizer") or {}
    mine = type(model.optimizer).__name__
    if saved.get("class_name") != mine:
        raise ValueError(
            f"[fit resume='{path}'] expected the state of {mine}, received that of {saved.get('class_name')}. "
            "Compile the model as it was."
        )


def _numbered(running: Any) -> Iterator[tuple[str, Any]]:
    """Callbacks by class and number: `EarlyStopping.0`."""
    counts: dict[str, int] = {}
    for callback in running.callbacks.callbacks:
        name = type(callback).__name__
        counts[name] = counts.get(name, -1) + 1
        yield f"{name}.{counts[name]}", callback


def _packed(value: Any, tensors: dict[str, np.ndarray]) -> Any:
    """As JSON can hold it: arrays by the name of a tensor, NaN and Inf by their own."""
    if isinstance(value, Mapping):
        return {str(key): _packed(item, tensors) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_packed(item, tensors) for item in value]
    if isinstance(value, np.ndarray) and value.ndim and value.size:
        name = f"fit.{len(tensors)}"
        tensors[name] = value
        return {"tensor": name}
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    return {"number": repr(value)} if isinstance(value, float) and not math.isfinite(value) else value


def _unpacked(value: Any, read: Callable[[str], np.ndarray]) -> Any:
    if isinstance(value, Mapping):
        if set(value) == {"tensor"}:
            return read(value["tensor"])
        if set(value) == {"number"} and value["number"] in ("nan", "inf", "-inf"):
            return float(value["number"])
        return {key: _unpacked(item, read) for key, item in value.items()}
    return [_unpacked(item, read) for item in value] if isinstance(value, list) else value
