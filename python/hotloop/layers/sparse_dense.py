"""BlockSparseDense: a fully connected layer that holds and multiplies only blocks of weights that are not zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import activations, ops
from ..variable import Variable, tracing
from .layer import Layer
from .sizes import checked_size

_COLUMNS = 16  # of a block (csrc/ops/sparse.h)


class BlockSparseDense(Layer):
    """y = activation(x kernel + bias), over the last axis of x, of a kernel that is mostly zeros.

    What `hotloop.pruning.compress` makes of a pruned `Dense`. The kernel is cut into blocks, each one input's weights
    of 16 neighbouring units; the layer holds those that are not zero and where they stand (blocked CSR).

    Parameters
    ----------
    units : int
        Width of the output.
    blocks : int
        How many blocks it holds.
    activation : str, callable or Layer, optional
        None is the identity.
    use_bias : bool
    **kwargs
        Of `Layer`.

    Attributes
    ----------
    kernel : ndarray of shape (inputs, units)
        A copy of the weights with their zeros; `set_kernel` replaces them.

    Notes
    -----
    Weights: values (16 * blocks), bias; and, not trained, indices (blocks) and offsets (ceil(units / 16) + 1), int32:
    block i is row indices[i], and the blocks offsets[p] to offsets[p + 1] - 1 belong to the units from 16 p on. A new
    layer's values are zero. Training moves the weights of the blocks and leaves where they stand. A row has the same
    bits in any batch, but not those of the `Dense` it was made of: sums are added in another order.

    Gray et al., "GPU kernels for block-sparse weights", 2017.

    Examples
    --------
    >>> import numpy as np
    >>> layer = BlockSparseDense(3, blocks=1)
    >>> layer.build((None, 2))
    >>> layer.set_kernel(np.array([[0, 0, 0], [1, 2, 3]]))
    >>> layer(np.array([[5.0, 10.0]]))
    array([[10., 20., 30.]], dtype=float32)
    """

    def __init__(self, units: int, blocks: int, activation: Any = None, use_bias: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        where = f"BlockSparseDense '{self.name}'"
        self.units = checked_size(units, where, "units")
        self.blocks = checked_size(blocks, where, "blocks")
        self.activation = activation if isinstance(activation, Layer) else activations.get(activation)
        self.use_bias = bool(use_bias)
        self.bias: Variable | None = None

    def build(self, input_shape: Any) -> None:
        if len(input_shape) < 2 or input_shape[-1] is None:
            raise ValueError(
                f"[BlockSparseDense '{self.name}'] expected x of shape (batch, .., features), received shape "
                f"{input_shape}. Give the features an axis: x.reshape(-1, 1)."
            )
        self.features = int(input_shape[-1])
        panels = -(-self.units // _COLUMNS)
        if self.blocks > self.features * panels:
            raise ValueError(
                f"[BlockSparseDense '{self.name}'] expected at most {self.features * panels} blocks for "
                f"{self.features} features and {self.units} units, received {self.blocks}."
            )
        self.values = self.add_weight((_COLUMNS * self.blocks,), "zeros", name="values")
        if self.use_bias:
            self.bias = self.add_weight((self.units,), "zeros", name="bias")
        self.indices = self.add_weight((self.blocks,), "zeros", "int32", trainable=False, name="indices")
        self.offsets = self.add_weight((panels + 1,), "zeros", "int32", trainable=False, name="offsets")
        places = np.arange(self.blocks) * (self.features * panels) // self.blocks  # evenly over the kernel
        self.indices.assign(places % self.features)
        self.offsets.assign(np.searchsorted(places, np.arange(panels + 1) * self.features))

    def call(self, inputs: Any) -> Any:
        indices, offsets = self._structure()
        attrs = {"units": self.units, "indices": indices.tolist(), "offsets": offsets.tolist()}
        weights = [self.values] if self.bias is None else [self.values, self.bias]
        outputs = ops.apply("sparse_dense", [inputs, *weights], attrs)
        return outputs if self.activation is activations.get(None) else self.activation(outputs)

    def _structure(self) -> tuple[np.ndarray, np.ndarray]:
        token = tracing.set(None)  # where blocks stand is a constant of what is traced
        try:
            return self.indices.numpy(), self.offsets.numpy()
        finally:
            tracing.reset(token)

    @property
    def kernel(self) -> np.ndarray:
        return kernel_of(self.values.numpy(), *self._structure(), self.features, self.units)

    def set_kernel(self, kernel: Any) -> None:
        """Hold these weights instead, with as many blocks that are not zero.

        Raises
        ------
        ValueError
            If the shape or the number of blocks is another.
        """
        array = np.asarray(kernel, self.values.dtype)
        if array.shape != (self.features, self.units):
            raise ValueError(
                f"[BlockSparseDense '{self.name}'] expected a kernel of shape {(self.features, self.units)}, received "
                f"{array.shape}."
            )
        indices, offsets, values = blocks_of(array)
        if len(indices) != self.blocks:
            raise ValueError(
                f"[BlockSparseDense '{self.name}'] expected a kernel with {self.blocks} blocks that are not zero, "
                f"received one with {len(indices)}. `pruning.compress` makes layers of any number."
            )
        self.values.assign(values.reshape(-1))
        self.indices.assign(indices)
        self.offsets.assign(offsets)

    def get_config(self) -> dict[str, Any]:
        from .serialization import serialize

        layer = isinstance(self.activation, Layer)
        return {
            **super().get_config(),
            "units": self.units,
            "blocks": self.blocks,
            "activation": serialize(self.activation) if layer else activations.serialize(self.activation),
            "use_bias": self.use_bias,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> BlockSparseDense:
        from .serialization import deserialize

        activation = config.get("activation")
        if isinstance(activation, dict):
            config = {**config, "activation": deserialize(activation)}
        return cls(**config)


def blocks_of(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The blocks of a kernel (inputs, units) that are not zero, or one that is, in the order a layer holds them.

    Returns
    -------
    indices : ndarray of int32, shape (blocks,)
    offsets : ndarray of int32, shape (panels + 1,)
    values : ndarray of shape (blocks, 16)
    """
    rows, units = kernel.shape
    panels = -(-units // _COLUMNS)
    padded = np.pad(kernel, ((0, 0), (0, panels * _COLUMNS - units))).reshape(rows, panels, _COLUMNS)
    kept = padded.any(axis=2).T  # (panels, rows)
    if not kept.any():
        kept[0, 0] = True
    panel, row = np.nonzero(kept)
    offsets = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    return row.astype(np.int32), offsets.astype(np.int32), padded[row, panel]


def kernel_of(values: np.ndarray, indices: Any, offsets: Any, features: int, units: int) -> np.ndarray:
    """The kernel (features, units) of blocks in that order."""
    panels = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    kernel = np.zeros((features, len(offsets) - 1, _COLUMNS), values.dtype)
    kernel[indices, panels] = values.reshape(-1, _COLUMNS)
    return kernel.reshape(features, -1)[:, :units].copy()
