"""Rescaling: x scale + offset."""

from __future__ import annotations

from typing import Any

from .. import ops
from .layer import Layer


class Rescaling(Layer):
    """inputs * scale + offset; `Rescaling(1 / 255)` takes images of bytes to [0, 1].

    Parameters
    ----------
    scale, offset : float
    **kwargs
        Of `Layer`.
    """

    def __init__(self, scale: float, offset: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale, self.offset = float(scale), float(offset)

    def call(self, inputs: Any) -> Any:
        return ops.apply("affine", [inputs], {"scale": self.scale, "offset": self.offset})

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale, "offset": self.offset}
