"""Dropout and its kin: layers that drop elements at random, in training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from ..identifiers import unknown_name
from .layer import Layer


def checked_rate(layer: Layer, rate: Any) -> float:
    """A probability."""
    if isinstance(rate, bool) or not isinstance(rate, (int, float, np.number)) or not 0 <= rate <= 1:
        raise ValueError(f"[{type(layer).__name__} '{layer.name}'] expected rate from 0 to 1, received {rate!r}.")
    return float(rate)


class Dropout(Layer):
    """In training, zeroes each element with probability `rate` and divides the others by 1 - rate.

    Parameters
    ----------
    rate : float
        From 0 to 1.
    noise_shape : sequence of (int or None), optional
        One entry an axis, the batch included: None (or the axis's size) draws for every element, 1 shares the draw
        along the axis. Of the batch axis any number but 1 is as None.
    seed : int, optional
        Picks this layer's stream of masks; the masks themselves also depend on `utils.set_random_seed` and the step.
    **kwargs
        Of `Layer`.

    Notes
    -----
    The mask of an element depends on nothing but seed, step, layer, row and column: threads and batch sizes of a
    prediction do not change it.
    Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", JMLR 2014.
    Monte Carlo dropout (Gal and Ghahramani, "Dropout as a Bayesian Approximation", ICML 2016): `Model.predict_mc`, or
    `model(x, training=True)`, or a subclass whose `call` returns `super().call(inputs, training=True)`.

    Examples
    --------
    >>> import numpy as np
    >>> y = Dropout(0.5)(np.ones((1, 1000)), training=True)
    >>> sorted(set(y.ravel().tolist())), bool(abs(y.mean() - 1) < 0.2)
    ([0.0, 2.0], True)
    """

    stochastic = True
    alpha = False

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = checked_rate(self, rate)
        self.noise_shape = _checked_noise_shape(self, noise_shape)
        self.seed = None if seed is None else int(seed)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        noise_shape = self._noise_shape_for(inputs.shape)
        if not training or self.rate == 0:
            return inputs
        return ops.dropout(inputs, self.rate, self.seed, noise_shape, self.alpha)

    def _noise_shape_for(self, shape: Any) -> tuple[int | None, ...] | None:
        sizes = self.noise_shape
        if sizes is not None and (
            len(sizes) != len(shape) or any(s not in (None, 1, n) for s, n in zip(sizes[1:], shape[1:], strict=True))
        ):
            raise ValueError(
                f"[{type(self).__name__} '{self.name}'] expected a noise_shape that fits {shape}, received {sizes}. "
                "Each entry is the size of its axis, None for that size, or 1 to share along it."
            )
        return sizes

    def get_config(self) -> dict[str, Any]:
        shape = None if self.noise_shape is None else list(self.noise_shape)
        return {**super().get_config(), "rate": self.rate, "seed": self.seed, "noise_shape": shape}


class AlphaDropout(Dropout):
    """Dropout for SELU networks: in training, elements become SELU's lower limit with probability `rate`.

    The whole is scaled and shifted so that mean 0 and variance 1 stay what they are.

    Parameters
    ----------
    rate : float
        From 0 to 1; at 1, where no element is kept, the output is 0.
    noise_shape, seed, **kwargs
        As of `Dropout`.

    Notes
    -----
    Klambauer et al., "Self-Normalizing Neural Networks", NeurIPS 2017.

    Examples
    --------
    >>> import numpy as np
    >>> y = AlphaDropout(0.5)(np.random.default_rng(0).normal(size=(100, 100)), training=True)
    >>> bool(abs(y.mean()) < 0.05), bool(abs(y.std() - 1) < 0.05)
    (True, True)
    """

    alpha = True


class _SpatialDropout(Dropout):
    """Drops whole feature maps: one draw for each sample and channel."""

    rank: int

    def __init__(self, rate: float, data_format: str | None = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed=seed, **kwargs)
        if data_format not in (None, "channels_last", "channels_first"):
            raise unknown_name(f"{type(self).__name__} data_format", data_format, ("channels_last", "channels_first"))
        self.data_format = data_format or "channels_last"

    def _noise_shape_for(self, shape: Any) -> tuple[int | None, ...]:
        rank = len(shape)
        if rank != self.rank:
            raise ValueError(
                f"[{type(self).__name__} '{self.name}'] expected an input of rank {self.rank}, received rank {rank}."
            )
        shared = (1,) * (rank - 2)
        return (None, None, *shared) if self.data_format == "channels_first" else (None, *shared, None)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["noise_shape"]
        return {**config, "data_format": self.data_format}


class SpatialDropout1D(_SpatialDropout):
    """Drops whole channels of (batch, steps, channels).

    Parameters
    ----------
    rate, seed, **kwargs
        As of `Dropout`.

    Notes
    -----
    Tompson et al., "Efficient Object Localization Using Convolutional Networks", CVPR 2015.
    """

    rank = 3

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed=seed, **kwargs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["data_format"]
        return config


class SpatialDropout2D(_SpatialDropout):
    """Drops whole channels of (batch, rows, columns, channels).

    Parameters
    ----------
    rate, seed, **kwargs
        As of `Dropout`.
    data_format : {"channels_last", "channels_first"}, optional

    Notes
    -----
    Tompson et al., "Efficient Object Localization Using Convolutional Networks", CVPR 2015.
    """

    rank = 4


class SpatialDropout3D(_SpatialDropout):
    """Drops whole channels of (batch, depth, rows, columns, channels).

    Parameters
    ----------
    rate, seed, **kwargs
        As of `Dropout`.
    data_format : {"channels_last", "channels_first"}, optional

    Notes
    -----
    Tompson et al., "Efficient Object Localization Using Convolutional Networks", CVPR 2015.
    """

    rank = 5


def _checked_noise_shape(layer: Layer, shape: Any) -> tuple[int | None, ...] | None:
    if shape is None:
        return None
    sizes = tuple(shape) if isinstance(shape, Sequence) and not isinstance(shape, str) else ()
    whole = [s is None or (isinstance(s, (int, np.integer)) and not isinstance(s, bool) and s > 0) for s in sizes]
    if not sizes or not all(whole):
        raise ValueError(
            f"[{type(layer).__name__} '{layer.name}'] expected noise_shape as a sequence of sizes of at least 1 and "
            f"None, received {shape!r}."
        )
    return tuple(None if s is None else int(s) for s in sizes)
