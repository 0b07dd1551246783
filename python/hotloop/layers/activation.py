"""Layers that apply one element-wise function, or softmax."""

from __future__ import annotations

import warnings
from typing import Any

from .. import activations, constraints, initializers, ops, regularizers
from .layer import Layer
from .sizes import checked_axes


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
    """max_value where x >= max_value, x where x > threshold, else negative_slope * (x - threshold).

    Parameters
    ----------
    max_value : float, optional
        At least 0; no cap unless told.
    negative_slope : float
        At least 0.
    threshold : float
        At least 0.
    **kwargs
        Of `Layer`.
    """

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.max_value = None if max_value is None else _at_least_0(self, "max_value", max_value)
        self.negative_slope = _at_least_0(self, "negative_slope", negative_slope)
        self.threshold = _at_least_0(self, "threshold", threshold)

    def call(self, inputs: Any) -> Any:
        return ops.relu(inputs, self.negative_slope, self.max_value, self.threshold)

    def get_config(self) -> dict[str, Any]:
        own = {"max_value": self.max_value, "negative_slope": self.negative_slope, "threshold": self.threshold}
        return {**super().get_config(), **own}


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
        self.negative_slope = _at_least_0(self, "negative_slope", negative_slope)

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
    """exp(x) / sum(exp(x)) over one axis, or several.

    Parameters
    ----------
    axis : int or sequence of int
        Any but the batch.
    **kwargs
        Of `Layer`.

    Notes
    -----
    A call may have a `mask` that broadcasts to the inputs: where it is at most 0.5 the output is 0, and the others add
    up to 1.

    Examples
    --------
    >>> import numpy as np
    >>> Softmax()(np.zeros((1, 4)), mask=np.array([[1, 1, 0, 0]]))
    array([[0.5, 0.5, 0. , 0. ]], dtype=float32)
    """

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = checked_axes(self, axis)

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return ops.softmax(inputs, self.axis)
        keep = ops.greater(mask, 0.5)
        return ops.where(keep, ops.softmax(ops.where(keep, inputs, -1e9), self.axis), 0.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


class PReLU(Layer):
    """x where x >= 0, else alpha * x with a learned alpha.

    Parameters
    ----------
    alpha_initializer : str or Initializer
        Of alpha, which has the shape of one sample.
    alpha_regularizer : str or Regularizer, optional
    alpha_constraint : str, Constraint or callable, optional
    shared_axes : int or sequence of int, optional
        Axes, counted from 1 behind the batch, along which one alpha serves all.
    **kwargs
        Of `Layer`.

    Raises
    ------
    ValueError
        For an axis that is the batch or does not exist.

    Notes
    -----
    Weights: alpha. He et al., "Delving Deep into Rectifiers", ICCV 2015.

    Examples
    --------
    >>> import numpy as np
    >>> PReLU(alpha_initializer="ones")(np.array([[-2.0, 3.0]]))
    array([[-2.,  3.]], dtype=float32)
    """

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        axes = [] if shared_axes is None else shared_axes if isinstance(shared_axes, (list, tuple)) else [shared_axes]
        self.shared_axes = [int(axis) for axis in axes] if shared_axes is not None else None

    def build(self, input_shape: Any) -> None:
        shape = list(input_shape[1:])
        for axis in self.shared_axes or []:
            if not 1 <= axis <= len(shape):
                raise ValueError(
                    f"[PReLU '{self.name}'] expected shared_axes from 1 to {len(shape)} for inputs of shape "
                    f"{input_shape}, received {axis}."
                )
            shape[axis - 1] = 1
        self.alpha = self.add_weight(
            tuple(shape), self.alpha_initializer, name="alpha",
            regularizer=self.alpha_regularizer, constraint=self.alpha_constraint,
        )  # fmt: skip

    def call(self, inputs: Any) -> Any:
        return ops.apply("prelu", [inputs, self.alpha])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "alpha_initializer": initializers.serialize(self.alpha_initializer),
            "alpha_regularizer": regularizers.serialize(self.alpha_regularizer),
            "alpha_constraint": constraints.serialize(self.alpha_constraint),
            "shared_axes": self.shared_axes,
        }


class RReLU(Layer):
    """x where x >= 0, else x times a slope: in training each element draws its own, in inference it is their mean.

    Keras has no such layer; arguments and defaults are PyTorch's.

    Parameters
    ----------
    lower, upper : float
        The slope is uniform in [lower, upper); both at least 0.
    seed : int, optional
        Picks this layer's stream of slopes; they also depend on `utils.set_random_seed` and the step.
    **kwargs
        Of `Layer`.

    Notes
    -----
    Xu et al., "Empirical Evaluation of Rectified Activations in Convolution Network", 2015.

    Examples
    --------
    >>> import numpy as np
    >>> RReLU(lower=0.25, upper=0.75)(np.array([[-2.0, 3.0]]))
    array([[-1.,  3.]], dtype=float32)
    """

    stochastic = True

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lower = _at_least_0(self, "lower", lower)
        self.upper = _at_least_0(self, "upper", upper)
        if self.lower > self.upper:
            raise ValueError(f"[RReLU '{self.name}'] expected lower <= upper, received {lower} and {upper}.")
        self.seed = None if seed is None else int(seed)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if training:
            return ops.rrelu(inputs, self.lower, self.upper, self.seed)
        return ops.leaky_relu(inputs, (self.lower + self.upper) / 2)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "lower": self.lower, "upper": self.upper, "seed": self.seed}


def _at_least_0(layer: Layer, what: str, value: Any) -> float:
    if value is None or not 0 <= value < float("inf"):
        raise ValueError(
            f"[{type(layer).__name__} '{layer.name}'] expected {what} of at least 0 and finite, received {value}."
        )
    return float(value)
