"""Calling a single layer on arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import as_numbers, as_strings, check_finite, readable
from .config import next_seed
from .engine import Engine
from .program import Program
from .tensor import KerasTensor
from .trace import Trace, infer_outputs
from .tree import flatten, map_structure, pack_like

if TYPE_CHECKING:
    from .layers.layer import Layer


class _Slot:
    """Stands for an array in the arguments of a call."""

    def __init__(self, array: np.ndarray, dtype: str) -> None:
        self.array = array
        self.dtype = "string" if array.dtype.kind in "UO" else dtype
        self.shape = array.shape[1:]

    def __repr__(self) -> str:
        return f"<{self.dtype} {self.shape}>"


def engine_of(layer: Layer) -> Engine:
    """The layer's engine, made anew when its variables are other ones."""
    variables = layer._engine_variables()
    engine = layer._engine
    if engine is None or not engine.slab.holds(variables):
        engine = layer._engine = Engine(variables, layer._compute_dtype, previous=engine)
    return engine


def call_on_arrays(layer: Layer, args: tuple, kwargs: dict[str, Any], training: bool | None) -> Any:
    """Build the layer if need be, run it as a one-layer model, and return arrays."""
    where = f"{type(layer).__name__} '{layer.name}'"
    arguments = map_structure(lambda leaf: _slot(leaf, where, layer._compute_dtype), (args, kwargs))
    slots = [leaf for leaf in flatten(arguments) if isinstance(leaf, _Slot)]
    if not slots:
        raise TypeError(f"[{where}] expected an array, received {_types(args)}. Convert it: np.asarray(x).")
    n = len(slots[0].array)
    if any(len(slot.array) != n for slot in slots) or n == 0:
        rows = ", ".join(str(len(slot.array)) for slot in slots)
        raise ValueError(f"[{where}] expected arrays with one number of rows, at least 1, received {rows}.")
    if not layer.built:
        symbols = map_structure(
            lambda s: KerasTensor((None, *s.shape), s.dtype) if isinstance(s, _Slot) else s, arguments
        )
        infer_outputs(layer, symbols[0], symbols[1], layer._compute_dtype)
    engine = engine_of(layer)

    def make() -> Program:
        trace = Trace(engine.dtype, training, engine.slab.index_of)
        numbers = iter(range(len(slots)))
        traced_args, traced_kwargs = map_structure(
            lambda s: trace.input(("x", next(numbers)), s.shape, s.dtype, "x") if isinstance(s, _Slot) else s, arguments
        )
        result = layer.trace_call(traced_args, traced_kwargs)
        return Program(trace, flatten(result), bool(training), structure=map_structure(lambda _: None, result))

    flags = tuple(part.trainable for part in layer._all_layers()) if training else ()
    program = engine.program(("call", training, flags, repr(arguments)), make)
    columns = {("x", i): slot.array for i, slot in enumerate(slots)}
    outputs = engine.forward(program, columns, n, where, seed=next_seed() if program.draws else 0)
    return pack_like(program.structure, outputs)


def _slot(leaf: Any, where: str, dtype: str) -> Any:
    if leaf is None or isinstance(leaf, (bool, int, float, str)):
        return leaf
    kind = getattr(getattr(leaf, "dtype", None), "kind", "")
    if kind in ("U", "S", "O"):
        return _Slot(as_strings(leaf, where, "inputs"), dtype)
    array = as_numbers(leaf, where, "inputs")
    if array.ndim == 0:
        raise ValueError(f"[{where}] expected an array with a batch axis, received a single number.")
    array = readable(array)
    check_finite(array, dtype, where, "inputs", leaf)
    return _Slot(array, dtype)


def _types(args: tuple) -> str:
    return ", ".join(sorted({type(leaf).__name__ for leaf in flatten(args)})) or "nothing"
