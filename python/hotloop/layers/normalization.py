"""Normalization: standardises features with statistics learnt from data."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..arrays import batches_of
from ..variable import Variable
from .layer import Layer


class Normalization(Layer):
    """(x - mean) / max(sqrt(variance), 1e-7), feature by feature.

    Parameters
    ----------
    axis : int or None
        -1 keeps statistics for each feature of the last axis, None one mean and variance for everything.
    mean, variance : float or array_like, optional
        Given instead of learnt by `adapt`; then the layer has no weights.
    invert : bool
        Do the opposite: mean + x * max(sqrt(variance), 1e-7).
    **kwargs
        Of `Layer`.

    Notes
    -----
    Weights: mean, variance, count, none of them trainable.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Normalization()
    >>> layer.adapt(np.array([[0.0], [2.0]]))
    >>> layer(np.array([[4.0]]))
    array([[3.]], dtype=float32)
    """

    def __init__(
        self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(axis, (list, tuple)) and len(axis) <= 1:
            axis = axis[0] if axis else None
        if not isinstance(axis, (int, type(None))):
            raise ValueError(f"[Normalization '{self.name}'] expected axis to be an int or None, received {axis!r}.")
        if (mean is None) != (variance is None):
            raise ValueError(f"[Normalization '{self.name}'] expected mean and variance together.")
        self.axis = axis
        self.invert = bool(invert)
        self._given = None if mean is None else (np.asarray(mean, float), np.asarray(variance, float))
        self._constants: list[Variable] = []

    def build(self, input_shape: Any) -> None:
        if self.axis not in (None, -1, len(input_shape) - 1):
            raise ValueError(
                f"[Normalization '{self.name}'] expected axis to be the last one of shape {input_shape} or None, "
                f"received {self.axis}."
            )
        shape = () if self.axis is None or len(input_shape) == 1 else (input_shape[-1],)
        if self._given is None:
            self.mean = self.add_weight(shape, "zeros", trainable=False, name="mean")
            self.variance = self.add_weight(shape, "ones", trainable=False, name="variance")
            self.count = self.add_weight((), "zeros", dtype="int32", trainable=False, name="count")
            return
        values = [np.broadcast_to(value.ravel() if shape else value.reshape(()), shape) for value in self._given]
        self._constants = [Variable(v, dtype=self.dtype, trainable=False, name=self.name) for v in values]
        self.mean, self.variance = self._constants

    def _hidden_variables(self) -> list[Variable]:
        return self._constants

    def call(self, inputs: Any) -> Any:
        return ops.apply("standardize", [inputs, self.mean, self.variance], {"epsilon": 1e-7, "invert": self.invert})

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn mean and population variance; what was learnt before is forgotten.

        Parameters
        ----------
        data : array_like, DataFrame, PyDataset or iterable of batches
            Samples along axis 0.
        batch_size : int, optional
            Rows read at a time.
        steps : int, optional
            Batches of an iterable to read.

        Raises
        ------
        ValueError
            If the data is empty, holds NaN or Inf, or the layer was given its statistics.
        """
        if self._given is not None:
            raise ValueError(f"[adapt '{self.name}'] expected a layer without mean and variance of its own.")
        count, mean, squares = 0, np.float64(0), np.float64(0)
        for rows in batches_of(data, "adapt", batch_size, steps):
            if not self.built:
                self.build((None, *rows.shape[1:]))
            if self.mean.shape and rows.shape[-1:] != self.mean.shape:
                raise ValueError(
                    f"[adapt '{self.name}'] expected {self.mean.shape[0]} features, received shape {rows.shape}."
                )
            flat = rows.reshape(-1, *self.mean.shape).astype(np.float64)
            n, m = len(flat), flat.mean(axis=0)
            # Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for sample variances", 1979.
            squares = squares + ((flat - m) ** 2).sum(axis=0) + (m - mean) ** 2 * (count * n / (count + n))
            mean = mean + (m - mean) * (n / (count + n))
            count += n
        if count == 0:
            raise ValueError(f"[adapt '{self.name}'] expected at least one sample, received none.")
        self.mean.assign(mean)
        self.variance.assign(squares / count)

    def get_config(self) -> dict[str, Any]:
        mean, variance = (None, None) if self._given is None else (v.tolist() for v in self._given)
        return {
            **super().get_config(), "axis": self.axis, "mean": mean, "variance": variance, "invert": self.invert
        }  # fmt: skip
