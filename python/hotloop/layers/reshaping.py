"""Flatten and Reshape: the same elements of a sample under other axes. They cost nothing."""

from __future__ import annotations

from typing import Any

from .. import ops
from .layer import Layer
from .sizes import checked_shape


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
