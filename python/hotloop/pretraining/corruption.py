"""Samples of which some features were corrupted, and networks that say which."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import random
from ..identifiers import unknown_name
from ..layers import Dense
from ..models import Functional, Model
from ..random import pass_seed
from .pairs import _Drawn

MODES = ("swap", "mask")


def corrupt(
    x: Any, rate: float = 0.3, mode: str = "swap", value: float = 0.0, seed: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Samples with some features replaced, and which.

    Parameters
    ----------
    x : array_like, shape (samples, features)
    rate : float
        The chance of each feature to be replaced.
    mode : {"swap", "mask"}
        By what: "swap", the same feature of another sample, which keeps each feature's distribution; "mask", `value`.
    value : float
    seed : int, optional

    Returns
    -------
    corrupted : ndarray of x's shape and dtype
    mask : ndarray of float32, shape (samples, features)
        1 where a value is another one now.

    Raises
    ------
    ValueError
        For a rate that is no share, another mode, a value that x's dtype cannot hold, or x of another number of axes.

    Notes
    -----
    Vincent et al., "Extracting and Composing Robust Features with Denoising Autoencoders", ICML 2008; Yoon et al.,
    "VIME: Extending the Success of Self- and Semi-supervised Learning to Tabular Domain", NeurIPS 2020.

    Examples
    --------
    >>> import numpy as np
    >>> corrupted, mask = corrupt(np.ones((100, 3)), 0.5, "mask", seed=1)
    >>> bool(((corrupted == 0) == (mask == 1)).all()), bool(0.4 < mask.mean() < 0.6)
    (True, True)
    """
    x = np.asarray(x)
    _check("corrupt", x, rate, mode, value)
    seed = random.SeedGenerator(seed).seed
    chosen = random.uniform(x.shape, seed=pass_seed(seed, 0), dtype="float64") < rate
    others: Any = value
    if mode == "swap":
        others = _others(x, np.arange(len(x)), random.uniform(x.shape, seed=pass_seed(seed, 1), dtype="float64"))
    corrupted = np.where(chosen, others, x).astype(x.dtype)
    return corrupted, (chosen & (corrupted != x)).astype(np.float32)


class Corrupted(_Drawn):
    """Corrupted samples and what was done to them, as `fit` takes them, other ones in every pass.

    Parameters
    ----------
    x : array_like, shape (samples, features)
    rate, mode, value
        As of `corrupt`.
    batch_size : int
    seed : int, optional
        Drawn from the seed of `set_random_seed` unless told.
    reconstruct : bool
        Whether targets are ``{"mask": mask, "values": x}`` and not the mask alone.
    resample : bool
        Whether every pass has other corruptions. False for validation.

    Examples
    --------
    >>> import numpy as np
    >>> data = Corrupted(np.arange(12.0).reshape(6, 2), rate=0.5, batch_size=4, seed=1)
    >>> corrupted, mask = data[1]
    >>> len(data), corrupted.shape, mask.shape
    (2, (2, 2), (2, 2))
    """

    def __init__(
        self,
        x: Any,
        rate: float = 0.3,
        mode: str = "swap",
        value: float = 0.0,
        batch_size: int = 32,
        seed: int | None = None,
        reconstruct: bool = False,
        resample: bool = True,
    ) -> None:
        super().__init__(x, batch_size, seed, resample)
        _check("Corrupted", self.x, rate, mode, value)
        self.rate, self.mode, self.value, self.reconstruct = float(rate), mode, value, bool(reconstruct)

    def _draw(self, order: np.ndarray, number: int) -> None:
        self._order = order

    def __getitem__(self, batch: int) -> Any:
        place = self._rows(batch)  # draws, where no pass has begun
        rows = self._order[place]
        x, shape = self.x[rows], (2, len(rows), self.x.shape[1])
        seed = pass_seed(self.seed, self._pass or 0, batch)
        chance, other = random.uniform(shape, seed=seed, dtype="float64")
        others: Any = _others(self.x, rows, other) if self.mode == "swap" else self.value
        chosen = chance < self.rate
        corrupted = np.where(chosen, others, x).astype(x.dtype)
        mask = (chosen & (corrupted != x)).astype(np.float32)
        return corrupted, {"mask": mask, "values": x} if self.reconstruct else mask


def corruption_task(body: Any, reconstruct: bool = False, name: str | None = None) -> Functional:
    """A model that says which features were corrupted: the body, and a Dense layer of a probability a feature.

    Parameters
    ----------
    body : Model
        Built, with one input of shape (batch, features), and vectors as output.
    reconstruct : bool
        Whether a second Dense layer gives back the values, and outputs are ``{"mask": ..., "values": ...}``.
    name : str, optional

    Returns
    -------
    Functional
        Not compiled: the mask wants "binary_crossentropy", values "mse". It shares the body: what it learns stays
        there.

    Examples
    --------
    >>> import hotloop as keras
    >>> body = keras.Sequential([keras.Input((5,)), keras.layers.Dense(8, activation="relu")])
    >>> model = corruption_task(body)
    >>> model.compile("adam", "binary_crossentropy")
    >>> model.output_shape
    (None, 5)
    """
    if not isinstance(body, Model) or body._inputs is None:
        raise ValueError(f"[corruption_task] expected a model that is built as the body, received {body!r}.")
    if len(body.inputs) != 1 or len(body.inputs[0].shape) != 2 or len(body.outputs[0].shape) != 2:
        raise ValueError(
            f"[corruption_task] expected a body with one input of shape (None, features) and vectors as output, "
            f"received inputs {body.input_shape} and outputs {body.output_shape}."
        )
    features, dtype = body.inputs[0].shape[1], body._compute_dtype
    mask = Dense(features, activation="sigmoid", name="mask", dtype=dtype)(body.output)
    if not reconstruct:
        return Functional(body.input, mask, name=name)
    values = Dense(features, name="values", dtype=dtype)(body.output)
    return Functional(body.input, {"mask": mask, "values": values}, name=name)


def _others(x: np.ndarray, rows: np.ndarray, u: np.ndarray) -> np.ndarray:
    """For each feature of each of the rows that of another row, by numbers in [0, 1)."""
    count = len(x) - 1
    k = np.minimum((u * count).astype(np.int64), count - 1)
    return x[k + (k >= rows[:, None]), np.arange(x.shape[1])]


def _check(where: str, x: np.ndarray, rate: Any, mode: Any, value: Any) -> None:
    if x.ndim != 2 or len(x) < 2:
        raise ValueError(
            f"[{where}] expected x of shape (samples, features), two samples at least, received {x.shape}."
        )
    if isinstance(rate, (bool, str)) or not 0 <= rate <= 1:
        raise ValueError(f"[{where}] expected rate from 0 to 1, received {rate!r}.")
    if mode not in MODES:
        raise unknown_name(where, mode, list(MODES))
    if isinstance(value, str) or (x.dtype.kind in "iub" and np.asarray(value).astype(x.dtype) != value):
        raise ValueError(f"[{where}] expected a value that {x.dtype} can hold, received {value!r}.")
