"""Compression: the same model with layers that hold only what pruning has left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from ..data import positive
from ..exporting.fold import can_fold
from ..identifiers import custom_object_scope
from ..layers import BlockSparseDense, Dense
from ..layers.layer import Layer
from ..layers.sparse_dense import blocks_of
from ..sequential import Sequential
from ..state import custom_classes
from .magnitude import check_model

if TYPE_CHECKING:
    from ..model import Model

_REPEATS = 200  # of a product that is timed, of which the fastest counts


def compress(model: Model, rows: int = 1, most: float | None = None) -> Any:
    """A model whose pruned `Dense` layers are `BlockSparseDense`, where these are faster: smaller, too, in files.

    Parameters
    ----------
    model : Model
        Sequential or functional, built and pruned in blocks of `BLOCK`; it stays as it is.
    rows : int
        How many rows a prediction will have; this many are timed, on one worker.
    most : float, optional
        Take every layer of which at most this share of the blocks is not zero, instead of timing it: the same choice on
        every machine. With half of the blocks left the sparse product was still the faster one of nearly all that
        `python -m benchmarks.pruning --products` times.

    Returns
    -------
    Model
        With layers of the same names, and new variables; compiled alike if the model is. The optimizer starts anew.

    Raises
    ------
    ValueError
        If the model is not built, or has a `call` of its own.

    Notes
    -----
    The outputs are the same but for the rounding of sums. Regularizers and constraints of the kernels are left out: the
    new model is for predicting. Training it moves the weights of the blocks that are left.

    Examples
    --------
    >>> import numpy as np, hotloop as keras
    >>> model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(2)])
    >>> keras.pruning.prune(model, 0.9, block_size=keras.pruning.BLOCK)
    >>> small = keras.pruning.compress(model, most=0.3)
    >>> [type(layer).__name__ for layer in small.layers]
    ['BlockSparseDense', 'BlockSparseDense']
    >>> x = np.ones((3, 64), "float32")
    >>> bool(np.allclose(small(x), model(x), atol=1e-5))
    True
    """
    positive(rows, "compress", "rows")
    if most is not None and (isinstance(most, (bool, str)) or not 0 <= most <= 1):
        raise ValueError(f"[compress] expected most in [0, 1], a share of the blocks, received {most!r}.")
    check_model("compress", model)
    if not can_fold(model):
        raise ValueError(
            f"[compress '{model.name}'] expected a Sequential or functional model, received a {type(model).__name__} "
            "with a `call` of its own. Compress the models it is made of."
        )
    if not model.built:
        raise ValueError(
            f"[compress '{model.name}'] expected a model with weights, received one that is not built. Give it an "
            "Input, or call it on data."
        )
    layers = model._all_layers()
    names = [layer.name for layer in layers]
    found = {
        layer.name: new
        for layer in layers
        if names.count(layer.name) == 1 and (new := compressed_layer(layer, rows, most)) is not None
    }
    classes = custom_classes(model)
    config = _replaced(model.get_config(), found)
    with custom_object_scope(classes):
        result: Any = type(model).from_config(config, custom_objects=classes)
        if isinstance(model, Sequential) and result._inputs is None:
            result.build(model.input_shape)
        if model.compiled:
            result.compile_from_config(model.get_compile_config())
    for old, new in zip(layers, result._all_layers(), strict=True):
        if isinstance(new, BlockSparseDense) and isinstance(old, Dense):
            new.set_weights(found[old.name].get_weights())
        else:
            for (to, _), (source, _) in zip(new._own_variables(), old._own_variables(), strict=True):
                to.assign(source.numpy())
                to.keep_zeros = source.keep_zeros
    return result


def compressed_layer(layer: Any, rows: int = 1, most: float | None = None) -> BlockSparseDense | None:
    """What `compress` takes in the place of one layer, with its weights; None where that would not be faster.

    Parameters
    ----------
    layer : Layer
    rows, most
        As in `compress`.
    """
    if type(layer) is not Dense or not layer.built or layer.storage is not None:
        return None
    if isinstance(layer.activation, Layer) and layer.activation.weights:
        return None
    kernel = layer.kernel.numpy()
    indices, offsets, values = blocks_of(kernel)
    blocks = len(indices) / (kernel.shape[0] * (len(offsets) - 1))
    if most is None:
        if blocks > 0.9 or not _is_faster(kernel, indices, offsets, values, rows):
            return None
    elif blocks > most:
        return None
    new = BlockSparseDense.from_config(_config_of(layer.get_config(), len(indices)))
    new.build((None, kernel.shape[0]))
    new.set_kernel(kernel)
    if layer.bias is not None and new.bias is not None:
        new.bias.assign(layer.bias.numpy())
    return new


def _config_of(dense: Mapping[str, Any], blocks: int) -> dict[str, Any]:
    taken = ("name", "trainable", "dtype", "activity_regularizer", "units", "activation", "use_bias")
    return {**{key: dense[key] for key in taken if key in dense}, "blocks": blocks}


def _replaced(config: Any, found: Mapping[str, BlockSparseDense]) -> Any:
    """The configuration of a model with other layers of these names in it."""
    if isinstance(config, Mapping):
        inner = config.get("config")
        if config.get("class_name") == "Dense" and isinstance(inner, Mapping) and inner.get("name") in found:
            new = _config_of(inner, found[inner["name"]].blocks)
            return {**config, "class_name": "BlockSparseDense", "config": new}
        return {key: _replaced(value, found) for key, value in config.items()}
    return [_replaced(value, found) for value in config] if isinstance(config, list) else config


def _is_faster(kernel: np.ndarray, indices: np.ndarray, offsets: np.ndarray, values: np.ndarray, rows: int) -> bool:
    """Whether the sparse product of a kernel takes less time than the dense one; they are timed in turns."""
    sparse, dense = product_timers(kernel, indices, offsets, values, rows)
    times = [(sparse(), dense()) for _ in range(3)]
    return min(a for a, _ in times) < min(b for _, b in times)


def product_timers(
    kernel: np.ndarray, indices: np.ndarray, offsets: np.ndarray, values: np.ndarray, rows: int
) -> list[Callable[[], float]]:
    """Two functions that give the seconds, on one worker, of the product by the blocks and of that by the kernel."""
    attrs = {"units": kernel.shape[1], "indices": indices.tolist(), "offsets": offsets.tolist()}
    products: list[tuple[str, np.ndarray, dict[str, Any]]] = [
        ("sparse_dense", values.reshape(-1), attrs), ("matmul", kernel, {})
    ]  # fmt: skip
    return [_timer(op, weights, given, kernel.shape[0], rows) for op, weights, given in products]


def _timer(op: str, weights: np.ndarray, attrs: dict[str, Any], features: int, rows: int) -> Callable[[], float]:
    dtype = weights.dtype.name
    graph = _core.Graph(dtype)
    x = graph.input((features,), dtype, "x")
    y = graph.add(op, [x, graph.variable(0, weights.shape, False, "w")], attrs, "product")
    graph.output(y)
    trainer = _core.Trainer([("w", weights.shape)], dtype, 1)
    trainer.set(0, np.ascontiguousarray(weights))
    plan = trainer.plan(graph, rows)
    outputs = [np.empty((rows, *graph.shape(y)[1:]), dtype)]
    data = _core.Dataset([np.ones((rows, features), dtype)])
    product = next(i for i, step in enumerate(plan.describe()) if step["op"] == op)
    return lambda: trainer.time_steps(plan, data, rows, outputs, _REPEATS)[product]
