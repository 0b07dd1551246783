"""Dropout."""

from __future__ import annotations

from typing import Any

from .. import ops
from .layer import Layer


class Dropout(Layer):
    """In training, zeroes each element with probability `rate` and divides the others by 1 - rate.

    Parameters
    ----------
    rate : float
        From 0 to 1.
    noise_shape : None
        Sharing a mask along axes is not supported.
    seed : int, optional
        Picks this layer's stream of masks; the masks themselves also depend on `utils.set_random_seed` and the step.
    **kwargs
        Of `Layer`.

    Notes
    -----
    Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", JMLR 2014.
    """

    def __init__(self, rate: float, noise_shape: None = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(rate, (int, float)) or not 0 <= rate <= 1:
            raise ValueError(f"[Dropout '{self.name}'] expected rate from 0 to 1, received {rate!r}.")
        if noise_shape is not None:
            raise ValueError(f"[Dropout '{self.name}'] expected noise_shape=None, received {noise_shape!r}.")
        self.rate = float(rate)
        self.seed = None if seed is None else int(seed)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return ops.dropout(inputs, self.rate, self.seed) if training and self.rate > 0 else inputs

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed, "noise_shape": None}
