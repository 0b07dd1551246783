"""Activation functions, one object for each that the engine has kernels for.

`relu(x)` adds a node where x is symbolic and gives a NumPy array where it is one. The list is the engine's
(`csrc/ops/activation.h`), so a function added there is here, in `hotloop.ops`, and a string for `activation=`, at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from . import _core
from .identifiers import custom_object, unknown_argument, unknown_name
from .tensor import Symbolic

_PARAMETERS: dict[str, tuple[str, float]] = {  # name and default of the one number a function may have
    "relu": ("negative_slope", 0.0),
    "leaky_relu": ("negative_slope", 0.2),
    "elu": ("alpha", 1.0),
}
_KERAS_NAMES = {"identity": "linear"}


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
        self._parameter, self._default = _PARAMETERS.get(kind, ("", 0.0))

    def node(self, *values: float, **options: float) -> tuple[str, dict[str, Any]]:
        """The op and attributes that compute this function.

        Examples
        --------
        >>> get("elu").node(alpha=0.5)
        ('activation', {'kind': 'elu', 'alpha': 0.5})
        """
        value = self._value(values, options)
        if not self._parameter:
            return "activation", {"kind": self._kind}
        if self._kind == "relu":
            return "activation", {"kind": "leaky_relu", "alpha": value} if value else {"kind": "relu"}
        return "activation", {"kind": self._kind, "alpha": value}

    def __call__(self, x: Any, *values: float, **options: float) -> Any:
        """Apply to a symbolic tensor or an array; `alpha` or `negative_slope` where the function has one."""
        from . import ops

        op, attrs = self.node(*values, **options)
        return ops.apply(op, [x], attrs)

    def _value(self, values: tuple[float, ...], options: Mapping[str, float]) -> float:
        known = [self._parameter] if self._parameter else []
        for name in options:
            if name not in known:
                raise TypeError(unknown_argument(self.name, name, ["x", *known]))
        if len(values) + len(options) > len(known):
            raise TypeError(f"[{self.name}] expected arguments {', '.join(['x', *known])}, received more.")
        value = float(values[0] if values else options.get(self._parameter, self._default))
        if not 0 <= value < float("inf"):
            raise ValueError(f"[{self.name}] expected a finite {self._parameter} of at least 0, received {value}.")
        return value

    def __reduce__(self) -> tuple[Callable[[str], Activation], tuple[str]]:
        return get, (self.name,)  # one object a function, also after pickle and deepcopy

    def __repr__(self) -> str:
        return f"<activation {self.name}>"


class _Softmax(Activation):
    """exp(x) / sum(exp(x)) over the last axis."""

    def __init__(self) -> None:
        super().__init__("softmax", "softmax")

    def node(self, *values: float, **options: float) -> tuple[str, dict[str, Any]]:
        self._value(values, options)
        return "softmax", {}

    def __call__(self, x: Any, axis: int = -1, *values: float, **options: float) -> Any:  # type: ignore[override]
        from . import ops

        self._value(values, options)
        x = x if isinstance(x, Symbolic) else np.asarray(x)
        if axis not in (-1, x.ndim - 1):
            raise ValueError(f"[softmax] expected the last axis, received axis={axis}.")
        if isinstance(x, Symbolic) or x.ndim != 1:
            return ops.apply("softmax", [x])
        return ops.apply("softmax", [x[None]])[0]


def _all() -> dict[str, Activation]:
    kinds = {_KERAS_NAMES.get(kind, kind): kind for kind in _core.activation_names()}
    return {**{name: Activation(name, kind) for name, kind in kinds.items()}, "softmax": _Softmax()}


_BY_NAME = _all()
_ALIASES = {"identity": "linear"}
__all__ = ["Activation", "deserialize", "get", "serialize", *_BY_NAME]


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
    if name in _BY_NAME:
        return _BY_NAME[name]
    raise AttributeError(f"module 'hotloop.activations' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
