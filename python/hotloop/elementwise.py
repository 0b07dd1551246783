"""Element-wise functions of `hotloop.ops`: arithmetic, comparisons, logic, powers, exponentials, circular functions.

Operands are tensors, weights, numbers, or arrays alone, and broadcast as NumPy's do. Each function is one op of the
engine (`csrc/ops/elementwise.h`, where the formulas, and the gradients at kinks, are).
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .own_name import own_name
from .tensor import KerasTensor, Symbolic, TraceError
from .trace import Traced
from .variable import Variable, tracing

_WHOLE = frozenset(
    {
        "abs", "add", "equal", "floor_divide", "greater", "greater_equal", "less", "less_equal", "maximum", "minimum",
        "mod", "multiply", "negative", "not_equal", "sign", "square", "subtract",
    }
)  # fmt: skip  # of arrays of whole numbers whole numbers
_LOGICAL = (
    "less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "logical_and", "logical_or", "logical_not",
    "isnan", "isfinite",
)  # fmt: skip
__all__ = [
    "abs",
    "absolute",
    "add",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "ceil",
    "clip",
    "cos",
    "cosh",
    "divide",
    "equal",
    "erf",
    "exp",
    "expm1",
    "floor",
    "floor_divide",
    "greater",
    "greater_equal",
    "isfinite",
    "isnan",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log2",
    "log10",
    "logical_and",
    "logical_not",
    "logical_or",
    "maximum",
    "minimum",
    "mod",
    "multiply",
    "negative",
    "not_equal",
    "ones_like",
    "power",
    "reciprocal",
    "round",
    "rsqrt",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "subtract",
    "tan",
    "true_divide",
    "where",
    "zeros_like",
]  # fmt: skip


def elementwise(kind: str, *operands: Any) -> Any:
    """One node of the op `elementwise`, or its value where all operands are arrays and numbers."""
    from .ops import apply

    if not is_symbolic(operands):
        return _on_arrays(kind, operands)
    attrs: dict[str, Any] = {"kind": kind}
    inputs = []
    for letter, x in zip("abc", operands, strict=False):
        if is_number(x):
            attrs[letter] = float(x)
        else:
            inputs.append(x)
    return apply("elementwise", inputs, attrs)


def is_symbolic(operands: Sequence[Any]) -> bool:
    """Whether a node is to be written: one of these is symbolic, or a weight while `call` is traced."""
    return any(isinstance(x, Symbolic) or (isinstance(x, Variable) and tracing.get()) for x in operands)


def is_number(x: Any) -> bool:
    return isinstance(x, numbers.Real) or (isinstance(x, np.ndarray) and x.ndim == 0)


def _on_arrays(kind: str, operands: Sequence[Any]) -> Any:
    from .config import floatx
    from .testing import run_op

    if kind in _WHOLE and all(np.asarray(x).dtype.kind in "iu" for x in operands):
        return np.asarray(getattr(np, kind)(*operands))
    arrays = np.broadcast_arrays(*[np.asarray(x) for x in operands])
    shape = arrays[0].shape
    columns = [np.ascontiguousarray(x, floatx()).reshape(1, -1) for x in arrays]
    if arrays[0].size == 0:
        return np.zeros(shape, bool if kind in _LOGICAL else floatx())
    result = run_op("elementwise", columns, {"kind": kind}, dtype=floatx()).output
    assert result is not None, "an element-wise op has an output"
    return result.reshape(shape).astype(bool if kind in _LOGICAL else floatx(), copy=False)


def activation_of_weight(kind: str, x: Any) -> Any:
    """An activation of a weight, or of what was computed from weights alone, made of this module's functions."""
    made: dict[str, Callable[[], Any]] = {
        "identity": lambda: x,
        "relu": lambda: maximum(x, 0.0),
        "sigmoid": lambda: reciprocal(add(exp(negative(x)), 1.0)),
        "tanh": lambda: elementwise("tanh", x),
        "softplus": lambda: add(maximum(x, 0.0), log1p(exp(negative(abs(x))))),
    }
    if kind not in made:
        raise TraceError(f"[{kind}] expected a tensor of the model, or for a weight one of {', '.join(made)}.")
    return made[kind]()


