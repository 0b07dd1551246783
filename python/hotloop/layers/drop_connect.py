"""DropConnect: a dense layer that drops single weights."""

from __future__ import annotations

from typing import Any

from .. import activations, ops
from .dense import Dense
from .dropout import checked_rate


class DropConnectDense(Dense):
    """A `Dense` that in training sets each weight of its kernel to zero with probability `rate`.

    The others are divided by 1 - rate. All samples of a batch see the same weights, and the next batch others; the
    bias is always whole. In inference it is a `Dense`.

    Parameters
    ----------
    units : int
    rate : float
        From 0 to 1.
    seed : int, optional
        As of `Dropout`.
    **kwargs
        Of `Dense`.

    Notes
    -----
    Wan et al., "Regularization of Neural Networks using DropConnect", ICML 2013. Keras has no such layer.

    Examples
    --------
    >>> import numpy as np
    >>> layer = DropConnectDense(1000, 0.5, kernel_initializer="ones")
    >>> x = np.ones((3, 1))
    >>> bool((layer(x) == 1).all()), sorted(set(layer(x, training=True).ravel().tolist()))
    (True, [0.0, 2.0])
    """

    stochastic = True

    def __init__(self, units: int, rate: float, *, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.rate = checked_rate(self, rate)
        self.seed = None if seed is None else int(seed)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not training or self.rate == 0:
            return super().call(inputs)
        outputs = ops.drop_connect(inputs, self.kernel, self.bias, self.rate, self.seed)
        return outputs if self.activation is activations.get(None) else self.activation(outputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
