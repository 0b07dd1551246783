"""Activation functions, one object for each that the engine has kernels for.

`relu(x)` adds a node where x is symbolic and gives a NumPy array where it is one. The list is the engine's
(`csrc/ops/activation.h`), so a function added there is here, in `hotloop.ops`, and a string for `activation=`, at once.

`glu(x)` is a sigmoid(b), a and b the halves of x on its last axis; `swiglu`, `geglu` and `reglu`, which Keras has not,
put silu(b), gelu(b) and relu(b) in its place (Shazeer, "GLU variants improve transformer", 2020).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from . import _core
from .identifiers import custom_object, unknown_argument, unknown_name
from .shaping import with_last
from .tensor import Symbolic

_REQUIRED = object()
_PARAMETERS: dict[str, dict[str, Any]] = {  # arguments after x, with their defaults
    "relu": {"negative_slope": 0.0, "max_value": None, "threshold": 0.0},
    "leaky_relu": {"negative_slope": 0.2},
    "elu": {"alpha": 1.0},
    "celu": {"alpha": 1.0},
    "squareplus": {"b": 4.0},
    "soft_shrink": {"threshold": 0.5},
    "hard_shrink": {"threshold": 0.5},
    "threshold": {"threshold": _REQUIRED, "default_value": _REQUIRED},
    "gelu": {"approximate": False},
}
_KERAS_NAMES = {"identity": "linear"}
_VARIANTS = {"rectify": "relu", "gelu_tanh": "gelu"}  # kernels that a function uses for some of its arguments
_ENGINE_PARAMETERS = ("alpha", "beta")
_GATES = {"glu": "sigmoid", "swiglu": "silu", "geglu": "gelu", "reglu": "relu"}


class Activation:
    """An element-wise function.

    Attributes
    ----------
    name : str
        What `activation=` takes.
    """

    def __init__(self, name: str, kind: str) -> None:
        self.name = self.__name__ = name
        self._kind = kind
        self._defaults = _PARAMETERS.get(kind, {})

    def node(self, *values: Any, **options: Any) -> tuple[str, dict[str, Any]]:
        """The op and attributes that compute this function.

        Examples
        --------
        >>> get("elu").node(alpha=0.5)
        ('activation', {'kind': 'elu', 'alpha': 0.5})
        """
        given = self._arguments(values, options)
        if self._kind == "relu":
            return "activation", self._relu(**given)
        if self._kind == "gelu":
            return "activation", {"kind": "gelu_tanh" if given["approximate"] else "gelu"}
        numbers = {name: self._number(what, given[what]) for name, what in zip(_ENGINE_PARAMETERS, given, strict=False)}
        return "activation", {"kind": self._kind, **numbers}

    def __call__(self, x: Any, *values: Any, **options: Any) -> Any:
        """Apply to a symbolic tensor or an array; further arguments are those of Keras's function of this name."""
        from . import ops

        op, attrs = self.node(*values, **options)
        return ops.apply(op, [x], attrs)

    def _arguments(self, values: tuple[Any, ...], options: Mapping[str, Any]) -> dict[str, Any]:
        known = list(self._defaults)
        for name in options:
            if name not in known:
                raise TypeError(unknown_argument(self.name, name, ["x", *known]))
        positional = dict(zip(known, values, strict=False))
        if len(values) > len(known) or positional.keys() & options.keys():
            raise TypeError(f"[{self.name}] expected arguments {', '.join(['x', *known])}, received more.")
        given = {**self._defaults, **positional, **options}
        for name, value in given.items():
            if value is _REQUIRED:
                raise TypeError(f"[{self.name}] expected {name}, which has no default, received none.")
        return given

    def _number(self, what: str, value: Any) -> float:
        number = float(value)
        least = -math.inf if self._kind in ("threshold", "relu") else 0.0
        if not math.isfinite(number) or number < least or (self._kind == "celu" and number == 0):
            bound = "" if least < 0 else " above 0" if self._kind == "celu" else " of at least 0"
            raise ValueError(f"[{self.name}] expected a finite {what}{bound}, received {value}.")
        return number

    def _relu(self, negative_slope: Any, max_value: Any, threshold: Any) -> dict[str, Any]:
        slope = self._number("negative_slope", negative_slope)
        threshold = self._number("threshold", threshold)
        cap = None if max_value is None else self._number("max_value", max_value)
        if cap is None and threshold == 0 and slope >= 0:
            return {"kind": "leaky_relu", "alpha": slope} if slope else {"kind": "relu"}
        if (slope, threshold, cap) == (0, 0, 6):
            return {"kind": "relu6"}
        return {"kind": "rectify", "alpha": slope, "beta": threshold} | ({} if cap is None else {"gamma": cap})

    def __reduce__(self) -> tuple[Callable[[str], Activation], tuple[str]]:
        return get, (self.name,)  # one object a function, also after pickle and deepcopy

    def __repr__(self) -> str:
        return f"<activation {self.name}>"


