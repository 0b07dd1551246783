"""Dense: a fully connected layer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from .. import activations, constraints, initializers, ops, regularizers
from ..variable import Variable, allowance, note_structure
from .layer import Layer
from .quantization import LARGEST, abs_max_quantize, checked_storage, fits
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
    storage : {"int8", "bfloat16", "float16"}, optional
        How the kernel is stored; it is not trained then. `quantize` makes such a layer of a trained one.
    **kwargs
        Of `Layer`.

    Notes
    -----
    Weights: kernel, bias; with a storage bias, kernel, and in int8 kernel_scale. The product, bias and activation run
    as one pass (`csrc/ops/dense.h`, `csrc/ops/compact.h`). With an int8 kernel each row of x is rounded to int8 too, by
    its largest magnitude, and the sums are exact, as in Keras's quantized layers.

    Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference", CVPR
    2018.

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
        *,
        storage: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.storage: str | None = None
        if storage is not None:
            self._check_storage(storage, f"{type(self).__name__} '{self.name}'")
            self.storage = storage
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
        self.kernel_scale: Variable | None = None  # of an int8 kernel

    def build(self, input_shape: Any) -> None:
        if len(input_shape) < 2:
            raise ValueError(
                f"[Dense '{self.name}'] expected x of shape (batch, .., features), received shape {input_shape}. "
                "Give the features an axis: x.reshape(-1, 1)."
            )
        shape = (input_shape[-1], self.units)
        if self.storage is None:
            self.kernel = self.add_weight(
                shape, self.kernel_initializer, name="kernel",
                regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
            )  # fmt: skip
        else:
            self._add_stored(shape, None)
        if self.use_bias:
            self.bias = self.add_weight(
                (self.units,), self.bias_initializer, name="bias",
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip

    def _add_stored(self, shape: tuple[int, int], kernel: np.ndarray | None) -> None:
        """The kernel, by the initializer unless given, as it is to be stored."""
        if kernel is None:
            limited = allowance.get() is not None  # by what a file holds: its values are on their way
            kernel = (
                np.zeros(shape, np.float32) if limited else np.asarray(self.kernel_initializer(shape, dtype="float32"))
            )
        scale = None
        if self.storage == "int8":
            kernel, scale = abs_max_quantize(kernel)
        values = {"kernel": (kernel, self.storage), "kernel_scale": (scale, None)}
        for name, (value, dtype) in values.items():
            if value is not None:
                first = partial(_given, value)
                setattr(self, name, self.add_weight(value.shape, first, dtype, trainable=False, name=name))

    def _check_storage(self, mode: Any, where: str) -> None:
        checked_storage(mode, where)
        if type(self).call is not Dense.call:
            raise ValueError(
                f"[{where}] expected a Dense layer, received {type(self).__name__}, which computes otherwise."
            )
        if self.dtype != "float32":
            raise ValueError(f"[{where}] expected a layer of float32, received one of {self.dtype}.")

    def quantize(self, mode: str = "int8") -> None:
        """Store the kernel in fewer bits from now on; it is not trained any more.

        Parameters
        ----------
        mode : {"int8", "bfloat16", "float16"}

        Raises
        ------
        ValueError
            If the layer is not built, stores its kernel so already, or its kernel is not finite or has numbers
            beyond the range of the mode.
        """
        where = f"quantize '{self.name}'"
        self._check_storage(mode, where)
        if not self.built:
            raise ValueError(f"[{where}] expected a layer with weights, received one that is not built. Call it first.")
        if self.storage is not None:
            raise ValueError(f"[{where}] expected a layer that is not quantized, received one in {self.storage}.")
        kernel = self.kernel.numpy()
        if not fits(kernel, mode):
            raise ValueError(
                f"[{where}] expected a kernel of numbers up to {LARGEST[mode]:g}, which {mode} can hold, received "
                f"{np.abs(kernel).max():g}. Leave this layer out with filters, or take another mode."
            )
        self._own = [(variable, flag) for variable, flag in self._own if variable is not self.kernel]
        bias = [pair for pair in self._own if pair[0] is self.bias]
        self._own = [pair for pair in self._own if pair[0] is not self.bias]
        self.storage = mode
        self._add_stored(kernel.shape, kernel)
        self._own += bias
        note_structure()

    def call(self, inputs: Any) -> Any:
        if self.storage is None:
            outputs = ops.dense(inputs, self.kernel, self.bias)
        else:
            weights = [v for v in (self.kernel, self.kernel_scale, self.bias) if v is not None]
            outputs = ops.apply("compact_dense", [inputs, *weights])
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
            **({} if self.storage is None else {"storage": self.storage}),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Dense:
        from .serialization import deserialize

        activation = config.get("activation")
        if isinstance(activation, dict):
            config = {**config, "activation": deserialize(activation)}
        return cls(**config)


def _given(value: np.ndarray, shape: Any, dtype: Any) -> np.ndarray:
    """An initializer that gives this."""
    return value
