"""Lambda: a function of tensors as a layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ..identifiers import function_of
from .layer import Layer


class Lambda(Layer):
    """A function as a layer. It is traced once for each mode, as a layer's `call` is.

    A file holds the name of the function alone: `load_model` wants it in `custom_objects`, and a lambda, which has no
    name, cannot be saved. (Keras writes a lambda's byte code and refuses to read it unless `safe_mode=False`.)

    Parameters
    ----------
    function : callable
        Of the inputs, written with `hotloop.ops` and operators; it may take `training`, and counts as `stochastic`
        then: `predict_mc` samples it.
    output_shape : optional
        Accepted as Keras does; the trace knows the shape.
    mask : None
        Masks are not there.
    arguments : mapping, optional
        Further arguments of the function.
    **kwargs
        Of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> Lambda(lambda x: x**2)(np.array([[3.0]]))
    array([[9.]], dtype=float32)
    """

    not_yet: Mapping[str, Any] = {"mask": None}

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        arguments: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.function = function_of(f"Lambda '{self.name}'", function)
        if not callable(self.function):
            raise TypeError(f"[Lambda '{self.name}'] expected a function, received {type(function).__name__}.")
        self.arguments = dict(arguments or {})
        self.stochastic = self._takes_training()
        self._output_shape = output_shape

    def call(self, inputs: Any, training: bool = False) -> Any:
        arguments = dict(self.arguments)
        if self._takes_training():
            arguments["training"] = training
        return self.function(inputs, **arguments)

    def _takes_training(self) -> bool:
        return "training" in inspect.signature(self.function).parameters

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "function": self.function, "arguments": self.arguments}
