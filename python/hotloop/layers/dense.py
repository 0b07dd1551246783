"""Dense: a fully connected layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import activations, constraints, initializers, ops, regularizers
from ..variable import Variable
from .layer import Layer
from .sizes import checked_size


class Dense(Layer):
    """y = activation(x kernel + bias), over the last axis of x.

    Parameters
    ----------
    units : int
        Width of the output.
    activation : str, callable or Layer, optional
        None is the identity.
    use_bias : bool
    kernel_initializer, bias_initializer : str or Initializer
        Of the kernel (inputs, units) and the bias (units,).
    kernel_regularizer, bias_regularizer : str or Regularizer, optional
        Penalties in the loss.
    activity_regularizer : str or Regularizer, optional
        Penalty on the output, after the activation, divided by the rows of the batch.
    kernel_constraint, bias_constraint : str, Constraint or callable, optional
        Applied after every update.
    **kwargs
        Of `Layer`.

    Notes
    -----
    Weights: kernel, bias. The product, bias and activation run as one pass (`csrc/ops/dense.h`).

    Examples
    --------
    >>> import numpy as np
    >>> Dense(2, kernel_initializer="ones")(np.array([[1.0, 2.0]]))
    array([[3., 3.]], dtype=float32)
    """

    not_yet: Mapping[str, Any] = {
        "lora_rank": None, "lora_alpha": None, "quantization_config": None,
    }  # fmt: skip

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = checked_size(units, f"Dense '{self.name}'", "units")
        self.activation = activation if isinstance(activation, Layer) else activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.bias: Variable | None = None

    def build(self, input_shape: Any) -> None:
        if len(input_shape) < 2:
            raise ValueError(
                f"[Dense '{self.name}'] expected x of shape (batch, .., features), received shape {input_shape}. "
                "Give the features an axis: x.reshape(-1, 1)."
            )
        self.kernel = self.add_weight(
            (input_shape[-1], self.units), self.kernel_initializer, name="kernel",
            regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        if self.use_bias:
            self.bias = self.add_weight(
                (self.units,), self.bias_initializer, name="bias",
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip

    def call(self, inputs: Any) -> Any:
        outputs = ops.dense(inputs, self.kernel, self.bias)
        return outputs if self.activation is activations.get(None) else self.activation(outputs)

    def get_config(self) -> dict[str, Any]:
        from .serialization import serialize

        layer = isinstance(self.activation, Layer)
        return {
            **super().get_config(),
            "units": self.units,
            "activation": serialize(self.activation) if layer else activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Dense:
        from .serialization import deserialize

        activation = config.get("activation")
        if isinstance(activation, dict):
            config = {**config, "activation": deserialize(activation)}
        return cls(**config)
