"""Discretization: numbers to the codes of the intervals they lie in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import ops
from ..arrays import as_numbers, batches_of, check_finite
from ..variable import Variable
from .category_encoding import checked_mode
from .layer import Layer
from .lookup import MODES
from .sizes import checked_numbers, checked_size


class Discretization(Layer):
    """The number of boundaries that are not above x: 0 below the first, and a boundary belongs to the bin above it.

    Part of the model: it reads inputs and what the model computes; no gradient passes.

    Parameters
    ----------
    bin_boundaries : sequence of float, optional
        In ascending order; there is one bin more. One list serves all features.
    num_bins : int, optional
        Instead: `adapt` finds boundaries that put equally many numbers into every bin.
    epsilon : float
        Kept for Keras. There it is the error of approximate quantiles; here they are exact.
    output_mode : {"int", "one_hot", "multi_hot", "count"}
        Codes, or the vectors of `CategoryEncoding`. On arrays codes are int32, in a model whole numbers, which
        `Embedding` and `CategoryEncoding` take.
    **kwargs
        Of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Discretization(bin_boundaries=[0.0, 1.0, 2.0])
    >>> layer(np.array([[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, 0.0]]))
    array([[0, 2, 3, 1],
           [1, 3, 2, 1]], dtype=int32)
    """

    not_yet: Mapping[str, Any] = {"sparse": False}

    def __init__(
        self,
        bin_boundaries: Any = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (bin_boundaries is None) == (num_bins is None):
            raise ValueError(f"[Discretization '{self.name}'] expected either bin_boundaries or num_bins.")
        self.num_bins = (
            None if num_bins is None else checked_size(num_bins, f"Discretization '{self.name}'", "num_bins")
        )
        [self.epsilon] = checked_numbers([epsilon], f"Discretization '{self.name}'", "[epsilon]").tolist()
        self.output_mode = checked_mode(self, output_mode, MODES)
        self.bin_boundaries: list[float] | None = None
        self._constant: Variable | None = None
        if bin_boundaries is not None:
            self._set_boundaries(bin_boundaries)

    def _set_boundaries(self, values: Any) -> None:
        boundaries = checked_numbers(values, f"Discretization '{self.name}'", "bin_boundaries")
        if (np.diff(boundaries) < 0).any():
            raise ValueError(
                f"[Discretization '{self.name}'] expected bin_boundaries in ascending order, received {values!r}."
            )
        self.bin_boundaries = boundaries.tolist()
        if self._constant is not None and self._constant.shape == boundaries.shape:
            self._constant.assign(boundaries)
        else:
            self._constant = Variable(boundaries, dtype=self.dtype, trainable=False, name=self.name)

    def _hidden_variables(self) -> list[Variable]:
        return [] if self._constant is None else [self._constant]

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn the boundaries: the quantiles 1 / num_bins, 2 / num_bins, .. of all numbers, linearly interpolated.

        All numbers are held in memory at once.

        Parameters
        ----------
        data : array_like, DataFrame, PyDataset or iterable of batches
        batch_size : int, optional
            Rows read at a time.
        steps : int, optional
            Batches of an iterable to read.

        Raises
        ------
        ValueError
            If the data is empty or holds NaN or Inf, or the layer was given its boundaries.
        """
        if self.num_bins is None:
            raise ValueError(f"[adapt '{self.name}'] expected a layer with num_bins, received one with bin_boundaries.")
        parts = [rows.ravel().astype(np.float64) for rows in batches_of(data, "adapt", batch_size, steps)]
        values = np.concatenate(parts) if parts else np.empty(0)
        if len(values) == 0:
            raise ValueError(f"[adapt '{self.name}'] expected at least one number, received none.")
        self._set_boundaries(np.quantile(values, np.arange(1, self.num_bins) / self.num_bins))

    def call(self, inputs: Any) -> Any:
        boundaries = self._known()
        if not boundaries:
            bins = ops.zeros_like(inputs)
        else:
            bins = ops.sum(ops.greater_equal(ops.expand_dims(inputs, inputs.ndim), self._constant), axis=-1)
        if self.output_mode == "int":
            return bins
        return ops.one_hot(bins, len(boundaries) + 1, self.output_mode)

    def _call_on_arrays(self, args: tuple, kwargs: dict[str, Any], training: bool | None) -> Any:
        if self.output_mode != "int":
            return super()._call_on_arrays(args, kwargs, training)
        where = f"Discretization '{self.name}'"
        values = as_numbers(args[0], where, "inputs")
        check_finite(values, self.dtype, where, "inputs", args[0])
        boundaries = np.asarray(self._known(), self.dtype)
        return np.searchsorted(boundaries, values.astype(self.dtype), side="right").astype(np.int32)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "dtype": self.dtype,
            "bin_boundaries": self.bin_boundaries,
            "num_bins": self.num_bins,
            "epsilon": self.epsilon,
            "output_mode": self.output_mode,
            "sparse": False,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Discretization:
        if config.get("bin_boundaries") is None or config.get("num_bins") is None:
            return cls(**config)
        layer = cls(**{**config, "bin_boundaries": None})  # after `adapt` it has both
        layer._set_boundaries(config["bin_boundaries"])
        return layer

    def _known(self) -> list[float]:
        if self.bin_boundaries is None:
            raise ValueError(
                f"[Discretization '{self.name}'] expected boundaries, received none. Pass bin_boundaries=[...] or call "
                "`adapt(data)` before the layer is used."
            )
        return self.bin_boundaries
