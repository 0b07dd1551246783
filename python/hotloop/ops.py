"""Functions on tensors: in a layer's `call` they write nodes, on NumPy arrays they compute.

The same function serves three kinds of arguments: the symbolic tensors a layer's `call` receives, the KerasTensors
that `Input` gives (the op becomes part of the model), and arrays, for which the result is a NumPy array.
The functions of `hotloop.activations` are here too.

Comparisons give 0 or 1 in a model. Sums and means may go over the batch too in the `call` of a layer,
in losses and in metrics; all other functions keep it.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import activations, composed, constants, contraction, elementwise, picking, shaping
from .composed import *  # noqa: F403
from .constants import *  # noqa: F403
from .contraction import *  # noqa: F403
from .elementwise import *  # noqa: F403
from .elementwise import abs, add, exp, is_symbolic, log, multiply, not_equal, power, sqrt, square, subtract
from .own_name import own_name
from .picking import *  # noqa: F403
from .shaping import *  # noqa: F403
from .shaping import axis_of, expand_dims, get_item, swapaxes
from .tensor import KerasTensor, Node, OpCall, Shape, Symbolic, TraceError
from .trace import Traced, TracedInput, TracedProduct, infer_outputs, refuse_weights, rows_of_batch, trace_of
from .variable import Variable, tracing

__all__ = [
    "apply", "argmax", "argmin", "cast", "concatenate", "cumsum", "dense", "drop_connect", "dropout", "flatten",
    "logsumexp", "matmul", "max", "mean", "min", "ndim", "noise", "norm", "one_hot", "prod", "reshape", "rrelu",
    "shape", "size", "softmax", "std", "stop_gradient", "sum", "var",
    *composed.__all__, *constants.__all__, *contraction.__all__, *elementwise.__all__, *picking.__all__,
    *shaping.__all__,
    *[name for name in activations.names() if name != "softmax"],
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
    if builtins.any(isinstance(x, KerasTensor) for x in inputs):
        return _record(OpCall(op, attrs), tuple(x.tolist() if isinstance(x, np.ndarray) else x for x in inputs))
    trace = trace_of(list(inputs))
    if trace is not None:
        if op == "activation" and not elementwise.is_batch(inputs[0]):
            return elementwise.activation_of_weight(attrs["kind"], inputs[0])
        return trace.add(op, list(inputs), attrs)
    refuse_weights(op, inputs)
    return _on_arrays(op, [np.asarray(x) for x in inputs], attrs)


def add_bias(x1: Any, x2: Any) -> Any:
    """A product and its bias as one dense node; None for any other sum."""
    product, bias = (x1, x2) if isinstance(x1, TracedProduct) else (x2, x1)
    if isinstance(product, TracedProduct) and isinstance(bias, Variable) and bias.shape == (product.shape[-1],):
        return product.trace.add("dense", [product.x, product.w, bias], product.attrs)
    return None


@own_name
def matmul(x: Any, y: Any) -> Any:
    """x y for x (batch, .., K) and a variable y (K,N). Adding a bias (N) to the result makes it one dense node."""
    if elementwise.is_batch(x) and not elementwise.is_batch(y):  # by a weight, a constant, or what is made of them
        of = shape(y)
        if isinstance(x, Traced) and len(of) == 2 and x.ndim >= 2 and x.shape[-1] == of[0]:
            return TracedProduct(x.trace, x, y, (*x.shape[:-1], of[1]))
        return apply("matmul", [x, y])
    if is_symbolic([x, y]) and not elementwise.is_batch(x) and not elementwise.is_batch(y):
        return apply("weight_product", [x, y])
    if isinstance(x, Symbolic) and isinstance(y, Symbolic):
        return _batch_product(x, y)
    if isinstance(x, Symbolic) or isinstance(y, Symbolic):
        raise TraceError(
            f"[matmul] expected a tensor and a variable or two tensors, received {_describe(x)} and {_describe(y)}."
        )
    refuse_weights("matmul", [x, y])
    return np.matmul(np.asarray(x), np.asarray(y))


def _batch_product(x: Symbolic, y: Symbolic) -> Any:
    """x (batch, .., I, K) times y (batch, .., K, J), sample by sample."""
    if x.ndim != y.ndim or x.ndim < 3 or x.shape[-1] != y.shape[-2]:
        raise ValueError(
            f"[matmul] expected tensors of shapes (None, .., I, K) and (None, .., K, J), received {x.shape} and "
            f"{y.shape}."
        )
    return sum(multiply(expand_dims(x, -2), expand_dims(swapaxes(y, -1, -2), -3)), axis=-1)


def dense(x: Any, kernel: Any, bias: Any = None) -> Any:
    """x kernel + bias for x (batch, .., K), kernel (K,N), bias (N)."""
    inputs = [x, kernel] if bias is None else [x, kernel, bias]
    if isinstance(x, Symbolic):
        return apply("dense", inputs)
    product = np.asarray(x) @ np.asarray(kernel)
    return product if bias is None else product + np.asarray(bias)


@own_name
def concatenate(xs: Sequence[Any], axis: int = 0) -> Any:
    """Join arrays along an axis; tensors of a model along one that is not 0, the batch."""
    if not is_symbolic(xs):
        return np.concatenate([np.asarray(x) for x in xs], axis)
    if not builtins.any(elementwise.is_batch(x) for x in xs):
        return shaping.joined_weights(xs, axis)
    return apply("concatenate", list(xs), {"axis": axis})


@own_name
def reshape(x: Any, newshape: int | Sequence[int | None]) -> Any:
    """The same elements under the axes `newshape`, whose first is the batch (-1 or None); one more may be -1."""
    if isinstance(newshape, (int, np.integer)):
        newshape = (int(newshape),)
    if not is_symbolic([x]):
        return np.reshape(x, [-1 if n is None else n for n in newshape])
    if not elementwise.is_batch(x):
        return apply("reshape", [x], {"shape": [int(n) for n in newshape]})  # type: ignore[arg-type]
    if len(newshape) == 0 or newshape[0] not in (-1, None):
        raise ValueError(f"[reshape] expected newshape to begin with -1 or None, the batch, received {newshape}.")
    sample = [int(n) for n in newshape[1:]]  # type: ignore[arg-type]
    if isinstance(x, TracedInput) and x.dtype in ("int32", "string"):
        return x.reshaped(tuple(_sample_shape(x.shape, sample)))
    return apply("reshape", [x], {"shape": sample})


@own_name
def flatten(x: Any) -> Any:
    """(batch, a, b, ..) -> (batch, a b ..)."""
    return reshape(x, (-1, int(np.prod(np.shape(x)[1:] if not isinstance(x, Symbolic) else x.shape[1:], dtype=int))))


@own_name
def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Sum over an axis or several; of an array over all of them unless told. A tensor of a model keeps its batch."""
    if isinstance(x, (list, tuple)) and axis is None and is_symbolic(x):  # such as the losses of a model
        return builtins.sum(term if isinstance(term, Traced) and term.ndim == 0 else sum(term) for term in x)
    return _reduce("sum", x, axis, keepdims)


