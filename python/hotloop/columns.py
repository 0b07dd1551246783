"""The columns of a data set: a model's inputs, targets and sample weights, in order, checked, as arrays."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from .arrays import as_numbers, as_strings, check_finite, readable, with_sample_shape
from .identifiers import suggestion
from .program import Columns
from .tensor import KerasTensor


def rows_in(columns: Columns) -> int:
    """Number of samples."""
    return len(next(iter(columns.values())))


def input_columns(x: Any, inputs: Sequence[KerasTensor], dtype: str, where: str) -> Columns:
    """x as one checked array for each input of the model."""
    names = [tensor.name for tensor in inputs]
    parts = _parts(x, names, where, [len(tensor.shape) for tensor in inputs])
    what = [f"x '{name}'" for name in names] if len(names) > 1 else ["x"]
    return {
        ("x", i): _input(part, tensor, dtype, where, what[i])
        for i, (part, tensor) in enumerate(zip(parts, inputs, strict=True))
    }


def input_symbols(x: Any, several: bool, dtype: str, where: str) -> Any:
    """What a model that is not built takes x for, checked: one tensor, or where it may be `several` a list or dict."""
    if several and isinstance(x, dict):
        return {name: _symbol(part, dtype, where, f"x '{name}'", str(name)) for name, part in x.items()}
    if several and isinstance(x, (list, tuple)) and len(x) > 1 and all(_is_array(a) and np.ndim(a) > 1 for a in x):
        return [_symbol(part, dtype, where, f"x[{i}]", f"input_{i + 1}") for i, part in enumerate(x)]
    return _symbol(_only(x, where), dtype, where, "x", None)


def _symbol(part: Any, dtype: str, where: str, what: str, name: str | None) -> KerasTensor:
    array = _input(part, None, dtype, where, what)
    return KerasTensor((None, *array.shape[1:]), "string" if array.dtype.kind in "UO" else dtype, name=name)


def target_columns(y: Any, names: Sequence[str], wanted: set[int] | None, dtype: str, where: str) -> Columns:
    """y as one checked array for each output in `wanted` (None: for each that is given)."""
    if y is None:
        return {}
    parts = _parts(y, names, where, None, what="y", optional=True)
    result = {}
    for i, part in enumerate(parts):
        if part is None or (wanted is not None and i not in wanted):
            continue
        what = f"y '{names[i]}'" if len(names) > 1 else "y"
        result["y", i] = _numbers(part, dtype, where, what)
    return result


def weight_columns(weights: Any, names: Sequence[str], n: int, dtype: str, where: str) -> Columns:
    """Sample weights of shape (n,), one array for each output; a single array serves all of them."""
    if weights is None:
        return {}
    several = isinstance(weights, (list, tuple, dict)) and len(names) > 1 and not _is_flat(weights)
    if several:
        parts = _parts(weights, names, where, None, "sample_weight", True)
    else:
        parts = [_only(weights, where)] * len(names)
    result = {}
    for i, part in enumerate(parts):
        if part is None:
            continue
        array = _numbers(part, dtype, where, "sample_weight")
        fitted = with_sample_shape(array, ())
        if fitted is None:
            raise ValueError(
                f"[{where}] expected sample_weight of shape ({n},), one number a sample, received {array.shape}."
            )
        result["w", i] = fitted
    return result


def class_weight_column(class_weight: Any, columns: Columns, n_outputs: int, where: str) -> np.ndarray:
    """Sample weights from the class of each sample."""
    if n_outputs != 1:
        raise ValueError(
            f"[{where}] expected class_weight for a model with one output, received one with {n_outputs}. "
            "Pass sample_weight instead."
        )
    if not isinstance(class_weight, dict) or not all(
        isinstance(number, (int, np.integer)) and isinstance(weight, numbers.Real)
        for number, weight in class_weight.items()
    ):
        raise ValueError(
            f"[{where}] expected class_weight as a dict of class number to weight, received {class_weight!r}. "
            "Number the classes from 0, as y does: {0: 1.0, 1: 2.5}."
        )
    y = columns.get(("y", 0))
    if y is None:
        raise ValueError(f"[{where}] expected y next to class_weight, received none.")
    classes = y.argmax(axis=-1) if y.ndim > 1 and y.shape[-1] != 1 else np.rint(y.reshape(len(y)))
    weights = np.ones(len(y), np.float64)
    for number, weight in class_weight.items():
        weights[classes == number] = weight
    if not np.isfinite(weights).all():
        raise ValueError(f"[{where}] expected finite weights in class_weight, received {class_weight!r}.")
    return weights


def check_rows(columns: Columns, where: str) -> None:
    """Refuse columns of different lengths, and empty ones."""
    sizes = {len(array) for array in columns.values()}
    if len(sizes) == 1 and 0 not in sizes:
        return
    lengths: dict[str, int] = {}
    for (kind, i), array in columns.items():
        name = {"x": "x", "y": "y", "w": "sample_weight"}[kind]
        lengths[name if (kind, 0) in columns and i == 0 else f"{name}[{i}]"] = len(array)
    if len(set(lengths.values())) > 1:
        described = ", ".join(f"{name} {n}" for name, n in lengths.items())
        raise ValueError(f"[{where}] expected the same number of rows everywhere, received {described}.")
    if next(iter(lengths.values()), 1) == 0:
        raise ValueError(f"[{where}] expected at least one sample, received empty arrays.")


def _input(part: Any, tensor: KerasTensor | None, dtype: str, where: str, what: str) -> np.ndarray:
    kind = getattr(getattr(part, "dtype", None), "kind", "")
    if (tensor is not None and tensor.dtype == "string") or (tensor is None and kind in "US" and kind):
        array = as_strings(part, where, what)
    else:
        array = _numbers(part, dtype, where, what)
    if array.ndim == 0:
        raise ValueError(f"[{where}] expected {what} to be an array of samples, received a single number.")
    if tensor is None:
        return array
    shape = tensor.shape[1:]
    fitted = with_sample_shape(array, shape)
    if fitted is None:
        raise ValueError(
            f"[{where}] expected {what} of shape {tensor.shape}, received {array.shape}.{_shape_hint(array, shape)}"
        )
    return fitted


def _shape_hint(array: np.ndarray, shape: tuple[int, ...]) -> str:
    if array.shape == shape:
        return " Add a batch axis: x[np.newaxis]."
    if array.ndim > 2 and len(shape) == 1 and np.prod(array.shape[1:], dtype=int) == shape[0]:
        return " Reshape it: x.reshape(len(x), -1)."
    return " Rebuild the model or reshape the input."


def _numbers(part: Any, dtype: str, where: str, what: str) -> np.ndarray:
    array = as_numbers(part, where, what)
    if array.ndim == 0:
        raise ValueError(f"[{where}] expected {what} to be an array of samples, received a single number.")
    if not isinstance(array, np.memmap):  # that one is copied in parts, if it must be
        array = readable(array)
    check_finite(array, dtype, where, what, part)
    return array


def _only(value: Any, where: str) -> Any:
    """The value of a model with one input: a list of one array is that array, any other list holds numbers."""
    if isinstance(value, dict):
        if len(value) != 1:
            raise ValueError(f"[{where}] expected one array, received a dict with {len(value)}: {', '.join(value)}.")
        return next(iter(value.values()))
    if isinstance(value, (list, tuple)) and len(value) == 1 and np.ndim(value[0]) >= 1 and _is_array(value[0]):
        return value[0]
    return value


def _parts(
    value: Any,
    names: Sequence[str],
    where: str,
    ranks: Sequence[int] | None,
    what: str = "x",
    optional: bool = False,
) -> list[Any]:
    """One item for each name, from a dict, a frame with such columns, a list in order, or a single array."""
    frame = hasattr(value, "columns") and all(name in list(value.columns) for name in names) and len(names) > 1
    if isinstance(value, dict) or frame:
        missing = [name for name in names if name not in value]
        if missing and not optional:
            given = list(value)
            raise ValueError(
                f"[{where}] expected {what} by the names of the inputs, {', '.join(names)}; received "
                f"{', '.join(map(str, given))} without {missing[0]!r}.{suggestion(missing[0], map(str, given))}"
            )
        unknown = [key for key in value if key not in names] if optional and not frame else []
        if unknown:
            raise ValueError(
                f"[{where}] expected {what} for {', '.join(names)}, received {unknown[0]!r}."
                f"{suggestion(unknown[0], names)}"
            )
        return [value.get(name) for name in names]  # dicts and frames alike
    if len(names) == 1:
        rank = ranks[0] if ranks else 0
        if isinstance(value, (list, tuple)) and len(value) == 1 and _is_array(value[0]) and (
            np.ndim(value[0]) >= max(1, rank - 1)
        ):  # fmt: skip
            return [value[0]]
        return [value]
    if not isinstance(value, (list, tuple)) or len(value) != len(names):
        received = f"{len(value)} items" if isinstance(value, (list, tuple)) else type(value).__name__
        raise ValueError(
            f"[{where}] expected {what} as a list of {len(names)} arrays ({', '.join(names)}) or a dict by these "
            f"names, received {received}."
        )
    return list(value)


def _is_array(value: Any) -> bool:
    return hasattr(value, "__array__") or hasattr(value, "__dlpack__")


def _is_flat(weights: Any) -> bool:
    return not isinstance(weights, dict) and all(np.ndim(w) == 0 and w is not None for w in weights)
