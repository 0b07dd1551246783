"""Magnitude pruning: the smallest weights, or blocks of them, become zero and stay so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import positive
from ..identifiers import unknown_name
from ..layers.layer import Layer
from ..slab import at_rest
from ..variable import COMPACT, Variable
from .schedules import checked_share

if TYPE_CHECKING:
    from ..model import Model

BLOCK = (1, 16)  # of the sparse kernels: one input, 16 neighbouring units (csrc/ops/sparse.h)


def prune(
    model: Model,
    sparsity: float = 0.5,
    block_size: int | Sequence[int] = (1, 1),
    scope: str = "layer",
    layers: Layer | str | Iterable[Layer | str] | None = None,
    *,
    norm: int = 2,
) -> None:
    """Set the smallest weights to zero, in place. Training leaves them zero, whatever the optimizer, until `release`.

    Parameters
    ----------
    model : Model
        Built, so that it has weights.
    sparsity : float
        In [0, 1): the share of each kernel's weights that is zero afterwards, or of all kernels' together. Zeros that
        are there count; none comes back.
    block_size : int or (int, int)
        (1, 1) prunes single weights. (1, 16), or 16, prunes blocks of 16 units' weights of one input, which lose a
        little more accuracy, and which `compress` makes fast.
    scope : {"layer", "global"}
        "global" takes the smallest of all kernels, so that layers that need their weights keep more of them.
    layers : Layer, str or iterable of them, optional
        Layers, or their names, to prune every matrix of; every layer's matrix named ``kernel`` unless told.
    norm : {1, 2}
        A block is as large as the mean of its weights' magnitudes, or the root of the mean of their squares.

    Raises
    ------
    ValueError, TypeError
        For a model without kernels, an unknown layer, or arguments out of range.

    Notes
    -----
    Where a weight of a pruned kernel is 0 before an update it is 0 after it, in running averages too; its gradient
    counts as 0 in norms for clipping. A kernel that begins as zeros alone (`models.apply_fixup`) is left free until it
    has learnt what is small: prune it after some training. `Variable.keep_zeros` is the flag; native files,
    `clone_model`, copies and pickle keep it. Pruned in small steps while it trains, a model loses less:
    `callbacks.Pruning`.

    Han et al., "Learning both weights and connections for efficient neural networks", NeurIPS 2015. Blocks: Gray et
    al., "GPU kernels for block-sparse weights", 2017.

    Examples
    --------
    >>> import hotloop as keras
    >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(32), keras.layers.Dense(2)])
    >>> keras.pruning.prune(model, 0.75)
    >>> keras.pruning.sparsity(model).zeros
    0.75
    """
    share = checked_share("prune", "sparsity", sparsity)
    block = checked_block("prune", block_size)
    check_choices("prune", scope, norm)
    prune_variables(kernels(model, layers, "prune"), share, block, scope, norm)


def release(model: Model) -> None:
    """Let training move every weight again, also those that `prune` has set to zero.

    Parameters
    ----------
    model : Model

    Examples
    --------
    >>> import hotloop as keras
    >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(32)])
    >>> keras.pruning.prune(model, 0.5)
    >>> keras.pruning.release(model)
    >>> keras.pruning.is_pruned(model)
    False
    """
    for variable in model.weights:
        variable.keep_zeros = False


def is_pruned(model: Model) -> bool:
    """Whether training keeps zeros of any of the model's weights."""
    return any(variable.keep_zeros for variable in model.weights)


def checked_block(where: str, block_size: Any) -> tuple[int, int]:
    """Rows and columns of a block."""
    sizes = tuple(block_size) if isinstance(block_size, (list, tuple, np.ndarray)) else (1, block_size)
    if len(sizes) != 2:
        raise ValueError(f"[{where}] expected block_size as a number of columns or (rows, columns), received {sizes}.")
    rows, columns = (positive(size, where, "block_size") for size in sizes)
    return rows, columns


def check_model(where: str, model: Any) -> None:
    """Refuse what is no model, or part of one."""
    if not isinstance(model, Layer):
        raise TypeError(f"[{where}] expected a model, received {type(model).__name__}.")


def check_choices(where: str, scope: Any, norm: Any) -> None:
    """Refuse an unknown scope or norm."""
    if scope not in ("layer", "global"):
        raise ValueError(f"[{where}] expected scope to be 'layer' or 'global', received {scope!r}.")
    if norm not in (1, 2):
        raise ValueError(f"[{where}] expected norm to be 1 or 2, received {norm!r}.")


