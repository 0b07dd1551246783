"""What users pass as data, turned into NumPy arrays that the engine can read; everything else is refused here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import _core
from .tensor import Symbolic

_READABLE = frozenset(map(np.dtype, "efdbhiqBHIQ?"))  # in native byte order
_CHECK_BYTES = 64 << 20  # looked at between two chances for Ctrl-C
_FLOAT32_MAX = float(np.finfo(np.float32).max)


def as_numbers(value: Any, where: str, what: str) -> np.ndarray:
    """An array of real numbers, without a copy where that is possible; `readable` makes one that the engine reads.

    Parameters
    ----------
    value : array_like, DataFrame, Series, or anything with `__array__` or `__dlpack__`
    where, what : str
        The method and the argument, for messages.

    Raises
    ------
    TypeError
        For dtypes that are no real numbers.
    ValueError
        For ragged lists.
    """
    if type(value) is np.ndarray and value.dtype in _READABLE:
        return value
    array = _as_array(value, where, what)
    return array if array.dtype.kind in "fiub" else _objects_to_numbers(value, array, where, what)


def as_strings(value: Any, where: str, what: str) -> np.ndarray:
    """An array of strings (dtype U) or of objects that should be strings."""
    array = _as_array(value, where, what)
    if array.dtype.kind == "S":
        return array.astype(str)
    if array.dtype.kind == "T":
        return array.astype(object)
    if array.dtype.kind not in "UO":
        raise TypeError(f"[{where}] expected strings in {what}, received dtype {array.dtype}. Use x.astype(str).")
    return array


def _as_array(value: Any, where: str, what: str) -> np.ndarray:
    if isinstance(value, np.ndarray):
        return _unmasked(value, where, what)
    if isinstance(value, Symbolic):
        raise TypeError(f"[{where}] expected data in {what}, received a symbolic tensor. Build a Model around it.")
    try:
        if hasattr(value, "__array__") or not hasattr(value, "__dlpack__"):
            array = np.asarray(value)
        else:
            array = np.from_dlpack(value)
    except (ValueError, TypeError, RuntimeError, BufferError) as error:
        if isinstance(value, (list, tuple)):
            shapes = [np.shape(item) for item in value[:4] if hasattr(item, "__array__")]
            received = f"arrays of shapes {', '.join(map(str, shapes))}" if shapes else "a ragged list"
            raise ValueError(
                f"[{where}] expected rows of one length in {what}, received {received}. "
                "Several inputs need a model with an Input for each."
            ) from None
        reason = str(error).rstrip(".")
        raise ValueError(
            f"[{where}] expected {what} in this machine's memory, received {type(value).__name__}: {reason}."
        ) from None
    if array.dtype.kind == "O" and array.ndim == 0:
        dense = " Use its toarray()." if hasattr(value, "toarray") else ""
        raise TypeError(f"[{where}] expected an array of numbers in {what}, received {type(value).__name__}.{dense}")
    return array


def _unmasked(array: np.ndarray, where: str, what: str) -> np.ndarray:
    if isinstance(array, np.memmap):  # stays one: it is read in parts
        return array
    if isinstance(array, np.ma.MaskedArray) and (masked := int(np.ma.count_masked(array))):
        raise ValueError(
            f"[{where}] expected a value everywhere in {what}, received an array with {masked} masked. "
            "Fill them, x.filled(value), or drop such rows."
        )
    return np.asarray(array)


def _objects_to_numbers(value: Any, array: np.ndarray, where: str, what: str) -> np.ndarray:
    """A frame whose columns are all numbers, only of different types, is fine; anything else is not."""
    columns = getattr(value, "columns", None)
    if array.dtype.kind == "O" and columns is not None:
        parts = {str(name): np.asarray(value[name]) for name in columns}
        bad = [name for name, part in parts.items() if part.dtype.kind not in "fiub"]
        if not bad:
            return np.column_stack([part.astype(np.float64) for part in parts.values()])
        raise TypeError(
            f"[{where}] expected columns of numbers in {what}, received {parts[bad[0]].dtype} in {', '.join(bad[:5])}. "
            "Drop them, convert them, or feed them to a StringLookup layer."
        )
    hint = {
        "O": "Convert it: x.astype('float32').",
        "c": "Give real and imaginary parts as two features.",
        "M": "Convert dates to numbers, such as days since a start.",
        "m": "Convert times to numbers: x / np.timedelta64(1, 's').",
        "U": "Feed strings to a StringLookup layer, labels as class numbers.",
        "S": "Feed strings to a StringLookup layer, labels as class numbers.",
    }.get(array.dtype.kind, "Convert it: x.astype('float32').")
    raise TypeError(f"[{where}] expected real numbers in {what}, received dtype {array.dtype}. {hint}")


def is_readable(array: np.ndarray) -> bool:
    """Whether the engine reads it where it lies: a known dtype, and every row contiguous in C order."""
    if array.dtype not in _READABLE and array.dtype.kind in "fiub":
        return False
    return array.flags.c_contiguous or (len(array) > 0 and array[0].flags.c_contiguous)


def readable(array: np.ndarray) -> np.ndarray:
    """The array, or a copy that the engine reads."""
    if is_readable(array):
        return array
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype not in _READABLE and array.dtype.kind == "f":
        array = array.astype(np.float64)  # long double
    return np.ascontiguousarray(array)


def check_finite(array: np.ndarray, dtype: str, where: str, what: str, original: Any = None) -> None:
    """Refuse NaN and Inf, also those that a float64 would become in a float32 model; the message names the row.

    Parameters
    ----------
    array : ndarray
    dtype : str
        What the values become.
    where, what : str
    original : optional
        What the user passed; a frame's column is named.
    """
    if array.dtype.kind != "f" or array.size == 0:
        return
    rows = max(1, _CHECK_BYTES // max(1, array.nbytes // len(array)))
    for start in range(0, len(array), rows):
        part = readable(array[start : start + rows])
        bad = _core.check_finite(part)
        if bad >= 0:
            raise ValueError(_not_finite(array, start + bad, where, what, original))
        if dtype == "float32" and array.dtype.itemsize > 4 and max(part.max(), -part.min()) > _FLOAT32_MAX:
            row = start + int(np.argwhere(np.abs(part) > _FLOAT32_MAX)[0][0])
            raise ValueError(
                f"[{where}] expected {what} within the range of float32, received a larger number in row {row}. "
                'Scale it, or use config.set_floatx("float64").'
            )


def _not_finite(array: np.ndarray, row: int, where: str, what: str, original: Any) -> str:
    values = np.ravel(array[row])
    column = int(np.argmin(np.isfinite(values)))
    names = getattr(original, "columns", None)
    at = f", column '{names[column]}'" if names is not None and len(names) == values.size else (
        f", column {column}" if values.size > 1 else ""
    )  # fmt: skip
    return (
        f"[{where}] expected finite numbers in {what}, received {float(values[column])} in row {row}{at}. "
        "Drop or fill such rows."
    )


def check_codes(array: np.ndarray, limit: int, where: str, what: str, hint: str) -> None:
    """Refuse anything but whole numbers in [0, limit); the message names the row."""
    bad = _core.check_labels(array, limit)
    if bad >= 0:
        values = np.ravel(array[bad])
        outside = [v for v in values.tolist() if not (0 <= v < limit and v == int(v))]
        raise ValueError(
            f"[{where}] expected {what} to be whole numbers in [0, {limit}), received {outside[0]} in row {bad}. {hint}"
        )


def with_sample_shape(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """The array with samples of this shape, a last axis of size 1 added or removed; None if they do not fit."""
    found = array.shape[1:]
    if found == shape:
        return array
    if found == (*shape, 1) or (*found, 1) == shape:
        return array.reshape(len(array), *shape)
    return None


def is_arrays(data: Any) -> bool:
    """Whether data is held in arrays (or lists, or dicts of them), not made batch by batch."""
    if isinstance(data, (np.ndarray, list, tuple, dict)) or hasattr(data, "__array__") or hasattr(data, "__dlpack__"):
        return True
    return not hasattr(data, "__next__") and not hasattr(data, "__getitem__") and not hasattr(data, "__iter__")


def items_of(data: Any, steps: int | None = None) -> Iterator[Any]:
    """The batches of a PyDataset, generator or other iterable, at most `steps` of them."""
    if hasattr(data, "__getitem__") and hasattr(data, "__len__") and not hasattr(data, "__next__"):
        source: Iterator[Any] = (data[i] for i in range(len(data)))
    else:
        source = iter(data)
    for number, item in enumerate(source):
        if steps is not None and number >= steps:
            return
        yield item


def batches_of(data: Any, where: str, batch_size: int | None, steps: int | None) -> Iterator[np.ndarray]:
    """Rows of numbers, checked, some at a time; of (x, y) items only x."""
    if not is_arrays(data):
        for item in items_of(data, steps):
            rows = readable(as_numbers(item[0] if isinstance(item, tuple) else item, where, "data"))
            check_finite(rows, "float64", where, "data")
            yield rows
        return
    array = as_numbers(data, where, "data")
    if array.ndim == 0:
        raise ValueError(f"[{where}] expected data with samples along axis 0, received a single number.")
    size = batch_size or max(1, _CHECK_BYTES // max(1, array[:1].nbytes))
    for start in range(0, len(array), size):
        rows = readable(array[start : start + size])
        check_finite(rows, "float64", where, "data", data)
        yield rows


def string_batches_of(data: Any, where: str, steps: int | None) -> Iterator[np.ndarray]:
    """The same for strings."""
    if is_arrays(data):
        yield as_strings(data, where, "data")
        return
    for item in items_of(data, steps):
        yield as_strings(item[0] if isinstance(item, tuple) else item, where, "data")
