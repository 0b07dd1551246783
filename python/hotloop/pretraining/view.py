"""Other functions of a model's weights than the one it computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..model import Model


class View(Model):
    """What a function makes of tensors, with the weights of a model that is built by the same data if it is not yet.

    Parameters
    ----------
    model : Model
    function : callable
        From the input's tensor to the output's.
    """

    def __init__(self, model: Model, function: Callable[[Any], Any]) -> None:
        super().__init__(dtype=model._compute_dtype)
        self.model, self.function = model, function

    def call(self, inputs: Any) -> Any:
        self.model._ensure_built((inputs,))
        return self.function(inputs)
