"""EinsumDense: products of named axes with a kernel."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from .. import activations, constraints, initializers, ops, regularizers
from ..variable import Variable
from .layer import Layer

_EQUATION = re.compile(r"(\.{3})?([a-zA-Z]+)(\.{3})?,([a-zA-Z]+)->(\.{3})?([a-zA-Z]+)(\.{3})?")


class EinsumDense(Layer):
    """y = activation(einsum(equation, x, kernel) + bias).

    Parameters
    ----------
    equation : str
        Such as ``"ab,bc->ac"``, which is Dense, ``"...x,xy->...y"``, or ``"abc,cde->abde"``: the axes of x, of the
        kernel and of y. Every axis of the kernel is one of x or of y; the first one of x is the batch.
    output_shape : int or sequence of (int or None)
        Of y without the batch, and without what "..." stands for; None for axes that x has too.
    activation : str or callable, optional
        None is the identity.
    bias_axes : str, optional
        The axes of y along which a bias is added; none unless told.
    kernel_initializer, bias_initializer : str or Initializer
        What depends on the number of inputs and outputs takes as inputs the axes that are summed over.
    kernel_regularizer, bias_regularizer : str or Regularizer, optional
        Penalties in the loss.
    kernel_constraint, bias_constraint : str, Constraint or callable, optional
        Applied after every update.
    **kwargs
        Of `Layer`, activity_regularizer too.

    Notes
    -----
    Weights: kernel, bias. With a kernel of two axes whose first is summed over it is one product, as Dense is; any
    other is multiplied element by element, in memory for every combination of axes (`ops.einsum`).

    Examples
    --------
    >>> import numpy as np
    >>> EinsumDense("abc,cd->abd", (None, 2), kernel_initializer="ones")(np.ones((1, 3, 4))).shape
    (1, 3, 2)
    """

    not_yet: Mapping[str, Any] = {
        "lora_rank": None, "lora_alpha": None, "gptq_unpacked_column_size": None, "quantization_config": None,
    }  # fmt: skip

    def __init__(
        self,
        equation: str,
        output_shape: Any,
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.equation = equation
        self.partial_output_shape = tuple(output_shape) if isinstance(output_shape, (tuple, list)) else (output_shape,)
        self.activation = activations.get(activation)
        self.bias_axes = bias_axes
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.bias: Variable | None = None
        found = _EQUATION.fullmatch(equation.replace(" ", "")) if isinstance(equation, str) else None
        if not found or (found[1], found[3]) != (found[5], found[7]) or (found[1] and found[3]):
            raise ValueError(
                f"[{self._where}] expected an equation like 'ab,bc->ac', '...ab,bc->...ac' or 'ab...,bc->ac...', "
                f"received {equation!r}."
            )
        self._left, self._right = bool(found[1]), bool(found[3])
        self._of_x, self._of_kernel, self._of_y = found[2], found[4], found[6]

    @property
    def _where(self) -> str:
        return f"EinsumDense '{self.name}'"

    def build(self, input_shape: Any) -> None:
        sizes = self._sizes(tuple(input_shape))
        summed = [i for i, a in enumerate(self._of_kernel) if a not in self._of_y]
        kept = [i for i, a in enumerate(self._of_kernel) if a in self._of_y]
        initializer = self.kernel_initializer
        if isinstance(initializer, initializers.VarianceScaling) and initializer.input_axes is None:
            initializer = copy.copy(initializer)
            initializer.input_axes, initializer.output_axes = summed, kept
        self.kernel = self.add_weight(
            tuple(sizes[a] for a in self._of_kernel), initializer, name="kernel",
            regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        if self.bias_axes:
            self.bias = self.add_weight(
                self._bias_shape(sizes, len(input_shape) - len(self._of_x)), self.bias_initializer, name="bias",
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip

    def _sizes(self, shape: tuple[Any, ...]) -> dict[str, int]:
        """Of the axes by their letters; the batch has none."""
        more = len(shape) - len(self._of_x)
        if more < 0 or (more and not (self._left or self._right)):
            raise ValueError(f"[{self._where}] expected x of {len(self._of_x)} axes, received shape {shape}.")
        known = shape[more:] if self._left else shape[: len(self._of_x)]
        sizes = dict(zip(self._of_x, known, strict=True))
        named = self._of_y if self._left and more else self._of_y[1:]
        if len(named) != len(self.partial_output_shape):
            raise ValueError(
                f"[{self._where}] expected output_shape with a size for each of '{named}', received "
                f"{self.partial_output_shape}."
            )
        for a, size in zip(named, self.partial_output_shape, strict=True):
            if size is not None and sizes.setdefault(a, size) != size:
                raise ValueError(f"[{self._where}] expected size {sizes[a]}, that of x, for '{a}', received {size}.")
        for a in (*self._of_kernel, *named):
            if sizes.get(a) is None:
                what = "no axis of the batch" if a in sizes else "a size in output_shape or in x"
                raise ValueError(f"[{self._where}] expected {what} for '{a}' in '{self.equation}', received none.")
        return {a: size for a, size in sizes.items() if size is not None}

    def _bias_shape(self, sizes: Mapping[str, int], more: int) -> tuple[int, ...]:
        axes = str(self.bias_axes)
        missing = [a for a in axes if a not in self._of_y or a not in sizes]
        if missing:
            raise ValueError(
                f"[{self._where}] expected bias_axes of '{self._of_y}' without the batch, received '{axes}'."
            )
        first = min(self._of_y.find(a) for a in axes)
        return (*(sizes[a] if a in axes else 1 for a in self._of_y[first:]), *([1] * more if self._right else []))

    def call(self, inputs: Any) -> Any:
        outputs = ops.einsum(self.equation, inputs, self.kernel)
        if self.bias is not None:
            outputs = ops.add(outputs, self.bias)
        return outputs if self.activation is activations.get(None) else self.activation(outputs)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "equation": self.equation,
            "output_shape": list(self.partial_output_shape),
            "activation": activations.serialize(self.activation),
            "bias_axes": self.bias_axes,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
        }