@own_name
def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Mean, along axes as for `sum`."""
    return _reduce("mean", x, axis, keepdims)


@own_name
def max(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Largest element, along axes as for `sum`."""
    return _reduce("max", x, axis, keepdims)


@own_name
def min(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Smallest element, along axes as for `sum`."""
    return _reduce("min", x, axis, keepdims)


@own_name
def var(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Mean squared distance from the mean, along axes as for `sum`."""
    return mean(square(subtract(x, mean(x, axis, True))), axis, keepdims)


@own_name
def std(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Square root of `var`."""
    return sqrt(var(x, axis, keepdims))


@own_name
def prod(x: Any, axis: Any = None, keepdims: bool = False, dtype: str | None = None) -> Any:
    """Product, along axes as for `sum`; its gradient is right at zeros too."""
    if not isinstance(x, Symbolic):
        from .config import floatx

        refuse_weights("prod", [x])
        x = np.asarray(x)
        x = x.astype(floatx(), copy=False) if x.dtype.kind == "f" else x
        axis = tuple(axis) if isinstance(axis, list) else axis
        return np.asarray(np.prod(x, axis=axis, keepdims=keepdims, dtype=dtype))
    axes = _axes("prod", x, axis)
    for one in axes:
        x = _product(x, one)
    x = x if keepdims else _without(x, axes)
    return x if dtype is None else cast(x, dtype)


def _product(x: Any, axis: int) -> Any:
    """Of one axis, which stays with size 1: halves are multiplied until one element is left."""
    if x.shape[axis] == 0:
        raise ValueError(f"[prod] expected at least one element on axis {axis}, received {x.shape}.")
    before = [slice(None)] * axis
    while x.shape[axis] > 1:
        half, rest = divmod(x.shape[axis], 2)
        parts = [get_item(x, (*before, slice(at, at + half))) for at in (0, half)]
        halves = multiply(*parts)
        x = concatenate([halves, get_item(x, (*before, slice(2 * half, None)))], axis) if rest else halves
    return x


def _without(x: Any, axes: set[int]) -> Any:
    """x without these axes, of size 1."""
    return reshape(x, [-1, *[n for i, n in enumerate(x.shape) if i and i not in axes]])


@own_name
def cumsum(x: Any, axis: int | None = None, dtype: str | None = None) -> Any:
    """Sums along one axis, up to each element."""
    if not isinstance(x, Symbolic):
        from .config import floatx

        refuse_weights("cumsum", [x])
        x = np.asarray(x)
        return np.cumsum(x.astype(floatx(), copy=False) if x.dtype.kind == "f" else x, axis, dtype)
    x = apply("cumsum", [x], {"axis": axis_of("cumsum", x, axis)})
    return x if dtype is None else cast(x, dtype)


@own_name
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Size of the vectors along one axis, or of the matrices along two.

    Parameters
    ----------
    x : tensor or array
    ord : number or "fro", optional
        Of vectors 2 unless told, or any p, inf and -inf too; of matrices "fro" unless told, 1, -1, inf or -inf.
        Singular values (2, -2, "nuc") are for arrays alone.
    axis : int or pair of int, optional
        A tensor of a model keeps its batch.
    keepdims : bool

    Notes
    -----
    Where a 2-norm is 0 its gradient is NaN, as in Keras on JAX; ops.maximum(ops.sum(ops.square(x), -1), 1e-12) below a
    square root has one.
    """
    if not isinstance(x, Symbolic):
        from .config import floatx

        refuse_weights("norm", [x])
        axis = tuple(axis) if isinstance(axis, list) else axis
        return np.asarray(np.linalg.norm(np.asarray(x, floatx()), ord, axis, keepdims))
    axes = _axes("norm", x, axis)
    if len(axes) == 1 and isinstance(ord, (int, float, type(None))):
        y = _vector_norm(x, 2.0 if ord is None else float(ord), axes)
    elif ord is None or (len(axes) == 2 and ord == "fro"):
        y = sqrt(sum(square(x), axis=list(axes), keepdims=True))
    elif len(axes) == 2 and ord in (1, -1, np.inf, -np.inf):
        first, second = (int(a) % x.ndim for a in axis)
        inner, outer = (first, second) if ord in (1, -1) else (second, first)
        y = (max if ord > 0 else min)(sum(abs(x), axis=inner, keepdims=True), axis=outer, keepdims=True)
    else:
        raise ValueError(
            f"[norm] expected ord to be a number for one axis, or None, 'fro', 1, -1, inf or -inf for two, received "
            f"{ord!r} for {len(axes)}."
        )
    return y if keepdims else _without(y, axes)


def _vector_norm(x: Any, p: float, axes: set[int]) -> Any:
    axis = list(axes)
    if p == 2:
        return sqrt(sum(square(x), axis, True))
    if p == 0:
        return sum(not_equal(x, 0.0), axis, True)
    if np.isinf(p):
        return (max if p > 0 else min)(abs(x), axis, True)
    return sum(abs(x), axis, True) if p == 1 else power(sum(power(abs(x), p), axis, True), 1 / p)


@own_name
def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """log sum e^x, along axes as for `sum`, without overflow."""
    top = stop_gradient(max(x, axis, True))
    y = add(log(sum(exp(subtract(x, top)), axis, True)), top)
    if keepdims:
        return y
    if isinstance(y, Symbolic):
        return _without(y, _axes("logsumexp", y, axis))
    return np.squeeze(y, None if axis is None else tuple(axis) if isinstance(axis, (tuple, list)) else axis)


@own_name
def softmax(x: Any, axis: Any = -1) -> Any:
    """e^x, divided by its sum over one axis, or several."""
    return activations.softmax(x, axis)


@own_name
def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Place of the largest element of one axis, the first of equal ones; a number of the model's dtype, no gradient."""
    return _place("argmax", x, axis, keepdims)


@own_name
def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Place of the smallest element of one axis, the first of equal ones."""
    return _place("argmin", x, axis, keepdims)


def _place(kind: str, x: Any, axis: int | None, keepdims: bool) -> Any:
    if not isinstance(x, Symbolic):
        refuse_weights(kind, [x])
        return np.asarray(getattr(np, kind)(np.asarray(x), axis=axis, keepdims=keepdims))
    [one] = _axes(kind, x, axis)
    y = apply("argmax", [x], {"axis": one, "smallest": kind == "argmin"})
    return expand_dims(y, one) if keepdims else y


def stop_gradient(x: Any) -> Any:
    """x, through which no gradient flows."""
    return apply("stop_gradient", [x]) if is_symbolic([x]) else np.asarray(x)


def _rows() -> Any:
    """What None, the size of the batch in a shape, is as a tensor."""
    trace = tracing.get()
    if trace is None or trace.measured is None:
        raise TraceError(
            "[cast] expected numbers, received None. In the shape of a functional model's tensor it is the size of a "
            "batch, which is not known. Write the expression as a layer or a function, and take ops.shape(x)[0] there."
        )
    return rows_of_batch(trace.measured)


@own_name
def cast(x: Any, dtype: str) -> Any:
    """x in another dtype. A model computes in one; whole numbers and comparisons are numbers of it."""
    if x is None:
        return _rows()
    if not is_symbolic([x]):
        return np.asarray(x).astype(dtype)
    dtype = str(np.dtype(dtype))
    whole = isinstance(x, TracedInput) and x.dtype == "int32"
    if isinstance(x, TracedInput) and not (whole and dtype.startswith(("int", "uint"))):
        x = TracedInput(x.trace, x.feed, x.trace.dtype)
    if dtype == "bool":
        return not_equal(x, 0.0)
    return composed.trunc(x) if dtype.startswith(("int", "uint")) and not whole else x


@own_name
def one_hot(x: Any, num_classes: int, mode: str = "one_hot") -> Any:
    """Indicator vectors of integer codes; `mode` "multi_hot" and "count" put the last axis into one vector."""
    return apply("one_hot", [codes(x, num_classes)], {"num_tokens": num_classes, "mode": mode})


def codes(x: Any, limit: int) -> Any:
    """x as int32 codes. Those of a column must lie in [0, limit); numbers of the model are cut to whole ones."""
    if isinstance(x, TracedInput):
        return x.limited(limit)
    if isinstance(x, Traced):
        return x if x.dtype == "int32" else apply("codes", [x])
    return x if isinstance(x, Symbolic) else np.asarray(x, np.int32)


@own_name
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
    return apply("dropout", [x], {**attrs, "stream": stream_of(trace_of([x]), seed)})


def noise(x: Any, stddev: float, seed: int | None = None, multiply: bool = False) -> Any:
    """x + z, or x (1 + z), with normal z of mean 0; fresh in every step."""
    attrs = {"kind": "multiply" if multiply else "add", "stddev": float(stddev)}
    return apply("noise", [x], {**attrs, "stream": stream_of(trace_of([x]), seed)})


def drop_connect(x: Any, kernel: Any, bias: Any, rate: float, seed: int | None = None) -> Any:
    """`dense` with a share `rate` of the kernel's elements zero and the others divided by 1 - rate."""
    inputs = [x, kernel] if bias is None else [x, kernel, bias]
    return apply("dense", inputs, {"drop_rate": float(rate), "stream": stream_of(trace_of([x]), seed)})


def gelu(x: Any, approximate: bool = True) -> Any:
    """x Phi(x), by Keras's default for this name with tanh in Phi's place; `activations.gelu` is the exact one."""
    return activations.get("gelu")(x, approximate=approximate)


def rrelu(x: Any, lower: float = 1 / 8, upper: float = 1 / 3, seed: int | None = None) -> Any:
    """x where x >= 0, else x times a slope of its own, uniform in [lower, upper); fresh slopes in every step."""
    return apply("rrelu", [x], {"lower": float(lower), "upper": float(upper), "stream": stream_of(trace_of([x]), seed)})


def stream_of(trace: Any, seed: Any) -> int:
    """The stream of random numbers that a seed names, or the next of a trace."""
    if seed is None:
        return trace.next_stream() if trace is not None else 0
    if hasattr(seed, "stream_in"):
        seed = seed.stream_in(trace)
    return _SEEDED_STREAMS + hash(seed) % _SEEDED_STREAMS


def shape(x: Any) -> tuple[Any, ...]:
    """The shape; of a tensor of a model it begins with None, the batch, and `cast` of that is its number of rows."""
    if isinstance(x, Traced) and elementwise.is_batch(x):
        x.trace.measured = x
    return tuple(x.shape) if isinstance(x, (Symbolic, Variable)) else np.shape(x)


def ndim(x: Any) -> int:
    """The number of axes."""
    return len(shape(x))


def size(x: Any) -> Any:
    """The number of elements; of a tensor inside a traced function a tensor, of one of a functional model None."""
    if isinstance(x, Traced) and elementwise.is_batch(x):
        return multiply(rows_of_batch(x), float(np.prod(x.shape[1:])))
    sizes = shape(x)
    return None if None in sizes else int(np.prod(sizes, dtype=int))


def _reduce(kind: str, x: Any, axis: Any, keepdims: bool) -> Any:
    if is_symbolic([x]):
        axes = _axes(kind, x, axis)
        batch = 0 in axes and elementwise.is_batch(x)
        for one in sorted(axes - {0} if batch else axes, reverse=True):
            x = apply("reduce", [x], {"kind": kind, "axis": one, "keepdims": keepdims})
        if not batch:
            return x if isinstance(x, Symbolic) else add(x, 0.0)  # a weight with no axis to sum over
        x.trace.couples_rows = True
        total = apply("reduce_batch", [x], {"kind": kind})
        return total if not keepdims else elementwise.elementwise("add", total, np.zeros((1, *total.shape)))
    from .config import floatx

    refuse_weights(kind, [x])
    x = np.asarray(x)
    if kind == "mean" or x.dtype.kind == "f":
        x = x.astype(floatx(), copy=False)
    return np.asarray(getattr(np, kind)(x, axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=keepdims))


def _axes(kind: str, x: Any, axis: Any) -> set[int]:
    """The axes as numbers from 0 on. A batch may be summed by what runs with it, and not be an axis of a model."""
    rank = len(x.shape)
    given = list(range(rank)) if axis is None else list(axis) if isinstance(axis, (tuple, list)) else [axis]
    inside = [isinstance(a, (int, np.integer)) and -rank <= a < rank for a in given]
    axes = {int(a) % rank for a in given} if builtins.all(inside) else {0}
    whole = 0 in axes and elementwise.is_batch(x) and not _sums_batches(kind, x)
    if not builtins.all(inside) or (rank and not given) or whole:
        raise ValueError(
            f"[{kind}] expected axis to name axes of shape {tuple(x.shape)}"
            f"{' other than the batch' if elementwise.is_batch(x) else ''}, received {axis}"
            f"{', which takes the batch too' if axis is None else ''}. Write ops.{kind}(x, axis=-1); over the batch "
            "there are sum and mean, in the `call` of a layer, in losses and in metrics."
        )
    return axes


def _sums_batches(kind: str, x: Any) -> bool:
    return kind in ("sum", "mean") and isinstance(x, Traced)


def _record(call: OpCall, inputs: tuple) -> KerasTensor:
    from .config import floatx

    if builtins.any(isinstance(x, Variable) for x in inputs):
        raise TraceError(f"[{call.op}] expected a layer around a variable, so that the model can track it.")
    node = Node(call, inputs, {}, infer_outputs(call, inputs, {}, floatx()))
    return node.outputs[0]


def _on_arrays(op: str, arrays: list[np.ndarray], attrs: dict[str, Any]) -> np.ndarray:
    from .config import floatx
    from .testing import run_op

    shape = arrays[0].shape
    if not shape:
        arrays = [x.reshape(1) for x in arrays]
    arrays = [np.ascontiguousarray(x, np.int32 if op == "one_hot" else floatx()) for x in arrays]
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


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else list(value) if isinstance(value, tuple) else value


def _describe(x: Any) -> str:
    shape = getattr(x, "shape", None)
    return f"{type(x).__name__} of shape {shape}" if shape is not None else type(x).__name__


def __getattr__(name: str) -> activations.Activation:
    if name in activations.__all__:
        return getattr(activations, name)
    raise AttributeError(name)


def __dir__() -> list[str]:
    return sorted(__all__)