def is_batch(x: Any) -> bool:
    return isinstance(x, KerasTensor) or (isinstance(x, Traced) and x.shape[:1] == (None,))


def _affine(x: Any, scale: float, offset: float) -> Any:
    from .ops import apply

    return apply("affine", [x], {"scale": scale, "offset": offset})


@own_name
def add(x1: Any, x2: Any) -> Any:
    """x1 + x2."""
    from .ops import add_bias, apply

    if is_number(x1):
        x1, x2 = x2, x1
    if is_batch(x1) and is_number(x2):
        return _affine(x1, 1.0, float(x2))
    if is_batch(x1) and is_batch(x2) and x1.shape == x2.shape:
        return apply("add", [x1, x2])
    biased = add_bias(x1, x2)
    return elementwise("add", x1, x2) if biased is None else biased


@own_name
def subtract(x1: Any, x2: Any) -> Any:
    """x1 - x2."""
    if is_batch(x1) and is_number(x2):
        return _affine(x1, 1.0, -float(x2))
    if is_number(x1) and is_batch(x2):
        return _affine(x2, -1.0, float(x1))
    return elementwise("subtract", x1, x2)


@own_name
def multiply(x1: Any, x2: Any) -> Any:
    """x1 x2."""
    if is_number(x1):
        x1, x2 = x2, x1
    if is_batch(x1) and is_number(x2):
        return _affine(x1, float(x2), 0.0)
    return elementwise("multiply", x1, x2)


@own_name
def divide(x1: Any, x2: Any) -> Any:
    """x1 / x2."""
    if is_batch(x1) and is_number(x2) and float(x2) != 0:
        return _affine(x1, 1.0 / float(x2), 0.0)
    return elementwise("divide", x1, x2)


true_divide = divide


@own_name
def negative(x: Any) -> Any:
    """-x."""
    return _affine(x, -1.0, 0.0) if is_batch(x) else elementwise("negative", x)


@own_name
def power(x1: Any, x2: Any) -> Any:
    """x1 to the power x2; a negative x1 takes whole x2 only. The gradient is 0 for x2 = 0, and none reaches x2 at 0."""
    if is_number(x2) and is_symbolic([x1]):
        simple = {0.5: sqrt, 1.0: lambda x: x, 2.0: square, -1.0: reciprocal, -0.5: rsqrt}.get(float(x2))
        if simple is not None:
            return simple(x1)
        if float(x2) == 3.0:
            return multiply(x1, square(x1))
    return elementwise("power", x1, x2)


@own_name
def maximum(x1: Any, x2: Any) -> Any:
    """The larger one, NaN where x1 is; equal operands share the gradient."""
    return elementwise("maximum", x1, x2)


@own_name
def minimum(x1: Any, x2: Any) -> Any:
    """The smaller one, NaN where x1 is; equal operands share the gradient."""
    return elementwise("minimum", x1, x2)


@own_name
def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    """min(max(x, x_min), x_max). At a bound half of the gradient passes, as in Keras on JAX."""
    return minimum(maximum(x, x_min), x_max)


@own_name
def where(condition: Any, x1: Any, x2: Any) -> Any:
    """x1 where the condition is not 0, else x2. The gradient goes to the one taken alone, even if the other is NaN."""
    return elementwise("where", condition, x1, x2)


@own_name
def mod(x1: Any, x2: Any) -> Any:
    """x1 - floor(x1 / x2) x2, with the sign of x2."""
    return elementwise("mod", x1, x2)


@own_name
def floor_divide(x1: Any, x2: Any) -> Any:
    """floor(x1 / x2); no gradient."""
    return elementwise("floor_divide", x1, x2)


