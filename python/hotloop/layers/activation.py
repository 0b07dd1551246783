"""Layers that apply one element-wise function, or softmax."""

from __future__ import annotations

import warnings
from typing import Any

from .. import activations, ops
from .layer import Layer


class Activation(Layer):
    """Applies an activation function.

    Parameters
    ----------
    activation : str or callable
    **kwargs
        Of `Layer`.
    """

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: Any) -> Any:
        return self.activation(inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


class ReLU(Layer):
    """max(x, 0), with a slope for negative x.

    Parameters
    ----------
    max_value : None
        A cap is not supported.
    negative_slope : float
    threshold : float
        Only 0.
    **kwargs
        Of `Layer`.
    """

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if max_value is not None or threshold != 0:
            raise ValueError(
                f"[ReLU '{self.name}'] expected max_value=None and threshold=0, received {max_value} and {threshold}."
            )
        self.negative_slope = _slope(self, negative_slope)

    def call(self, inputs: Any) -> Any:
        return ops.leaky_relu(inputs, self.negative_slope) if self.negative_slope else ops.relu(inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_value": None, "negative_slope": self.negative_slope, "threshold": 0.0}


class LeakyReLU(Layer):
    """x where x >= 0, else negative_slope * x.

    Parameters
    ----------
    negative_slope : float
        `alpha` is accepted as its Keras 2 name.
    **kwargs
        Of `Layer`.
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        if "alpha" in kwargs:
            negative_slope = kwargs.pop("alpha")
            warnings.warn("LeakyReLU(alpha=...) is now negative_slope=...", DeprecationWarning, stacklevel=2)
        super().__init__(**kwargs)
        self.negative_slope = _slope(self, negative_slope)

    def call(self, inputs: Any) -> Any:
        return ops.leaky_relu(inputs, self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "negative_slope": self.negative_slope}


class ELU(Layer):
    """x where x > 0, else alpha * (exp(x) - 1).

    Parameters
    ----------
    alpha : float
    **kwargs
        Of `Layer`.
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = float(alpha)

    def call(self, inputs: Any) -> Any:
        return ops.elu(inputs, self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha}


class Softmax(Layer):
    """exp(x) / sum(exp(x)) over the last axis.

    Parameters
    ----------
    axis : int
        The last one.
    **kwargs
        Of `Layer`.
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any) -> Any:
        return ops.softmax(inputs, self.axis)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


def _slope(layer: Layer, slope: Any) -> float:
    if slope is None or slope < 0:
        raise ValueError(
            f"[{type(layer).__name__} '{layer.name}'] expected negative_slope of at least 0, received {slope}."
        )
    return float(slope)
