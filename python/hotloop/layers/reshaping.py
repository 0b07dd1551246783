"""Layers that arrange the elements of a sample anew. All but Permute and RepeatVector cost nothing."""

from __future__ import annotations

from typing import Any

from .. import ops
from .layer import Layer
from .sizes import checked_shape, checked_size


class Flatten(Layer):
    """(batch, a, b, ..) -> (batch, a b ..).

    Parameters
    ----------
    data_format : None or "channels_last"
    **kwargs
        Of `Layer`.
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if data_format not in (None, "channels_last"):
            raise ValueError(f"[Flatten '{self.name}'] expected data_format 'channels_last', received {data_format!r}.")
        self.data_format = "channels_last"

    def call(self, inputs: Any) -> Any:
        return ops.flatten(inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


class Reshape(Layer):
    """Gives every sample the axes `target_shape`.

    Parameters
    ----------
    target_shape : tuple of int
        Without the batch axis; one of them may be -1.
    **kwargs
        Of `Layer`.
    """

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = checked_shape(target_shape, f"Reshape '{self.name}'", "target_shape", least=-1)

    def call(self, inputs: Any) -> Any:
        return ops.reshape(inputs, (-1, *self.target_shape))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": list(self.target_shape)}


class Permute(Layer):
    """Puts the axes of every sample into another order.

    Parameters
    ----------
    dims : sequence of int
        The axes in their new order, counted from 1 behind the batch.
    **kwargs
        Of `Layer`.

    Raises
    ------
    ValueError
        If `dims` does not hold every axis once, or the inputs have another number of axes.

    Examples
    --------
    >>> import numpy as np
    >>> Permute((2, 1))(np.array([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])).shape
    (1, 3, 2)
    """

    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = checked_shape(dims, f"Permute '{self.name}'", "dims")
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                f"[Permute '{self.name}'] expected dims to hold every axis from 1 on once, received {dims!r}."
            )

    def call(self, inputs: Any) -> Any:
        if len(inputs.shape) != len(self.dims) + 1:
            raise ValueError(
                f"[Permute '{self.name}'] expected x with {len(self.dims)} axes behind the batch, received shape "
                f"{inputs.shape}."
            )
        return ops.transpose(inputs, (0, *self.dims))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dims": list(self.dims)}


class RepeatVector(Layer):
    """(batch, features) -> (batch, n, features).

    Parameters
    ----------
    n : int
    **kwargs
        Of `Layer`.

    Raises
    ------
    TypeError
        For an `n` that is no int.
    ValueError
        For inputs of another rank.

    Examples
    --------
    >>> import numpy as np
    >>> RepeatVector(2)(np.array([[1.0, 2.0]]))
    array([[[1., 2.],
            [1., 2.]]], dtype=float32)
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(n, int):
            raise TypeError(f"[RepeatVector '{self.name}'] expected n to be an int, received {n!r}.")
        self.n = checked_size(n, f"RepeatVector '{self.name}'", "n")

    def call(self, inputs: Any) -> Any:
        if len(inputs.shape) != 2:
            raise ValueError(
                f"[RepeatVector '{self.name}'] expected x of shape (batch, features), received {inputs.shape}."
            )
        rows = ops.reshape(inputs, (-1, 1, inputs.shape[1]))
        return rows if self.n == 1 else ops.concatenate([rows] * self.n, axis=1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n": self.n}


class Identity(Layer):
    """Gives its input back.

    Parameters
    ----------
    **kwargs
        Of `Layer`.
    """

    def call(self, inputs: Any) -> Any:
        return inputs

    def get_config(self) -> dict[str, Any]:
        return super().get_config()
