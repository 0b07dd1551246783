"""Functions on tensors: in a layer's `call` they write nodes, on NumPy arrays they compute.

The same function serves three kinds of arguments: the symbolic tensors a layer's `call` receives, the KerasTensors
that `Input` gives (the op becomes part of the model), and arrays, for which the result is a NumPy array.
The functions of `hotloop.activations` are here too.
"""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import activations
from .tensor import KerasTensor, Node, OpCall, Shape, Symbolic, TraceError
from .trace import Traced, TracedInput, TracedProduct, infer_outputs, refuse_weights, trace_of
from .variable import Variable

__all__ = [
    "add", "apply", "concatenate", "dense", "divide", "drop_connect", "dropout", "flatten", "matmul", "max", "mean",
    "min", "multiply", "negative", "noise", "one_hot", "reshape", "rrelu", "subtract", "sum", *activations.names(),
]  # fmt: skip

_SEEDED_STREAMS = 1 << 28  # streams below are numbered as layers come, those above belong to seeds


def apply(op: str, inputs: Sequence[Any], attrs: dict[str, Any] | None = None) -> Any:
    """Apply a registered op (`hotloop._core.op_names()`) to tensors, variables or arrays.

    Parameters
    ----------
    op : str
    inputs : sequence
        Symbolic tensors and variables, or arrays only.
    attrs : dict, optional

    Returns
    -------
    symbolic tensor or ndarray

    Raises
    ------
    ValueError
        If the op refuses the shapes or attributes.

    Examples
    --------
    >>> import numpy as np
    >>> apply("activation", [np.array([[-1.0, 2.0]])], {"kind": "relu"})
    array([[0., 2.]], dtype=float32)
    """
    attrs = {name: _plain(value) for name, value in (attrs or {}).items()}
    if any(isinstance(x, KerasTensor) for x in inputs):
        return _record(OpCall(op, attrs), tuple(inputs))
    trace = trace_of(list(inputs))
    if trace is not None:
        return trace.add(op, list(inputs), attrs)
    refuse_weights(op, inputs)
    return _on_arrays(op, [np.asarray(x) for x in inputs], attrs)


def add(x: Any, y: Any) -> Any:
    """x + y, element by element: two tensors of one shape, a tensor and a number, or a product and its bias."""
    x, y = (y, x) if not isinstance(x, Symbolic) else (x, y)
    if _is_number(y):
        return _affine(x, 1.0, float(y))
    if isinstance(x, TracedProduct) and isinstance(y, Variable) and y.ndim == 1:
        return x.trace.add("dense", [x.x, x.w, y], {})
    return apply("add", [x, y])


def subtract(x: Any, y: Any) -> Any:
    """x - y, element by element."""
    if _is_number(y):
        return _affine(x, 1.0, -float(y))
    return add(negative(y) if isinstance(y, Symbolic) else -np.asarray(y), x)


def multiply(x: Any, y: Any) -> Any:
    """x * y, where one of them is a number."""
    if _is_number(y):
        return _affine(x, float(y), 0.0)
    if _is_number(x):
        return _affine(y, float(x), 0.0)
    if not isinstance(x, Symbolic) and not isinstance(y, Symbolic):
        refuse_weights("multiply", [x, y])
        return np.multiply(x, y)
    raise TraceError(f"[multiply] expected a tensor and a number, received {_describe(x)} and {_describe(y)}.")


def divide(x: Any, y: Any) -> Any:
    """x / y, where y is a number."""
    if _is_number(y):
        return _affine(x, 1.0 / float(y), 0.0)
    if not isinstance(x, Symbolic) and not isinstance(y, Symbolic):
        refuse_weights("divide", [x, y])
        return np.divide(x, y)
    raise TraceError(f"[divide] expected a tensor and a number, received {_describe(x)} and {_describe(y)}.")


def negative(x: Any) -> Any:
    """-x."""
    return _affine(x, -1.0, 0.0)


def matmul(x: Any, y: Any) -> Any:
    """x y for x (batch, .., K) and a variable y (K,N). Adding a bias (N) to the result makes it one dense node."""
    if isinstance(x, Traced) and isinstance(y, Variable):
        if y.ndim == 2 and x.ndim >= 2 and x.shape[-1] == y.shape[0]:
            return TracedProduct(x.trace, x, y, (*x.shape[:-1], y.shape[1]))
        return apply("matmul", [x, y])
    if isinstance(x, Symbolic) or isinstance(y, Symbolic):
        raise TraceError(f"[matmul] expected a tensor and a variable, received {_describe(x)} and {_describe(y)}.")
    refuse_weights("matmul", [x, y])
    return np.matmul(np.asarray(x), np.asarray(y))


