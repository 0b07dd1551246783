"""Gaussian noise on activations, in training."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import ops
from .dropout import checked_rate
from .layer import Layer


class GaussianNoise(Layer):
    """In training, adds normal noise of mean 0.

    Parameters
    ----------
    stddev : float
        From 0 to 1, as in Keras.
    seed : int, optional
        As of `Dropout`.
    **kwargs
        Of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> y = GaussianNoise(0.5)(np.zeros((100, 100)), training=True)
    >>> bool(abs(y.std() - 0.5) < 0.02)
    True
    """

    stochastic = True

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(stddev, bool) or not isinstance(stddev, (int, float, np.number)) or not 0 <= stddev <= 1:
            raise ValueError(f"[GaussianNoise '{self.name}'] expected stddev from 0 to 1, received {stddev!r}.")
        self.stddev = float(stddev)
        self.seed = None if seed is None else int(seed)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return ops.noise(inputs, self.stddev, self.seed) if training and self.stddev > 0 else inputs

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stddev": self.stddev, "seed": self.seed}


class GaussianDropout(Layer):
    """In training, multiplies with normal noise of mean 1 and standard deviation sqrt(rate / (1 - rate)).

    Parameters
    ----------
    rate : float
        From 0 to below 1.
    seed : int, optional
        As of `Dropout`.
    **kwargs
        Of `Layer`.

    Notes
    -----
    Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", JMLR 2014, section 10.

    Examples
    --------
    >>> import numpy as np
    >>> y = GaussianDropout(0.2)(np.ones((100, 100)), training=True)
    >>> bool(abs(y.mean() - 1) < 0.02), bool(abs(y.std() - 0.5) < 0.02)
    (True, True)
    """

    stochastic = True

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = checked_rate(self, rate)
        if self.rate == 1:
            raise ValueError(
                f"[GaussianDropout '{self.name}'] expected rate below 1, received {rate!r}, for which the noise has no "
                "standard deviation."
            )
        self.seed = None if seed is None else int(seed)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not training or self.rate == 0:
            return inputs
        return ops.noise(inputs, math.sqrt(self.rate / (1 - self.rate)), self.seed, multiply=True)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
