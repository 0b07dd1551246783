"""CategoryEncoding: integer codes to indicator vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import ops
from .layer import Layer
from .sizes import checked_size


class CategoryEncoding(Layer):
    """Indicator vectors of integer codes.

    Parameters
    ----------
    num_tokens : int
        Codes lie in [0, num_tokens); others are refused when the data set is made.
    output_mode : {"multi_hot", "one_hot", "count"}
        "one_hot": one vector for each code, "multi_hot" and "count": one vector for the codes of the last axis.
    **kwargs
        Of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> CategoryEncoding(4, output_mode="one_hot")(np.array([[2], [0]]))
    array([[0., 0., 1., 0.],
           [1., 0., 0., 0.]], dtype=float32)
    """

    not_yet: Mapping[str, Any] = {"sparse": False}

    def __init__(self, num_tokens: int | None = None, output_mode: str = "multi_hot", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_tokens = checked_size(num_tokens, f"CategoryEncoding '{self.name}'", "num_tokens")
        self.output_mode = checked_mode(self, output_mode, ("multi_hot", "one_hot", "count"))

    def call(self, inputs: Any) -> Any:
        return ops.one_hot(inputs, self.num_tokens, self.output_mode)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_tokens": self.num_tokens, "output_mode": self.output_mode}


def checked_mode(layer: Layer, mode: Any, known: tuple[str, ...]) -> str:
    """Refuse an output mode that is not in the list."""
    if mode not in known:
        raise ValueError(
            f"[{type(layer).__name__} '{layer.name}'] expected output_mode to be one of {', '.join(known)}, "
            f"received {mode!r}."
        )
    return mode