def dense(x: Any, kernel: Any, bias: Any = None) -> Any:
    """x kernel + bias for x (batch, .., K), kernel (K,N), bias (N)."""
    inputs = [x, kernel] if bias is None else [x, kernel, bias]
    if isinstance(x, Symbolic):
        return apply("dense", inputs)
    product = np.asarray(x) @ np.asarray(kernel)
    return product if bias is None else product + np.asarray(bias)


def concatenate(xs: Sequence[Any], axis: int = -1) -> Any:
    """Join tensors along an axis other than the batch."""
    if not any(isinstance(x, Symbolic) for x in xs):
        return np.concatenate([np.asarray(x) for x in xs], axis)
    return apply("concatenate", list(xs), {"axis": axis})


def reshape(x: Any, newshape: Sequence[int | None]) -> Any:
    """The same elements under the axes `newshape`, whose first is the batch (-1 or None); one more may be -1."""
    if not isinstance(x, Symbolic):
        return np.reshape(x, [-1 if n is None else n for n in newshape])
    if len(newshape) == 0 or newshape[0] not in (-1, None):
        raise ValueError(f"[reshape] expected newshape to begin with -1 or None, the batch, received {newshape}.")
    sample = [int(n) for n in newshape[1:]]  # type: ignore[arg-type]
    if isinstance(x, TracedInput) and x.dtype in ("int32", "string"):
        return x.reshaped(tuple(_sample_shape(x.shape, sample)))
    return apply("reshape", [x], {"shape": sample})


def flatten(x: Any) -> Any:
    """(batch, a, b, ..) -> (batch, a b ..)."""
    return reshape(x, (-1, int(np.prod(np.shape(x)[1:] if not isinstance(x, Symbolic) else x.shape[1:], dtype=int))))


def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Sum over an axis or several; of an array over all of them unless told. A tensor of a model keeps its batch."""
    return _reduce("sum", x, axis, keepdims)


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Mean, along axes as for `sum`."""
    return _reduce("mean", x, axis, keepdims)


