"""Residual blocks, and scales that let very deep stacks of them begin as the identity."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from typing import Any

from ..initializers import Constant
from ..variable import Variable
from .layer import Layer


class LayerScale(Layer):
    """Multiplies by a weight for each feature, small at first: y = gamma x.

    Parameters
    ----------
    init_values : float
        What gamma begins with; the paper takes 0.1 for 18 blocks, 1e-5 for 24, 1e-6 for more.
    scalar : bool
        Whether there is one gamma for all features.
    **kwargs
        Of `Layer`.

    Notes
    -----
    The weight `gamma` has the shape (features,), or (). At the end of a `Residual` block it makes the block nearly the
    identity at first. Touvron et al., "Going Deeper with Image Transformers", ICCV 2021. Keras has no such layer.

    Examples
    --------
    >>> import numpy as np
    >>> LayerScale(0.5)(np.array([[2.0, 4.0]]))
    array([[1., 2.]], dtype=float32)
    """

    gamma: Variable

    def __init__(self, init_values: float = 1e-4, scalar: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        value: Any = init_values
        number = float(value) if not isinstance(value, bool) and isinstance(value, numbers.Real) else None
        if number is None or not math.isfinite(number):
            raise (TypeError if number is None else ValueError)(
                f"[LayerScale '{self.name}'] expected init_values as a finite number, received {init_values!r}."
            )
        self.init_values, self.scalar = number, bool(scalar)

    def build(self, input_shape: Any) -> None:
        if len(input_shape) < 2:
            raise ValueError(
                f"[LayerScale '{self.name}'] expected x of shape (batch, .., features), received shape {input_shape}."
            )
        shape = () if self.scalar else (int(input_shape[-1]),)
        self.gamma = self.add_weight(shape, Constant(self.init_values), name="gamma")

    def call(self, inputs: Any) -> Any:
        return inputs * self.gamma

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "init_values": self.init_values, "scalar": self.scalar}


class Residual(Layer):
    """A block of layers and a way around it: y = x + f(x).

    Parameters
    ----------
    layers : list of Layer
        Applied one after the other; the last one's output has the shape of the input.
    **kwargs
        Of `Layer`.

    Raises
    ------
    TypeError, ValueError
        If there is no layer, or the shapes differ.

    Notes
    -----
    Gradients pass a stack of such blocks by the way around. Where x + f(x) is not to grow with depth, f begins small:
    with a `LayerScale` at its end, or with `models.apply_fixup`. He et al., "Identity Mappings in Deep Residual
    Networks", ECCV 2016. Keras has no such layer.

    Examples
    --------
    >>> import numpy as np
    >>> from hotloop.layers import Dense
    >>> block = Residual([Dense(8, activation="relu"), Dense(2, kernel_initializer="zeros")])
    >>> block(np.array([[1.0, 2.0]]))
    array([[1., 2.]], dtype=float32)
    """

    def __init__(self, layers: Iterable[Layer], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layers = list(layers) if isinstance(layers, Iterable) else [layers]
        if not self.layers or not all(isinstance(layer, Layer) for layer in self.layers):
            raise TypeError(f"[Residual '{self.name}'] expected a list of layers, received {layers!r}.")

    def call(self, inputs: Any) -> Any:
        outputs = inputs
        for layer in self.layers:
            outputs = layer(outputs)
        if tuple(outputs.shape[1:]) != tuple(inputs.shape[1:]):
            raise ValueError(
                f"[Residual '{self.name}'] expected layers that give back the shape {inputs.shape}, received "
                f"{outputs.shape} from '{self.layers[-1].name}'."
            )
        return inputs + outputs

    def get_config(self) -> dict[str, Any]:
        from .serialization import serialize

        return {**super().get_config(), "layers": [serialize(layer) for layer in self.layers]}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Residual:
        from .serialization import deserialize

        return cls(**{**config, "layers": [deserialize(layer) for layer in config["layers"]]})