def kernels(model: Any, layers: Layer | str | Iterable[Layer | str] | None, where: str) -> list[Variable]:
    """The matrices to prune, each once."""
    check_model(where, model)
    everything = [layer for layer in model._all_layers() if layer is not model]
    if isinstance(layers, (Layer, str)):
        layers = [layers]
    chosen = everything if layers is None else [_layer_of(layer, everything, where) for layer in layers]
    found: dict[int, Variable] = {}
    for layer in chosen:
        own = [variable for variable, _ in layer._own_variables()]
        weights = own if layers is None else layer.weights
        found.update(
            (id(v), v)
            for v in weights
            if len(v.shape) == 2 and v.dtype not in COMPACT and (layers is not None or v.name == "kernel")
        )
    if not found:
        unbuilt = "" if model.built else " It is not built: give it an Input, or call it on data."
        if any(variable.dtype in COMPACT for variable in model.weights):
            unbuilt = " Kernels that are quantized are not pruned any more: prune the model before `quantize`."
        raise ValueError(f"[{where}] expected layers with a kernel, received '{model.name}' without any.{unbuilt}")
    return list(found.values())


def _layer_of(layer: Any, layers: Sequence[Layer], where: str) -> Layer:
    found = next((one for one in layers if one is layer or one.name == layer), None)
    if found is None and isinstance(layer, str):
        raise unknown_name(where, layer, [one.name for one in layers])
    if found is None:
        raise TypeError(f"[{where}] expected layers of the model or their names, received {layer!r}.")
    return found


def prune_variables(variables: Sequence[Variable], share: float, block: tuple[int, int], scope: str, norm: int) -> None:
    """Set the smallest blocks of these matrices to zero, and keep them so; those that begin as zeros have none."""
    with at_rest(variables):
        variables = [variable for variable in variables if variable.keep_zeros or variable.numpy().any()]
        values = [variable.numpy() for variable in variables]
        scored = [_scores(value, block, norm) for value in values]
        groups = [range(len(values))] if scope == "global" and values else [[i] for i in range(len(values))]
        for group in groups:
            scores = np.concatenate([scored[i][0].ravel() for i in group])
            sizes = np.concatenate([scored[i][1].ravel() for i in group])
            pruned = _smallest(scores, sizes, round(share * int(sizes.sum())))
            at = 0
            for i in group:
                shape = scored[i][0].shape
                mask = pruned[at : at + scored[i][0].size].reshape(shape)
                at += mask.size
                whole = mask.repeat(block[0], axis=0).repeat(block[1], axis=1)
                values[i][whole[: values[i].shape[0], : values[i].shape[1]]] = 0
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
            variable.keep_zeros = True


def _scores(value: np.ndarray, block: tuple[int, int], norm: int) -> tuple[np.ndarray, np.ndarray]:
    """How large each block is, whatever its size, and how many weights it has; those at the edges have fewer."""
    powers = np.abs(value) if norm == 1 or block == (1, 1) else np.square(value)
    if block == (1, 1):
        return powers, np.ones(value.shape, np.int64)
    sizes = np.multiply.outer(*(np.diff([*range(0, n, b), n]) for n, b in zip(value.shape, block, strict=True)))
    for axis, width in enumerate(block):
        powers = np.add.reduceat(powers, np.arange(0, value.shape[axis], width), axis=axis, dtype=np.float64)
    return powers / sizes, sizes


def _smallest(scores: np.ndarray, sizes: np.ndarray, count: int) -> np.ndarray:
    """Which blocks are the smallest that hold `count` weights, or just fewer; of equal ones the first."""
    if len(scores) == 0 or count <= 0:
        return np.zeros(len(scores), bool)
    if (sizes == sizes[0]).all():  # a partition costs less than an order
        n = min(count // int(sizes[0]), len(scores))
        if n == len(scores):
            return np.ones(len(scores), bool)
        limit = np.partition(scores, n)[n]
        pruned = scores < limit
        pruned[np.flatnonzero(scores == limit)[: n - int(pruned.sum())]] = True
        return pruned
    order = np.argsort(scores, kind="stable")
    pruned = np.zeros(len(scores), bool)
    pruned[order[np.cumsum(sizes[order]) <= count]] = True
    return pruned
