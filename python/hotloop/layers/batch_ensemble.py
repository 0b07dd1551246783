"""BatchEnsemble: many networks in one, which share their kernels."""

from __future__ import annotations

from typing import Any

from .. import activations, initializers, ops
from .dense import Dense


class BatchEnsembleDense(Dense):
    """A `Dense` of many members that share its kernel; each has a scale for every input and output, and a bias.

    y[member] = activation(((x[member] * input_scale[member]) kernel) * output_scale[member] + bias[member])

    Members see batches of shape (batch, members, features): `RepeatVector(members)` makes that of (batch, features). A
    loss of outputs (batch, members, ...) is the mean of the members' losses, so they are trained as networks of their
    own; the mean over axis 1 of a prediction is the ensemble's.

    Parameters
    ----------
    units : int
    activation : str, callable or Layer, optional
    input_scale_initializer : str or Initializer
        Of (members, features). "random_sign" sets members apart; "ones" where only the first layer is to.
    output_scale_initializer : str or Initializer
        Of (members, units).
    **kwargs
        Of `Dense`. The bias has the shape (members, units).

    Notes
    -----
    Weights: kernel, input_scale, output_scale, bias. Wen, Tran and Ba, "BatchEnsemble: an Alternative Approach to
    Efficient Ensemble and Lifelong Learning", ICLR 2020. With "random_sign" in the first layer and "ones" elsewhere it
    is TabM of Gorishniy, Kotelnikov and Babenko, "TabM: Advancing Tabular Deep Learning with Parameter-Efficient
    Ensembling", ICLR 2025. Keras has no such layer.

    Examples
    --------
    >>> import numpy as np
    >>> import hotloop as keras
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((5,)),
    ...         keras.layers.RepeatVector(8),
    ...         BatchEnsembleDense(16, "relu"),
    ...         BatchEnsembleDense(1, input_scale_initializer="ones"),
    ...     ]
    ... )
    >>> model.compile("adam", "mse")
    >>> x, y = np.random.default_rng(0).random((64, 5)), np.ones(64)
    >>> _ = model.fit(x, np.repeat(y[:, None, None], 8, axis=1), verbose=0)
    >>> model.predict(x, verbose=0).mean(axis=1).shape
    (64, 1)
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        *,
        input_scale_initializer: Any = "random_sign",
        output_scale_initializer: Any = "ones",
        **kwargs: Any,
    ) -> None:
        super().__init__(units, activation, **kwargs)
        self.input_scale_initializer = initializers.get(input_scale_initializer)
        self.output_scale_initializer = initializers.get(output_scale_initializer)

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != 3 or input_shape[1] is None:
            raise ValueError(
                f"[BatchEnsembleDense '{self.name}'] expected x of shape (batch, members, features), received shape "
                f"{input_shape}. Put RepeatVector(members) before the first one."
            )
        _, members, features = input_shape
        self.kernel = self.add_weight(
            (features, self.units), self.kernel_initializer, name="kernel",
            regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        self.input_scale = self.add_weight((members, features), self.input_scale_initializer, name="input_scale")
        self.output_scale = self.add_weight((members, self.units), self.output_scale_initializer, name="output_scale")
        if self.use_bias:
            self.bias = self.add_weight(
                (members, self.units), self.bias_initializer, name="bias",
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip

    def call(self, inputs: Any) -> Any:
        outputs = ops.dense(inputs * self.input_scale, self.kernel, None) * self.output_scale
        if self.bias is not None:
            outputs = outputs + self.bias
        return outputs if self.activation is activations.get(None) else self.activation(outputs)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "input_scale_initializer": initializers.serialize(self.input_scale_initializer),
            "output_scale_initializer": initializers.serialize(self.output_scale_initializer),
        }
