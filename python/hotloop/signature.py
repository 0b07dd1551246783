"""What data looks like: shapes, dtypes, ranges and classes, as plain data that later data is compared with."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

_CLASSES = 1000  # integers with more values than this are numbers
_KINDS = {"f": "float", "i": "int", "u": "int", "b": "bool", "U": "str", "O": "str"}


def describe(data: Any, class_names: Sequence[str] | None = None) -> dict[str, Any]:
    """The signature of x, or of (x, y).

    Parameters
    ----------
    data : array_like, or list or dict of them, or tuple (x, y)
    class_names : sequence of str, optional
        Of the classes 0, 1, ... of y.

    Returns
    -------
    dict
        "inputs" and "targets": by name, "shape" of a sample, "dtype", and "range" of numbers (None where all are NaN)
        or "classes" of integer, boolean and string targets; "class_names".
    """
    x, y = data if isinstance(data, tuple) and len(data) == 2 else (data, None)
    signature: dict[str, Any] = {
        "inputs": {name: _described(name, array, False) for name, array in _named(x)},
        "targets": {name: _described(name, array, True) for name, array in _named(y)},
    }
    if isinstance(class_names, (str, Mapping)):
        raise TypeError(f"[signature] expected class_names as a list of strings, received {class_names!r}.")
    if class_names is not None:
        signature["class_names"] = [str(name) for name in class_names]
        for name, array in _named(y):
            if array.dtype.kind in "iu" and array.size and int(array.max()) >= len(class_names):
                raise ValueError(
                    f"[signature] expected class_names for all classes of '{name}', received {len(class_names)} names "
                    f"and the class {int(array.max())}."
                )
    return signature


def check(signature: Mapping[str, Any], data: Any, where: str) -> None:
    """Refuse data of other shapes, kinds or classes; warn of numbers outside of the range that was seen.

    Raises
    ------
    ValueError
        If shapes, kinds of dtypes, names or classes differ.
    """
    x, y = data if isinstance(data, tuple) and len(data) == 2 else (data, None)
    for what, part in (("inputs", x), ("targets", y)):
        if part is None:
            continue
        known, arrays = signature[what], dict(_named(part))
        if known and set(arrays) != set(known):
            raise ValueError(f"[{where}] expected {what} {', '.join(known)}, received {', '.join(arrays)}.")
        for name, array in arrays.items():
            if name in known:
                _check_one(known[name], name, array, where)


def _check_one(known: Mapping[str, Any], name: str, array: np.ndarray, where: str) -> None:
    if list(array.shape[1:]) != known["shape"]:
        raise ValueError(
            f"[{where}] expected '{name}' with samples of shape {tuple(known['shape'])}, as the model was saved for, "
            f"received {array.shape[1:]}."
        )
    kinds = [_KINDS.get(np.dtype(known["dtype"]).kind), _KINDS.get(array.dtype.kind)]
    if kinds[0] != kinds[1] and not set(kinds) <= {"int", "bool", "float"}:
        raise ValueError(f"[{where}] expected '{name}' of dtype {known['dtype']}, received {array.dtype}.")
    if "classes" in known:
        strange = [value for value in _classes(array) or () if value not in known["classes"]]
        if strange:
            raise ValueError(
                f"[{where}] expected '{name}' of the classes {_few(known['classes'])}, received {_few(strange)} too."
            )
        return
    seen, now = known.get("range"), _range(array)
    if seen is not None and now is not None and not (seen[0] <= now[0] and now[1] <= seen[1]):
        warnings.warn(
            f"[{where}] expected '{name}' from {seen[0]:.6g} to {seen[1]:.6g}, as the model was trained on, received "
            f"{now[0]:.6g} to {now[1]:.6g}. Is it scaled in the same way?",
            UserWarning,
            stacklevel=4,
        )


def checked(signature: Any) -> bool:
    """Whether this, from a file, is what `describe` gives."""
    return (
        isinstance(signature, Mapping)
        and all(_is_part(signature.get(part)) for part in ("inputs", "targets"))
        and _all(signature.get("class_names", []), str)
    )


def _is_part(part: Any) -> bool:
    return isinstance(part, Mapping) and all(isinstance(one, Mapping) and _is_one(one) for one in part.values())


def _is_one(one: Mapping[str, Any]) -> bool:
    try:
        np.dtype(one.get("dtype", ""))
    except TypeError:
        return False
    span = one.get("range")
    return (
        isinstance(one.get("dtype"), str)
        and _all(one.get("shape"), int)
        and (span is None or (_all(span, (int, float)) and len(span) == 2))
        and _all(one.get("classes", []), (int, str, bool))
    )


def _all(values: Any, types: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, types) for value in values)


def _named(data: Any) -> Iterator[tuple[str, np.ndarray]]:
    if data is None:
        return
    if isinstance(data, Mapping):
        items = [(str(name), value) for name, value in data.items()]
    elif isinstance(data, list) and data and all(hasattr(value, "shape") for value in data):
        items = [(str(i), value) for i, value in enumerate(data)]
    else:
        items = [("data", data)]
    for name, value in items:
        array = np.asarray(value)
        if not array.ndim or array.dtype.kind not in _KINDS:
            raise ValueError(
                f"[signature] expected arrays of numbers or strings with a batch axis, received '{name}' of shape "
                f"{array.shape} and dtype {array.dtype}."
            )
        yield name, array


def _described(name: str, array: np.ndarray, target: bool) -> dict[str, Any]:
    dtype = "str" if array.dtype.kind in "UO" else array.dtype.name
    found: dict[str, Any] = {"shape": list(array.shape[1:]), "dtype": dtype}
    classes = _classes(array) if target or array.dtype.kind in "UO" else None
    if classes is not None:
        return {**found, "classes": classes} if target else found
    return {**found, "range": _range(array)}


def _classes(array: np.ndarray) -> list[Any] | None:
    """The values of integers, booleans and strings, where they are few."""
    if array.dtype.kind == "f":
        return None
    values = np.unique(array.astype(str) if array.dtype.kind == "O" else array)
    return values.tolist() if len(values) <= _CLASSES or array.dtype.kind in "UO" else None


def _range(array: np.ndarray) -> list[float] | None:
    if array.dtype.kind in "UO" or not array.size:
        return None
    low, high = float(np.fmin.reduce(array, axis=None)), float(np.fmax.reduce(array, axis=None))
    return [low, high] if math.isfinite(low) and math.isfinite(high) else None


def _few(values: Sequence[Any]) -> str:
    shown = ", ".join(str(value) for value in values[:8])
    return f"{shown} and {len(values) - 8} more" if len(values) > 8 else shown
