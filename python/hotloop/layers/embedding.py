"""Embedding: a learned vector for each code."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import constraints, initializers, ops, regularizers
from ..variable import Variable
from .layer import Layer
from .sizes import checked_size


class Embedding(Layer):
    """Each code becomes the row of a table that has its number: (batch, ..) -> (batch, .., output_dim).

    Of a table of vectors for the categories of a column; a `Flatten` after it makes them features.

    Parameters
    ----------
    input_dim : int
        Number of codes. Codes in columns of data lie in [0, input_dim); others are refused when the data set is made
        (Keras gives NaN). Codes that the model computes are cut to whole numbers; one outside gives zeros.
    output_dim : int
        Length of a vector.
    embeddings_initializer : str or Initializer
        Of the table (input_dim, output_dim).
    embeddings_regularizer : str or Regularizer, optional
    embeddings_constraint : str, Constraint or callable, optional
    mask_zero : bool
        Only False: no layer of a dense network reads a mask.
    weights : array_like, or list of one, optional
        The first table, instead of the initializer's.
    **kwargs
        Of `Layer`. Keras 2's `input_length` is not needed any more.

    Raises
    ------
    ValueError
        For sizes below 1, or a table of another shape.

    Notes
    -----
    Weights: embeddings. Every update moves every row that momentum, Adam or decay move, as in Keras on JAX.

    Examples
    --------
    >>> import numpy as np
    >>> Embedding(3, 2, weights=[[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])(np.array([[2, 0]]))
    array([[[4., 5.],
            [0., 1.]]], dtype=float32)
    """

    not_yet: Mapping[str, Any] = {"lora_rank": None, "lora_alpha": None, "quantization_config": None}

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        **kwargs: Any,
    ) -> None:
        if kwargs.pop("input_length", None) is not None:
            warnings.warn("Embedding(input_length=...) is not needed any more.", DeprecationWarning, stacklevel=2)
        super().__init__(**kwargs)
        self.input_dim = checked_size(input_dim, f"Embedding '{self.name}'", "input_dim")
        self.output_dim = checked_size(output_dim, f"Embedding '{self.name}'", "output_dim")
        if mask_zero:
            raise ValueError(
                f"[Embedding '{self.name}'] expected mask_zero=False, received {mask_zero!r}: no layer of a dense "
                "network reads a mask. Code 0 is a code like any other."
            )
        self.mask_zero = False
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.embeddings: Variable
        if weights is not None:
            self.build()
            self.set_weights([weights[0] if np.ndim(weights) == 3 else weights])

    def build(self, input_shape: Any = None) -> None:
        if self.built:
            return
        self.embeddings = self.add_weight(
            (self.input_dim, self.output_dim), self.embeddings_initializer, name="embeddings",
            regularizer=self.embeddings_regularizer, constraint=self.embeddings_constraint,
        )  # fmt: skip

    def call(self, inputs: Any) -> Any:
        return ops.apply("embedding", [ops.codes(inputs, self.input_dim), self.embeddings])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": initializers.serialize(self.embeddings_initializer),
            "embeddings_regularizer": regularizers.serialize(self.embeddings_regularizer),
            "embeddings_constraint": constraints.serialize(self.embeddings_constraint),
            "mask_zero": self.mask_zero,
        }