@own_name
def log2(x: Any) -> Any:
    """Logarithm to the base 2."""
    return multiply(log(x), 1.4426950408889634)


@own_name
def log10(x: Any) -> Any:
    """Logarithm to the base 10."""
    return multiply(log(x), 0.4342944819032518)


@own_name
def abs(x: Any) -> Any:
    """Absolute value; slope 0 at 0."""
    return elementwise("abs", x)


absolute = abs


@own_name
def zeros_like(x: Any) -> Any:
    """0 in the shape of x."""
    return elementwise("second", x, 0.0)


@own_name
def ones_like(x: Any) -> Any:
    """1 in the shape of x."""
    return elementwise("second", x, 1.0)


@own_name
def round(x: Any, decimals: int = 0) -> Any:
    """The nearest whole number (or of so many decimals), halves to even; no gradient."""
    if decimals == 0:
        return elementwise("round", x)
    return divide(elementwise("round", multiply(x, 10.0**decimals)), 10.0**decimals)


def _named(kind: str, text: str, operands: int = 1) -> Any:
    if operands == 1:

        def function(x: Any) -> Any:
            return elementwise(kind, x)
    else:

        def function(x1: Any, x2: Any) -> Any:  # type: ignore[misc]
            return elementwise(kind, x1, x2)

    function.__name__ = function.__qualname__ = kind
    function.__doc__ = text
    return own_name(function)


arccos = _named("arccos", "Inverse of cos.")
arccosh = _named("arccosh", "Inverse of cosh.")
arcsin = _named("arcsin", "Inverse of sin.")
arcsinh = _named("arcsinh", "Inverse of sinh.")
arctan = _named("arctan", "Inverse of tan.")
arctan2 = _named("arctan2", "The angle of the point (x2, x1), from -pi to pi.", 2)
arctanh = _named("arctanh", "Inverse of tanh.")
ceil = _named("ceil", "The smallest whole number not below x; no gradient.")
cos = _named("cos", "Cosine of x radians.")
cosh = _named("cosh", "(e^x + e^-x) / 2.")
equal = _named("equal", "1 (of arrays: True) where x1 and x2 are equal, else 0.", 2)
erf = _named("erf", "2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x.")
exp = _named("exp", "e^x.")
expm1 = _named("expm1", "e^x - 1, exact near 0.")
floor = _named("floor", "The largest whole number not above x; no gradient.")
greater = _named("greater", "1 (of arrays: True) where x1 > x2, else 0.", 2)
greater_equal = _named("greater_equal", "1 (of arrays: True) where x1 >= x2, else 0.", 2)
isfinite = _named("isfinite", "1 (of arrays: True) where x is neither infinite nor NaN, else 0.")
isnan = _named("isnan", "1 (of arrays: True) where x is NaN, else 0.")
less = _named("less", "1 (of arrays: True) where x1 < x2, else 0.", 2)
less_equal = _named("less_equal", "1 (of arrays: True) where x1 <= x2, else 0.", 2)
log = _named("log", "Natural logarithm.")
log1p = _named("log1p", "log(1 + x), exact near 0.")
logical_and = _named("logical_and", "1 (of arrays: True) where neither is 0, else 0.", 2)
logical_not = _named("logical_not", "1 (of arrays: True) where x is 0, else 0.")
logical_or = _named("logical_or", "1 (of arrays: True) where one is not 0, else 0.", 2)
not_equal = _named("not_equal", "1 (of arrays: True) where x1 and x2 differ, else 0.", 2)
reciprocal = _named("reciprocal", "1 / x.")
rsqrt = _named("rsqrt", "1 / sqrt(x).")
sign = _named("sign", "-1, 0 or 1; no gradient.")
sin = _named("sin", "Sine of x radians.")
sinh = _named("sinh", "(e^x - e^-x) / 2.")
sqrt = _named("sqrt", "Square root.")
square = _named("square", "x^2.")
tan = _named("tan", "sin(x) / cos(x).")
