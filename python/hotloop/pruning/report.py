"""How sparse the weights of a model are, whatever made them so."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..layers.sparse_dense import BlockSparseDense, blocks_of
from .magnitude import BLOCK, check_model, kernels

if TYPE_CHECKING:
    from ..model import Model


class LayerSparsity(NamedTuple):
    """One kernel.

    Attributes
    ----------
    weight : str
        Its path, ``layer/kernel``.
    shape : tuple of int
    zeros, zero_blocks : float
        The share of its weights that are zero, and of its blocks of `BLOCK` that are zero as a whole.
    dense_bytes, sparse_bytes : int
        What it takes in memory and in files as it is, and in a `BlockSparseDense`.
    """

    weight: str
    shape: tuple[int, ...]
    zeros: float
    zero_blocks: float
    dense_bytes: int
    sparse_bytes: int


class Sparsity(list[LayerSparsity]):
    """A `LayerSparsity` for each kernel; printed, a table.

    Attributes
    ----------
    zeros, zero_blocks : float
        Shares of all kernels together.
    dense_bytes, sparse_bytes : int
    """

    @property
    def zeros(self) -> float:
        return self._share([layer.zeros for layer in self])

    @property
    def zero_blocks(self) -> float:
        return self._share([layer.zero_blocks for layer in self])

    @property
    def dense_bytes(self) -> int:
        return sum(layer.dense_bytes for layer in self)

    @property
    def sparse_bytes(self) -> int:
        return sum(layer.sparse_bytes for layer in self)

    def _share(self, shares: list[float]) -> float:
        sizes = [int(np.prod(layer.shape)) for layer in self]
        return sum(size * share for size, share in zip(sizes, shares, strict=True)) / sum(sizes)

    def __str__(self) -> str:
        total = LayerSparsity("all", (), self.zeros, self.zero_blocks, self.dense_bytes, self.sparse_bytes)
        width = max(6, *(len(layer.weight) for layer in self))
        lines = [f"{'weight':{width}}  {'shape':>14}  {'zeros':>7}  {'blocks':>7}  {'dense':>12}  {'sparse':>12}"]
        for name, shape, zeros, blocks, dense, sparse in [*self, total]:
            sizes = " x ".join(map(str, shape))
            lines.append(f"{name:{width}}  {sizes:>14}  {zeros:7.2%}  {blocks:7.2%}  {dense:>10} B  {sparse:>10} B")
        return "\n".join(lines)


def sparsity(model: Model, threshold: float = 0.0) -> Sparsity:
    """How many of each kernel's weights are zero: after `prune`, with the optimizer `Ftrl`, or an l1 penalty.

    Parameters
    ----------
    model : Model
    threshold : float
        Weights of at most this magnitude count as zero: what an l1 penalty makes small it seldom makes exactly zero.

    Returns
    -------
    Sparsity
        A list with a `LayerSparsity` for each kernel, and the shares of all of them.

    Raises
    ------
    ValueError
        If the model has no kernel.

    Examples
    --------
    >>> import numpy as np, hotloop as keras
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(32, name="hidden")])
    >>> keras.pruning.prune(model, 0.75, block_size=keras.pruning.BLOCK)
    >>> print(keras.pruning.sparsity(model))
    weight                  shape    zeros   blocks         dense        sparse
    hidden/kernel          4 x 32   75.00%   75.00%         512 B         148 B
    all                             75.00%   75.00%         512 B         148 B
    """
    if isinstance(threshold, (bool, str)) or not threshold >= 0:
        raise ValueError(f"[sparsity] expected a threshold of at least 0, received {threshold!r}.")
    check_model("sparsity", model)
    layers = [layer for layer in model._all_layers() if isinstance(layer, BlockSparseDense) and layer.built]
    found = [_described(f"{layer.name}/kernel", layer.kernel, threshold) for layer in layers]
    if not layers or any(v.name == "kernel" for v in model.weights):
        found = [_described(v.path, v.numpy(), threshold) for v in kernels(model, None, "sparsity")] + found
    return Sparsity(found)


def _described(name: str, kernel: np.ndarray, threshold: float) -> LayerSparsity:
    kept = np.where(np.abs(kernel) <= threshold, 0, kernel)
    indices, offsets, values = blocks_of(kept)
    blocks = kernel.shape[0] * -(-kernel.shape[1] // BLOCK[1])
    return LayerSparsity(
        name, kernel.shape, float(np.mean(kept == 0)), 1 - np.count_nonzero(values.any(axis=1)) / blocks, kernel.nbytes,
        values.nbytes + indices.nbytes + offsets.nbytes,
    )  # fmt: skip