class _AlongAxis(Activation):
    """A function of all elements along one axis, or several taken as one."""

    def __init__(self, name: str, op: str, attrs: dict[str, Any]) -> None:
        super().__init__(name, op)
        self._attrs = attrs

    def node(self, *values: Any, **options: Any) -> tuple[str, dict[str, Any]]:
        self._arguments(values, options)
        return self._kind, dict(self._attrs)

    def __call__(self, x: Any, axis: Any = -1, *values: Any, **options: Any) -> Any:
        op, attrs = self.node(*values, **options)
        x = x if isinstance(x, Symbolic) else np.asarray(x)
        axes = self._axes(x, axis)

        def along_last(y: Any) -> Any:
            from . import ops

            if len(axes) > 1:
                merged = ops.reshape(y, (*y.shape[: -len(axes)], math.prod(y.shape[-len(axes) :])))
                return ops.reshape(self(merged, -1, *values, **options), y.shape)
            if isinstance(y, Symbolic) or y.ndim != 1:
                return ops.apply(op, [y], attrs)
            return ops.apply(op, [y[None]], attrs)[0]

        return with_last(x, axes, along_last)

    def _axes(self, x: Any, axis: Any) -> list[int]:
        given = list(axis) if isinstance(axis, (list, tuple)) else [axis]
        least = 1 if isinstance(x, Symbolic) else 0
        whole = all(isinstance(a, (int, np.integer)) and -x.ndim <= a < x.ndim for a in given)
        axes = sorted({int(a) % x.ndim for a in given}) if whole else []
        if not axes or len(axes) < len(given) or axes[0] < least or (len(axes) > 1 and self._kind == "glu"):
            batch = " other than the batch" if least else ""
            raise ValueError(f"[{self.name}] expected axes of shape {x.shape}{batch}, received axis={axis}.")
        return axes


def _all() -> dict[str, Activation]:
    kinds = {_KERAS_NAMES.get(kind, kind): kind for kind in _core.activation_names() if kind not in _VARIANTS}
    functions: dict[str, Activation] = {name: Activation(name, kind) for name, kind in kinds.items()}
    functions |= {name: _AlongAxis(name, name, {}) for name in ("softmax", "log_softmax", "sparsemax")}
    return functions | {name: _AlongAxis(name, "glu", {"kind": gate}) for name, gate in _GATES.items()}


_BY_NAME = _all()
_ALIASES = {"identity": "linear", "swish": "silu", "hard_swish": "hard_silu"}
__all__ = ["Activation", "deserialize", "get", "serialize", *_BY_NAME, *_ALIASES]


def names() -> list[str]:
    """All that `get` knows, but for aliases."""
    return list(_BY_NAME)


def get(identifier: Any) -> Any:
    """The activation of a name; None is `linear`, a callable is returned as it is.

    Parameters
    ----------
    identifier : str, callable or None

    Returns
    -------
    Activation or callable

    Raises
    ------
    ValueError
        For an unknown name (with a suggestion) or anything else.

    Examples
    --------
    >>> get("relu"), get(None)
    (<activation relu>, <activation linear>)
    """
    if identifier is None:
        return _BY_NAME["linear"]
    if isinstance(identifier, str):
        found = _BY_NAME.get(_ALIASES.get(identifier, identifier)) or custom_object(identifier)
        if found is None:
            raise unknown_name("activation", identifier, _BY_NAME)
        return found
    if callable(identifier) and not isinstance(identifier, type):
        return identifier
    raise ValueError(f"[activation] expected a name or a function, received {identifier!r}.")


def serialize(activation: Any) -> Any:
    """The name of an activation of this module; a function of one's own as it is, of which files hold the name."""
    return activation.name if isinstance(activation, Activation) else activation


def deserialize(config: Any) -> Any:
    """The activation that `serialize` named."""
    return get(config)


def __getattr__(name: str) -> Activation:
    found = _BY_NAME.get(_ALIASES.get(name, name))
    if found is not None:
        return found
    raise AttributeError(name)  # `suggest_names` says more


def __dir__() -> list[str]:
    return __all__
