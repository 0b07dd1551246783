"""BatchNormalization."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import constraints, initializers, ops, regularizers
from ..variable import Variable
from .layer import Layer
from .sizes import checked_axes


class BatchNormalization(Layer):
    """Standardises each feature over the batch, then scales and shifts it.

    In training the statistics are the batch's (biased variance), and the moving ones follow with `momentum`; in
    inference, and when the layer is frozen, they are the moving ones, or those of a whole training set
    (`Model.recompute_batch_norm_statistics`).

    Parameters
    ----------
    axis : int or sequence of int
        Of the features; statistics are taken over all other axes. Several must follow one another: with [1, 2] each
        pixel of an image has statistics of its own. (Keras 3 takes one axis; TensorFlow's layer took several.)
    momentum : float
    epsilon : float
    center, scale : bool
        Whether there is a beta, a gamma.
    beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer : str or Initializer
    beta_regularizer, gamma_regularizer : str or Regularizer, optional
    beta_constraint, gamma_constraint : str, Constraint or callable, optional
    **kwargs
        Of `Layer`.

    Notes
    -----
    Weights, each of shape (features,): gamma, beta, moving_mean, moving_variance. With several axes they have as many
    axes as the input, those that `axis` does not name of size 1.
    Ioffe and Szegedy, "Batch Normalization", ICML 2015.
    """

    not_yet: Mapping[str, Any] = {
        "synchronized": False, "renorm": False, "renorm_clipping": None, "renorm_momentum": 0.99,
    }  # fmt: skip

    def __init__(
        self,
        axis: Any = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis = checked_axes(self, axis)
        self.momentum = _checked(self, "momentum", momentum, 1.0)
        self.epsilon = _checked(self, "epsilon", epsilon, math.inf)
        self.center, self.scale = bool(center), bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma: Variable | None = None
        self.beta: Variable | None = None

    def build(self, input_shape: Any) -> None:
        axes = self._feature_axes(input_shape)
        shape: tuple[int, ...] = (input_shape[axes[0]],)
        if isinstance(self.axis, list):
            shape = tuple(n if i in axes else 1 for i, n in enumerate(input_shape))
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
        self.moving_mean = self.add_weight(shape, self.moving_mean_initializer, trainable=False, name="moving_mean")
        self.moving_variance = self.add_weight(
            shape, self.moving_variance_initializer, trainable=False, name="moving_variance"
        )

    def _feature_axes(self, shape: Any) -> list[int]:
        """The axes that `axis` names, from 1 on."""
        rank = len(shape)
        axes = self.axis if isinstance(self.axis, list) else [self.axis]
        named = sorted({a % rank for a in axes if -rank <= a < rank})
        if len(named) != len(axes) or named[0] == 0 or named != list(range(named[0], named[0] + len(named))):
            kind = "neighbouring feature axes" if isinstance(self.axis, list) else "a feature axis"
            raise ValueError(
                f"[BatchNormalization '{self.name}'] expected axis to name {kind} of shape {shape}, "
                f"received {self.axis}."
            )
        return named

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        axes, shape = self._feature_axes(inputs.shape), inputs.shape
        if len(axes) == 1:
            return self._normalise(inputs, axes[0], bool(training))
        merged = int(np.prod(shape[axes[0] : axes[-1] + 1]))  # in memory neighbouring axes are one
        x = ops.reshape(inputs, (-1, *shape[1 : axes[0]], merged, *shape[axes[-1] + 1 :]))
        return ops.reshape(self._normalise(x, axes[0], bool(training)), (-1, *shape[1:]))

    def _normalise(self, x: Any, axis: int, training: bool) -> Any:
        variables = [v for v in (self.gamma, self.beta) if v is not None]
        attrs = {
            "axis": axis,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "training": training and self.trainable,
        }
        if x.trace.normalised is not None:
            x.trace.normalised.append((self, x, axis))
        if x.trace.keeps_statistics:
            attrs["keep"] = True
        return ops.apply("batch_norm", [x, *variables, self.moving_mean, self.moving_variance], attrs)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
            "moving_mean_initializer": initializers.serialize(self.moving_mean_initializer),
            "moving_variance_initializer": initializers.serialize(self.moving_variance_initializer),
            "beta_regularizer": regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
            "beta_constraint": constraints.serialize(self.beta_constraint),
            "gamma_constraint": constraints.serialize(self.gamma_constraint),
        }


def _checked(layer: Layer, what: str, value: Any, most: float) -> float:
    number = float(value) if not isinstance(value, bool) and isinstance(value, numbers.Real) else math.nan
    if not 0 <= number <= most or math.isinf(number):
        limit = "of at least 0" if math.isinf(most) else f"from 0 to {most:g}"
        raise ValueError(
            f"[BatchNormalization '{layer.name}'] expected {what} to be a finite number {limit}, received {value!r}."
        )
    return number
