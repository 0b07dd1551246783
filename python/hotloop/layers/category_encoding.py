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
        A call may have `count_weights` of the codes' shape, which "count" adds up instead of ones.
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
        mode = "multi_hot" if output_mode == "binary" else output_mode  # Keras's old name
        self.output_mode = checked_mode(self, mode, ("multi_hot", "one_hot", "count"))

    def call(self, inputs: Any, count_weights: Any = None) -> Any:
        if count_weights is None:
            return ops.one_hot(inputs, self.num_tokens, self.output_mode)
        where, shape = f"CategoryEncoding '{self.name}'", tuple(inputs.shape)
        if self.output_mode != "count":
            raise ValueError(f"[{where}] expected count_weights with output_mode 'count', not {self.output_mode!r}.")
        if tuple(count_weights.shape) != shape:
            raise ValueError(f"[{where}] expected count_weights of shape {shape}, received {count_weights.shape}.")
        vectors = ops.one_hot(inputs, self.num_tokens, "one_hot")
        if len(vectors.shape) == len(shape):  # one code a vector
            return vectors * (count_weights if len(shape) > 1 else ops.expand_dims(count_weights, 1))
        weighted = vectors * ops.expand_dims(count_weights, len(shape))
        return ops.sum(weighted, axis=-2) if len(shape) > 1 else weighted

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
