"""Input: where data enters a model."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..config import floatx
from ..identifiers import take_not_yet
from ..naming import auto_name
from ..tensor import KerasTensor, Node
from .layer import Layer
from .sizes import checked_shape

_NOT_YET = {"sparse": None, "ragged": None, "tensor": None, "optional": False}
_DTYPES = ("float32", "float64", "int32", "string")


class InputLayer(Layer):
    """The node of an input. `Input` makes one and returns its tensor.

    Parameters
    ----------
    shape : tuple of int
        Of one sample, without the batch axis.
    batch_size : int, optional
        Kept for `get_config`; every batch size runs.
    dtype : str, optional
        "int32" for codes, "string" for columns that a StringLookup or Hashing reads; else `config.floatx()`.
    batch_shape : tuple, optional
        `(batch_size, *shape)` instead of `shape`.
    name : str, optional
    sparse, ragged, input_tensor, optional
        Keras's defaults only.
    """

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: str | None = None,
        sparse: Any = None,
        ragged: Any = None,
        batch_shape: Any = None,
        input_tensor: Any = None,
        optional: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name or auto_name("input_layer"))
        given = {"sparse": sparse, "ragged": ragged, "tensor": input_tensor, "optional": optional}
        take_not_yet("Input", given, _NOT_YET)
        if (shape is None) == (batch_shape is None):
            raise ValueError(f"[Input] expected either shape or batch_shape, received {shape} and {batch_shape}.")
        if batch_shape is not None:
            batch_size, shape = batch_shape[0], batch_shape[1:]
        self.shape = checked_shape(shape, "Input", "shape")
        self.batch_size = batch_size
        self.dtype = _checked_dtype(dtype)
        self.built = True
        Node(self, (), {}, KerasTensor((None, *self.shape), self.dtype, name=self.name))

    @property
    def batch_shape(self) -> tuple[int | None, ...]:
        """`(batch_size, *shape)`."""
        return (self.batch_size, *self.shape)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"[Input '{self.name}'] is where data enters a model; it cannot be called.")

    def get_config(self) -> dict[str, Any]:
        return {"batch_shape": list(self.batch_shape), "dtype": self.dtype, "name": self.name}


def Input(  # noqa: N802
    shape: Any = None,
    batch_size: int | None = None,
    dtype: str | None = None,
    sparse: Any = None,
    ragged: Any = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
) -> KerasTensor:
    """A symbolic tensor that stands for a model's input.

    Parameters
    ----------
    shape : tuple of int
        Of one sample, without the batch axis; `()` for one number a sample.
    batch_size : int, optional
    dtype : str, optional
        "int32" for codes, "string" for columns that a StringLookup or Hashing reads; else `config.floatx()`.
    batch_shape : tuple, optional
        `(batch_size, *shape)` instead of `shape`.
    name : str, optional
        The key of this input in a dict of arrays.
    sparse, ragged, tensor, optional
        Keras's defaults only.

    Examples
    --------
    >>> Input((784,)).shape
    (None, 784)
    """
    return InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name).output


def _checked_dtype(dtype: Any) -> str:
    if dtype is None:
        return floatx()
    name = dtype if dtype in ("string", "int32") else np.dtype(dtype).name
    if name in ("object", "str"):
        return "string"
    if name in _DTYPES:
        return name
    kind = np.dtype(dtype).kind
    if kind in "iub":
        return "int32"
    if kind == "f":
        return floatx()  # half precision is converted while batches are gathered
    raise ValueError(f"[Input] expected a dtype of numbers, or 'string', received {dtype!r}.")