def max(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Largest element, along axes as for `sum`."""
    return _reduce("max", x, axis, keepdims)


def min(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Smallest element, along axes as for `sum`."""
    return _reduce("min", x, axis, keepdims)


def one_hot(x: Any, num_classes: int, mode: str = "one_hot") -> Any:
    """Indicator vectors of integer codes; `mode` "multi_hot" and "count" put the last axis into one vector."""
    if isinstance(x, TracedInput) and x.feed.lookup is None:
        x = x.limited(num_classes)
    if not isinstance(x, Symbolic):
        x = np.asarray(x, np.int32)
    return apply("one_hot", [x], {"num_tokens": num_classes, "mode": mode})


def dropout(x: Any, rate: float, seed: int | None = None, noise_shape: Any = None, alpha: bool = False) -> Any:
    """Zero a share `rate` of the elements and divide the others by 1 - rate; a fresh mask in every step.

    `noise_shape` and `alpha` are those of `layers.Dropout` and `layers.AlphaDropout`.
    """
    attrs: dict[str, Any] = {"rate": float(rate)}
    if alpha:
        attrs["alpha"] = True
    if noise_shape is not None:
        batch, *sample = [size or 0 for size in noise_shape]
        attrs["noise_shape"] = [1 if batch == 1 else 0, *sample]
    return apply("dropout", [x], {**attrs, "stream": _stream(x, seed)})


def noise(x: Any, stddev: float, seed: int | None = None, multiply: bool = False) -> Any:
    """x + z, or x (1 + z), with normal z of mean 0; fresh in every step."""
    attrs = {"kind": "multiply" if multiply else "add", "stddev": float(stddev), "stream": _stream(x, seed)}
    return apply("noise", [x], attrs)


def drop_connect(x: Any, kernel: Any, bias: Any, rate: float, seed: int | None = None) -> Any:
    """`dense` with a share `rate` of the kernel's elements zero and the others divided by 1 - rate."""
    inputs = [x, kernel] if bias is None else [x, kernel, bias]
    return apply("dense", inputs, {"drop_rate": float(rate), "stream": _stream(x, seed)})


def gelu(x: Any, approximate: bool = True) -> Any:
    """x Phi(x), by Keras's default for this name with tanh in Phi's place; `activations.gelu` is the exact one."""
    return activations.get("gelu")(x, approximate=approximate)


def rrelu(x: Any, lower: float = 1 / 8, upper: float = 1 / 3, seed: int | None = None) -> Any:
    """x where x >= 0, else x times a slope of its own, uniform in [lower, upper); fresh slopes in every step."""
    return apply("rrelu", [x], {"lower": float(lower), "upper": float(upper), "stream": _stream(x, seed)})


def _stream(x: Any, seed: int | None) -> int:
    """Where the random numbers of an op come from: the next of the model, or that of a seed."""
    if seed is not None:
        return _SEEDED_STREAMS + hash(seed) % _SEEDED_STREAMS
    trace = trace_of([x])
    return trace.next_stream() if trace is not None else 0


def _affine(x: Any, scale: float, offset: float) -> Any:
    return apply("affine", [x], {"scale": scale, "offset": offset})


def _reduce(kind: str, x: Any, axis: Any, keepdims: bool) -> Any:
    if isinstance(x, Symbolic):
        for one in sorted(_axes(kind, x, axis), reverse=True):
            x = apply("reduce", [x], {"kind": kind, "axis": one, "keepdims": keepdims})
        return x
    from .config import floatx

    refuse_weights(kind, [x])
    x = np.asarray(x)
    if kind == "mean" or x.dtype.kind == "f":
        x = x.astype(floatx(), copy=False)
    return np.asarray(getattr(np, kind)(x, axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=keepdims))


def _axes(kind: str, x: Symbolic, axis: Any) -> set[int]:
    """The axes as numbers from 1 on: rows of a batch are computed apart, so the batch stays."""
    given = list(axis) if isinstance(axis, (tuple, list)) else [axis]
    inside = [isinstance(a, (int, np.integer)) and -x.ndim <= a < x.ndim and a % x.ndim > 0 for a in given]
    if not given or not all(inside):
        raise ValueError(
            f"[{kind}] expected axis to name axes of shape {x.shape} other than the batch, received {axis}"
            f"{', which takes the batch too' if axis is None else ''}. Write ops.{kind}(x, axis=-1): in a model the "
            "rows of a batch do not see each other."
        )
    return {int(a) % x.ndim for a in given}


def _record(call: OpCall, inputs: tuple) -> KerasTensor:
    from .config import floatx

    if any(isinstance(x, Variable) for x in inputs):
        raise TraceError(f"[{call.op}] expected a layer around a variable, so that the model can track it.")
    node = Node(call, inputs, {}, infer_outputs(call, inputs, {}, floatx()))
    return node.outputs[0]


def _on_arrays(op: str, arrays: list[np.ndarray], attrs: dict[str, Any]) -> np.ndarray:
    from .config import floatx
    from .testing import run_op

    shape = arrays[0].shape
    if not shape:
        arrays = [x.reshape(1) for x in arrays]
    arrays = [x.astype(np.int32 if op == "one_hot" else floatx(), copy=False) for x in arrays]
    output = run_op(op, arrays, attrs, dtype=floatx()).output
    assert output is not None, "an op without output is no function"
    return output.reshape(()) if not shape else output


def _sample_shape(shape: Shape, sample: list[int]) -> list[int]:
    elements = int(np.prod(shape[1:], dtype=int))
    known = int(np.prod([n for n in sample if n != -1], dtype=int))
    result = [elements // known if n == -1 and known else n for n in sample]
    if int(np.prod(result, dtype=int)) != elements:
        raise ValueError(f"[reshape] expected {elements} elements in all, received the shape {tuple(sample)}.")
    return result


def _is_number(x: Any) -> bool:
    return isinstance(x, numbers.Real) or (isinstance(x, np.ndarray) and x.ndim == 0)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else list(value) if isinstance(value, tuple) else value


def _describe(x: Any) -> str:
    shape = getattr(x, "shape", None)
    return f"{type(x).__name__} of shape {shape}" if shape is not None else type(x).__name__


def __getattr__(name: str) -> activations.Activation:
    if name in activations.__all__:
        return getattr(activations, name)
    raise AttributeError(f"module 'hotloop.ops' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
