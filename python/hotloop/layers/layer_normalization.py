"""Layers that standardise each sample by its own statistics, so the batch and the mode make no difference."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import Any

from .. import constraints, initializers, ops, regularizers
from ..shaping import with_last
from ..variable import Variable
from .layer import Layer
from .sizes import checked_axes, checked_size, feature_axes


class LayerNormalization(Layer):
    """Standardises the features of each sample, then scales and shifts them.

    y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, with the biased variance over `axis`.

    Parameters
    ----------
    axis : int or sequence of int
        Any but the batch; each of their elements has its gamma and its beta. The last ones need no copies.
    epsilon : float
    center, scale : bool
        Whether there is a beta, a gamma.
    beta_initializer, gamma_initializer : str or Initializer
    beta_regularizer, gamma_regularizer : str or Regularizer, optional
    beta_constraint, gamma_constraint : str, Constraint or callable, optional
    **kwargs
        Of `Layer`.

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

    not_yet: Mapping[str, Any] = {"rms_scaling": False}

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis = checked_axes(self, axis)
        self.epsilon = _checked_epsilon(self, epsilon)
        self.center, self.scale = bool(center), bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma: Variable | None = None
        self.beta: Variable | None = None

    def build(self, input_shape: Any) -> None:
        shape = tuple(input_shape[a] for a in feature_axes(self, self.axis, input_shape))
        if self.scale:
            self.gamma = self.add_weight(
                shape, self.gamma_initializer, name="gamma",
                regularizer=self.gamma_regularizer, constraint=self.gamma_constraint,
            )  # fmt: skip
        if self.center:
            self.beta = self.add_weight(
                shape, self.beta_initializer, name="beta",
                regularizer=self.beta_regularizer, constraint=self.beta_constraint,
            )  # fmt: skip

    def call(self, inputs: Any) -> Any:
        attrs = {"kind": "layer", "epsilon": self.epsilon, "center": self.center, "scale": self.scale}
        return _normalised(self, inputs, [self.gamma, self.beta], attrs)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "rms_scaling": False,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
            "beta_regularizer": regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
            "beta_constraint": constraints.serialize(self.beta_constraint),
            "gamma_constraint": constraints.serialize(self.gamma_constraint),
        }


class RMSNormalization(Layer):
    """Divides the features of each sample by their root mean square, then scales them.

    y = x / sqrt(mean(x^2) + epsilon) * scale

    Parameters
    ----------
    axis : int or sequence of int
        Any but the batch.
    epsilon : float
    **kwargs
        Of `Layer`.

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
        shape = tuple(input_shape[a] for a in feature_axes(self, self.axis, input_shape))
        self.scale = self.add_weight(shape, "ones", name="scale")

    def call(self, inputs: Any) -> Any:
        return _normalised(self, inputs, [self.scale], {"kind": "rms", "epsilon": self.epsilon, "center": False})

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis, "epsilon": self.epsilon}


class UnitNormalization(Layer):
    """Divides the features of each sample by their Euclidean norm; a row of zeros stays.

    Parameters
    ----------
    axis : int or sequence of int
        Any but the batch.
    **kwargs
        Of `Layer`.

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
        return _normalised(self, inputs, [], {"kind": "unit", "center": False, "scale": False})

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


class GroupNormalization(Layer):
    """Standardises each sample within groups of its channels, over all positions, then scales and shifts each channel.

    Parameters
    ----------
    groups : int
        Divides the number of channels; -1 is one group for each channel.
    axis : int
        Of the channels; any but the batch.
    epsilon : float
    center, scale : bool
        Whether there is a beta, a gamma.
    beta_initializer, gamma_initializer : str or Initializer
    beta_regularizer, gamma_regularizer : str or Regularizer, optional
    beta_constraint, gamma_constraint : str, Constraint or callable, optional
    **kwargs
        Of `Layer`.

    Raises
    ------
    ValueError
        If the groups do not divide the channels.

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

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.groups = -1 if groups == -1 else checked_size(groups, f"GroupNormalization '{self.name}'", "groups")
        self.axis = checked_axes(self, axis)
        self.epsilon = _checked_epsilon(self, epsilon)
        self.center, self.scale = bool(center), bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma: Variable | None = None
        self.beta: Variable | None = None

    def build(self, input_shape: Any) -> None:
        axes = feature_axes(self, self.axis, input_shape)
        if len(axes) > 1:
            raise ValueError(f"[GroupNormalization '{self.name}'] expected one axis, received {self.axis}.")
        shape = (input_shape[axes[0]],)
        if self.groups != -1 and shape[0] % self.groups:
            raise ValueError(
                f"[GroupNormalization '{self.name}'] expected groups that divide the {shape[0]} channels of shape "
                f"{input_shape}, received {self.groups}."
            )
        if self.scale:
            self.gamma = self.add_weight(
                shape, self.gamma_initializer, name="gamma",
                regularizer=self.gamma_regularizer, constraint=self.gamma_constraint,
            )  # fmt: skip
        if self.center:
            self.beta = self.add_weight(
                shape, self.beta_initializer, name="beta",
                regularizer=self.beta_regularizer, constraint=self.beta_constraint,
            )  # fmt: skip

    def call(self, inputs: Any) -> Any:
        [axis] = feature_axes(self, self.axis, inputs.shape)
        groups = inputs.shape[axis] if self.groups == -1 else self.groups
        attrs = {"groups": groups, "epsilon": self.epsilon, "center": self.center, "scale": self.scale}
        return _normalised(self, inputs, [self.gamma, self.beta], attrs)

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
            "beta_regularizer": regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
            "beta_constraint": constraints.serialize(self.beta_constraint),
            "gamma_constraint": constraints.serialize(self.gamma_constraint),
        }


def _normalised(layer: Any, x: Any, weights: list[Variable | None], attrs: dict[str, Any]) -> Any:
    """The op, which knows the last axes, on the axes that the layer's `axis` names."""
    axes = feature_axes(layer, layer.axis, x.shape)
    if "groups" not in attrs:
        attrs = {**attrs, "axes": len(axes)}
    variables = [v for v in weights if v is not None]
    return with_last(x, axes, lambda y: ops.apply("layer_norm", [y, *variables], attrs))


def _checked_epsilon(layer: Layer, value: Any) -> float:
    number = float(value) if not isinstance(value, bool) and isinstance(value, numbers.Real) else math.nan
    if not 0 <= number < math.inf:
        raise ValueError(
            f"[{type(layer).__name__} '{layer.name}'] expected epsilon to be a finite number of at least 0, "
            f"received {value!r}."
        )
    return number
