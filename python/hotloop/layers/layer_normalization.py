"""Layers that standardise each sample by its own statistics, so the batch and the mode make no difference."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import Any

from .. import initializers, ops
from ..variable import Variable
from .layer import Layer
from .sizes import checked_axes, checked_size


class LayerNormalization(Layer):
    """Standardises the features of each sample, then scales and shifts them.

    y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, with the biased variance over `axis`.

    Parameters
    ----------
    axis : int or sequence of int
        The last axis, or the last few; each of their elements has its gamma and its beta.
    epsilon : float
    center, scale : bool
        Whether there is a beta, a gamma.
    beta_initializer, gamma_initializer : str or Initializer
    **kwargs
        Of `Layer`.

    Raises
    ------
    ValueError
        For axes that are not the last ones.

    Notes
    -----
    Weights, each of the shape of the standardised axes: gamma, beta.
    Ba, Kiros and Hinton, "Layer Normalization", 2016.

    Examples
    --------
    >>> import numpy as np
    >>> LayerNormalization(epsilon=0.0)(np.array([[1.0, 3.0], [10.0, 30.0]]))
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)
    """

    not_yet: Mapping[str, Any] = {
        "beta_regularizer": None, "gamma_regularizer": None, "beta_constraint": None, "gamma_constraint": None,
        "rms_scaling": False,
    }  # fmt: skip

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis = checked_axes(self, axis)
        self.epsilon = _checked_epsilon(self, epsilon)
        self.center, self.scale = bool(center), bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.gamma: Variable | None = None
        self.beta: Variable | None = None

    def build(self, input_shape: Any) -> None:
        shape = input_shape[-_last_axes(self, self.axis, input_shape) :]
        if self.scale:
            self.gamma = self.add_weight(shape, self.gamma_initializer, name="gamma")
        if self.center:
            self.beta = self.add_weight(shape, self.beta_initializer, name="beta")

    def call(self, inputs: Any) -> Any:
        attrs = {
            "kind": "layer",
            "axes": _last_axes(self, self.axis, inputs.shape),
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
        }
        return ops.apply("layer_norm", [inputs, *(v for v in (self.gamma, self.beta) if v is not None)], attrs)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
        }


class RMSNormalization(Layer):
    """Divides the features of each sample by their root mean square, then scales them.

    y = x / sqrt(mean(x^2) + epsilon) * scale

    Parameters
    ----------
    axis : int or sequence of int
        The last axis, or the last few.
    epsilon : float
    **kwargs
        Of `Layer`.

    Raises
    ------
    ValueError
        For axes that are not the last ones.

    Notes
    -----
    Weights, of the shape of the standardised axes: scale.
    Zhang and Sennrich, "Root Mean Square Layer Normalization", NeurIPS 2019.

    Examples
    --------
    >>> import numpy as np
    >>> RMSNormalization(epsilon=0.0)(np.array([[4.0, -4.0]]))
    array([[ 1., -1.]], dtype=float32)
    """

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = checked_axes(self, axis)
        self.epsilon = _checked_epsilon(self, epsilon)

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(input_shape[-_last_axes(self, self.axis, input_shape) :], "ones", name="scale")

    def call(self, inputs: Any) -> Any:
        axes = _last_axes(self, self.axis, inputs.shape)
        attrs = {"kind": "rms", "axes": axes, "epsilon": self.epsilon, "center": False}
        return ops.apply("layer_norm", [inputs, self.scale], attrs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis, "epsilon": self.epsilon}


class UnitNormalization(Layer):
    """Divides the features of each sample by their Euclidean norm; a row of zeros stays.

    Parameters
    ----------
    axis : int or sequence of int
        The last axis, or the last few.
    **kwargs
        Of `Layer`.

    Raises
    ------
    ValueError
        For axes that are not the last ones.

    Examples
    --------
    >>> import numpy as np
    >>> UnitNormalization()(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]], dtype=float32)
    """

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = checked_axes(self, axis)

    def call(self, inputs: Any) -> Any:
        attrs = {"kind": "unit", "axes": _last_axes(self, self.axis, inputs.shape), "center": False, "scale": False}
        return ops.apply("layer_norm", [inputs], attrs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


class GroupNormalization(Layer):
    """Standardises each sample within groups of its channels, over all positions, then scales and shifts each channel.

    Parameters
    ----------
    groups : int
        Divides the number of channels; -1 is one group for each channel.
    axis : int
        Of the channels: the last one.
    epsilon : float
    center, scale : bool
        Whether there is a beta, a gamma.
    beta_initializer, gamma_initializer : str or Initializer
    **kwargs
        Of `Layer`.

    Raises
    ------
    ValueError
        If the groups do not divide the channels, or for an axis that is not the last.

    Notes
    -----
    Weights, each of shape (channels,): gamma, beta.
    Wu and He, "Group Normalization", ECCV 2018.

    Examples
    --------
    >>> import numpy as np
    >>> GroupNormalization(groups=2, epsilon=0.0)(np.array([[1.0, 3.0, 10.0, 30.0]]))
    array([[-1.,  1., -1.,  1.]], dtype=float32)
    """

    not_yet: Mapping[str, Any] = {
        "beta_regularizer": None, "gamma_regularizer": None, "beta_constraint": None, "gamma_constraint": None,
    }  # fmt: skip

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.groups = -1 if groups == -1 else checked_size(groups, f"GroupNormalization '{self.name}'", "groups")
        self.axis = checked_axes(self, axis)
        self.epsilon = _checked_epsilon(self, epsilon)
        self.center, self.scale = bool(center), bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.gamma: Variable | None = None
        self.beta: Variable | None = None

    def build(self, input_shape: Any) -> None:
        if _last_axes(self, self.axis, input_shape) != 1:
            raise ValueError(f"[GroupNormalization '{self.name}'] expected one axis, received {self.axis}.")
        shape = (input_shape[-1],)
        if self.groups != -1 and shape[0] % self.groups:
            raise ValueError(
                f"[GroupNormalization '{self.name}'] expected groups that divide the {shape[0]} channels of shape "
                f"{input_shape}, received {self.groups}."
            )
        if self.scale:
            self.gamma = self.add_weight(shape, self.gamma_initializer, name="gamma")
        if self.center:
            self.beta = self.add_weight(shape, self.beta_initializer, name="beta")

    def call(self, inputs: Any) -> Any:
        groups = inputs.shape[-1] if self.groups == -1 else self.groups
        attrs = {"groups": groups, "epsilon": self.epsilon, "center": self.center, "scale": self.scale}
        return ops.apply("layer_norm", [inputs, *(v for v in (self.gamma, self.beta) if v is not None)], attrs)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "groups": self.groups,
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
        }


def _last_axes(layer: Layer, axis: Any, shape: Any) -> int:
    """How many axes at the end of `shape` the layer's `axis` names."""
    rank = len(shape)
    axes = axis if isinstance(axis, list) else [axis]
    named = sorted({a % rank for a in axes if -rank <= a < rank})
    if len(named) != len(axes) or named[0] == 0 or named != list(range(rank - len(named), rank)):
        raise ValueError(
            f"[{type(layer).__name__} '{layer.name}'] expected axis to name the last axes of shape {tuple(shape)}, "
            f"received {axis}."
        )
    return len(named)


def _checked_epsilon(layer: Layer, value: Any) -> float:
    number = float(value) if not isinstance(value, bool) and isinstance(value, numbers.Real) else math.nan
    if not 0 <= number < math.inf:
        raise ValueError(
            f"[{type(layer).__name__} '{layer.name}'] expected epsilon to be a finite number of at least 0, "
            f"received {value!r}."
        )
    return number
