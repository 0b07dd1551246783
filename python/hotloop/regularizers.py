"""Regularizers: penalties on weights and activations, added to the loss (`csrc/ops/penalty.h` has the formulas).

A penalty on weights is added once to the loss of every batch, whatever its size; one on a layer's output is divided by
the rows of the batch. Both are part of the `loss` that `fit` and `evaluate` report, and of no metric. Weights that are
frozen have no penalty. The slope of abs(x) at 0 is 0, as in Keras on TensorFlow and PyTorch (on JAX it is 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .identifiers import Configurable, Table, unknown_name
from .identifiers import serialize as _serialize
from .overrides import is_overridden


class Regularizer(Configurable):
    """Base class of regularizers."""

    def node_attrs(self) -> dict[str, Any]:
        """Attributes of the op that computes it."""
        raise ValueError(
            f"[regularizer] expected a class with `__call__`, received {type(self).__name__}, which has none."
        )

    def __call__(self, x: Any) -> Any:
        """The penalty of an array.

        Parameters
        ----------
        x : array_like
        """
        from .config import floatx
        from .testing import run_op

        array = np.asarray(x, None if hasattr(x, "dtype") else floatx())
        dtype = array.dtype.name if array.dtype.name in ("float32", "float64") else floatx()
        metrics = run_op("penalty", [], self.node_attrs(), [array], dtype=dtype).metrics
        return np.dtype(dtype).type(metrics[0, 2])

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


class L1L2(Regularizer):
    """l1 sum abs(x) + l2 sum x^2.

    Parameters
    ----------
    l1, l2 : float
        At least 0.

    Notes
    -----
    Tibshirani, "Regression shrinkage and selection via the lasso", 1996. Hoerl and Kennard, "Ridge regression", 1970.
    Zou and Hastie, "Regularization and variable selection via the elastic net", 2005.

    Examples
    --------
    >>> float(L1L2(l1=0.5, l2=2.0)([[1.0, -2.0]]))
    11.5
    """

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = _checked(self, "l1", 0.0 if l1 is None else l1)
        self.l2 = _checked(self, "l2", 0.0 if l2 is None else l2)

    def node_attrs(self) -> dict[str, Any]:
        return {"kind": "l1_l2", "l1": self.l1, "l2": self.l2}

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


class L1(L1L2):
    """l1 sum abs(x): many weights become exactly or nearly zero.

    Parameters
    ----------
    l1 : float
        At least 0.

    Examples
    --------
    >>> float(L1(0.5)([[1.0, -2.0]]))
    1.5
    """

    def __init__(self, l1: float | None = 0.01) -> None:
        super().__init__(l1=0.01 if l1 is None else l1)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


class L2(L1L2):
    """l2 sum x^2, without a factor 1/2.

    Parameters
    ----------
    l2 : float
        At least 0.

    Notes
    -----
    Its gradient passes through the optimizer, unlike that of `weight_decay`.

    Examples
    --------
    >>> float(L2(0.5)([[1.0, -2.0]]))
    2.5
    """

    def __init__(self, l2: float | None = 0.01) -> None:
        super().__init__(l2=0.01 if l2 is None else l2)

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """The mean of abs(u v) over all pairs of rows (or columns) of a kernel, each divided by its length, times `factor`.

    Parameters
    ----------
    factor : float
        At least 0.
    mode : {"rows", "columns"}
        Which are to become orthogonal.

    Notes
    -----
    Of kernels only (rank 2). A kernel with a single row (column) has no pair, and no penalty.

    Examples
    --------
    >>> round(float(OrthogonalRegularizer(factor=1.0)([[1.0, 0.0], [1.0, 1.0]])), 4)
    0.7071
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = _checked(self, "factor", factor)
        if mode not in ("rows", "columns"):
            raise unknown_name("OrthogonalRegularizer mode", mode, ("rows", "columns"))
        self.mode = mode

    def node_attrs(self) -> dict[str, Any]:
        return {"kind": "orthogonal", "factor": self.factor, "mode": self.mode}

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "mode": self.mode}


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer


def _checked(regularizer: Regularizer, name: str, value: Any) -> float:
    number = float(value) if isinstance(value, (int, float, np.number)) and not isinstance(value, bool) else math.nan
    if not 0 <= number < math.inf:
        raise ValueError(
            f"[{type(regularizer).__name__}] expected {name} to be a finite number of at least 0, received {value!r}."
        )
    return number


_TABLE: Table[Regularizer] = Table(
    "regularizer",
    Regularizer,
    {"l1": L1, "l2": L2, "l1l2": L1L2, "orthogonal_regularizer": OrthogonalRegularizer},
    aliases={"l1_l2": "l1l2"},
)


def get(identifier: Any) -> Callable[[Any], Any] | None:
    """The regularizer of a name, a dict, a class or an instance; None, and a function of one's own, stay as they are.

    A function, or the `__call__` of a subclass, makes a penalty from a weight with `hotloop.ops`. It is traced once and
    differentiated.

    Raises
    ------
    ValueError
        For an unknown name (with a suggestion) or anything else.

    Examples
    --------
    >>> get("l2")
    L2(l2=0.01)
    """
    if identifier is None:
        return None
    if callable(identifier) and not isinstance(identifier, (type, Regularizer)):
        return identifier
    regularizer = _TABLE.get(identifier)
    node_attrs(regularizer)
    return regularizer


def serialize(regularizer: Any) -> Any:
    """`{"class_name": ..., "config": ...}`; None and a function of one's own stay as they are.

    Files hold the name of a function, and `load_model` wants it in `custom_objects`; so with subclasses.
    """
    return _serialize(regularizer) if isinstance(regularizer, Regularizer) else regularizer


def node_attrs(regularizer: Any) -> dict[str, Any] | None:
    """Attributes of the op that computes a penalty; None if there is none, or if it is traced."""
    if regularizer is None or not isinstance(regularizer, Regularizer) or is_overridden(regularizer, "__call__"):
        return None
    return regularizer.node_attrs()


def deserialize(config: Mapping[str, Any]) -> Regularizer:
    """The regularizer that `serialize` described."""
    return _TABLE.from_dict(config)
