"""Constraints: where weights are put back to after every update (`csrc/ops/constraint.h` has the formulas)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .identifiers import Configurable, Table
from .identifiers import serialize as _serialize


class Constraint(Configurable):
    """Base class of constraints.

    A class of one's own overrides `__call__`, which takes an array and returns one of the same shape. It is Python, so
    training then stops after every batch to call it; the constraints of this module are kernels of the training loop.

    Examples
    --------
    >>> class AtMostOne(Constraint):
    ...     def __call__(self, w):
    ...         return np.minimum(w, 1)
    >>> AtMostOne()(np.array([0.5, 3.0]))
    array([0.5, 1. ])
    """

    def node_attrs(self) -> dict[str, Any] | None:
        """Attributes of the op that computes it; None if `__call__` does."""
        return None

    def __call__(self, w: Any) -> Any:
        """The constrained copy of an array.

        Parameters
        ----------
        w : array_like
        """
        from .config import floatx
        from .testing import run_op

        attrs = self.node_attrs()
        if attrs is None:
            return w
        array = np.asarray(w, None if hasattr(w, "dtype") else floatx())
        dtype = array.dtype.name if array.dtype.name in ("float32", "float64") else floatx()
        return run_op("constraint", [], attrs, [array], dtype=dtype).variables[0]

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


class MaxNorm(Constraint):
    """Scales weights down whose norm is above `max_value`.

    Parameters
    ----------
    max_value : float
    axis : int or list of int
        Of the norms: 0, each unit's incoming weights, in a kernel (inputs, units).

    Notes
    -----
    w clip(n, 0, max_value) / (1e-7 + n). Of a variable whose rank is not 2, norms run over all axes.
    Srivastava et al., "Dropout", JMLR 2014, use it with dropout.

    Examples
    --------
    >>> MaxNorm(1.0)([[3.0, 0.3], [4.0, 0.4]]).round(4)
    array([[0.6, 0.3],
           [0.8, 0.4]], dtype=float32)
    """

    def __init__(self, max_value: float = 2, axis: Any = 0) -> None:
        self.max_value = _checked(self, "max_value", max_value)
        self.axis = axis
        _axes(self, axis)

    def node_attrs(self) -> dict[str, Any]:
        return {"kind": "max_norm", "max_value": float(self.max_value), "axis": _axes(self, self.axis)}

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


class NonNeg(Constraint):
    """Negative weights become 0.

    Examples
    --------
    >>> NonNeg()([1.0, -2.0])
    array([1., 0.], dtype=float32)
    """

    def node_attrs(self) -> dict[str, Any]:
        return {"kind": "non_neg"}


class UnitNorm(Constraint):
    """Weights have norm 1.

    Parameters
    ----------
    axis : int or list of int
        As in `MaxNorm`.

    Examples
    --------
    >>> UnitNorm()([[3.0], [4.0]]).round(4)
    array([[0.6],
           [0.8]], dtype=float32)
    """

    def __init__(self, axis: Any = 0) -> None:
        self.axis = axis
        _axes(self, axis)

    def node_attrs(self) -> dict[str, Any]:
        return {"kind": "unit_norm", "axis": _axes(self, self.axis)}

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


class MinMaxNorm(Constraint):
    """Weights have a norm from `min_value` to `max_value`, or approach one.

    Parameters
    ----------
    min_value, max_value : float
    rate : float
        Share of the way that one update goes: norms become (1 - rate) n + rate clip(n, min_value, max_value).
    axis : int or list of int
        As in `MaxNorm`.

    Examples
    --------
    >>> MinMaxNorm(0.0, 1.0, rate=0.5)([[3.0], [4.0]]).round(4)
    array([[1.8],
           [2.4]], dtype=float32)
    """

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0) -> None:
        self.min_value = _checked(self, "min_value", min_value)
        self.max_value = _checked(self, "max_value", max_value)
        self.rate = _checked(self, "rate", rate)
        if self.min_value > self.max_value:
            raise ValueError(f"[MinMaxNorm] expected min_value <= max_value, received {min_value} and {max_value}.")
        self.axis = axis
        _axes(self, axis)

    def node_attrs(self) -> dict[str, Any]:
        return {
            "kind": "min_max_norm", "min_value": float(self.min_value), "max_value": float(self.max_value),
            "rate": float(self.rate), "axis": _axes(self, self.axis),
        }  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        return {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate, "axis": self.axis}


max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm


def _checked(constraint: Constraint, name: str, value: Any) -> Any:
    number = float(value) if isinstance(value, (int, float, np.number)) and not isinstance(value, bool) else math.nan
    if not 0 <= number < math.inf:
        raise ValueError(
            f"[{type(constraint).__name__}] expected {name} to be a finite number of at least 0, received {value!r}."
        )
    return value.item() if isinstance(value, np.generic) else value


def _axes(constraint: Constraint, axis: Any) -> list[int]:
    axes = list(axis) if isinstance(axis, (list, tuple)) else [axis]
    if not axes or not all(isinstance(a, (int, np.integer)) and not isinstance(a, bool) for a in axes):
        raise ValueError(
            f"[{type(constraint).__name__}] expected axis to be an int or a list of ints, received {axis!r}."
        )
    return [int(a) for a in axes]


_TABLE: Table[Constraint] = Table(
    "constraint",
    Constraint,
    {"max_norm": MaxNorm, "non_neg": NonNeg, "unit_norm": UnitNorm, "min_max_norm": MinMaxNorm},
)


def names() -> list[str]:
    """All strings that `get` knows."""
    return list(_TABLE.names)


def get(identifier: Any) -> Callable[[Any], Any] | None:
    """The constraint of a name, a dict, a class or an instance; None, and a function of an array, stay as they are.

    Raises
    ------
    ValueError
        For an unknown name (with a suggestion) or anything else.

    Examples
    --------
    >>> get("max_norm")
    MaxNorm(max_value=2, axis=0)
    """
    if identifier is None or (callable(identifier) and not isinstance(identifier, type)):
        return identifier
    return _TABLE.get(identifier)


def serialize(constraint: Any) -> Any:
    """`{"class_name": ..., "config": ...}`; None and a function of one's own stay as they are.

    Files hold the name of a function, and `load_model` wants it in `custom_objects`; so with subclasses.
    """
    return _serialize(constraint) if isinstance(constraint, Constraint) else constraint


def deserialize(config: Mapping[str, Any]) -> Constraint:
    """The constraint that `serialize` described."""
    return _TABLE.from_dict(config)


def node_attrs(constraint: Any) -> dict[str, Any] | None:
    """Attributes of the kernel that computes a constraint, or None: it is Python."""
    known = isinstance(constraint, Constraint) and type(constraint).__call__ is Constraint.__call__
    return constraint.node_attrs() if known else None
