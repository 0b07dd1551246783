"""Very deep dense networks: stacks of residual blocks that begin near the identity."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .data import positive
from .identifiers import unknown_name
from .layers import Dense, Input, LayerScale, Residual
from .layers.layer import Layer
from .sequential import Sequential

SCHEMES = ("fixup", "layer_scale", "none")


def residual_mlp(
    input_shape: Any,
    width: int,
    blocks: int,
    units: int,
    activation: Any = None,
    *,
    hidden_activation: Any = "relu",
    layers_per_block: int = 2,
    scheme: str = "fixup",
    init_values: float = 1e-4,
    kernel_initializer: Any = "he_normal",
    dtype: str | None = None,
    name: str | None = None,
) -> Sequential:
    """A dense network of residual blocks, as deep as one likes, without batch normalisation.

    Parameters
    ----------
    input_shape : int or tuple of int
        Of a sample: (features,).
    width : int
        Units of every hidden layer.
    blocks : int
    units : int
        Outputs.
    activation : str or callable, optional
        Of the outputs.
    hidden_activation : str or callable
        Of the first layer and inside the blocks; the last layer of a block has none.
    layers_per_block : int
    scheme : {"fixup", "layer_scale", "none"}
        How blocks begin: "fixup", as `apply_fixup` says, with a scalar multiplier each; "layer_scale", with a
        `LayerScale` at their end; "none", as `kernel_initializer` makes them, which explodes with depth.
    init_values : float
        Of `LayerScale`.
    kernel_initializer
    dtype : str, optional
    name : str, optional

    Returns
    -------
    Sequential
        Of 2 + blocks * layers_per_block Dense layers.

    Raises
    ------
    ValueError
        For counts below 1 or another scheme.

    Examples
    --------
    >>> from hotloop.models import residual_mlp
    >>> model = residual_mlp(4, width=8, blocks=499, units=1)
    >>> model.output_shape, len(model.layers)
    ((None, 1), 501)
    """
    blocks = positive(blocks, "residual_mlp", "blocks")
    layers_per_block = positive(layers_per_block, "residual_mlp", "layers_per_block")
    if scheme not in SCHEMES:
        raise unknown_name("residual_mlp", scheme, list(SCHEMES))
    options = {"kernel_initializer": kernel_initializer, "dtype": dtype}
    shape = tuple(input_shape) if isinstance(input_shape, Iterable) else (input_shape,)
    model = Sequential([Input(shape, dtype=dtype), Dense(width, hidden_activation, **options)], name=name)
    for _ in range(blocks):
        inside: list[Layer] = [Dense(width, hidden_activation, **options) for _ in range(layers_per_block - 1)]
        inside.append(Dense(width, **options))
        if scheme != "none":
            first = (1.0, True) if scheme == "fixup" else (init_values, False)
            inside.append(LayerScale(*first, dtype=dtype))
        model.add(Residual(inside, dtype=dtype))
    model.add(Dense(units, activation, dtype=dtype))
    if scheme == "fixup":
        apply_fixup(model)
    return model


def apply_fixup(model: Any) -> None:
    """Begin a stack of `Residual` blocks by Fixup, so that an update changes the outputs by as much at any depth.

    Parameters
    ----------
    model : Model
        Built. Its weights are drawn anew: of L blocks with m Dense layers each, the last layer of every block is zero,
        the others are as their initialiser makes them, times L^(-1 / (2 m - 2)); the head is zero. Other layers
        stay; pruning starts anew.

    Raises
    ------
    ValueError
        If the model has no weights yet, is quantized, or has no `Residual` layer with a Dense one inside.

    Notes
    -----
    The paper's scalar biases are part of the Dense layers' own; its scalar multipliers are
    ``LayerScale(1.0, scalar=True)`` at the end of a block. Zhang, Dauphin and Ma, "Fixup Initialization: Residual
    Learning Without Normalization", ICLR 2019.

    Examples
    --------
    >>> import numpy as np, hotloop as keras
    >>> block = keras.layers.Residual([keras.layers.Dense(8, "relu"), keras.layers.Dense(4)])
    >>> model = keras.Sequential([keras.Input((4,)), block, keras.layers.Dense(1)])
    >>> keras.models.apply_fixup(model)
    >>> float(abs(model.predict(np.ones((1, 4)), verbose=0)).max())
    0.0
    """
    from .transfer import head_layers

    inside = [
        [layer for layer in block._all_layers() if isinstance(layer, Dense)]
        for block in model._all_layers()
        if isinstance(block, Residual)
    ]
    stacks = [stack for stack in inside if stack]
    if not stacks or not all(layer.built for stack in stacks for layer in stack):
        raise ValueError(
            f"[apply_fixup] expected a model that is built, with Residual layers and Dense ones inside, received "
            f"'{model.name}'."
        )
    ends = [stack[-1] for stack in stacks] + [layer for layer in head_layers(model) if isinstance(layer, Dense)]
    for layer in [*ends, *(layer for stack in stacks for layer in stack)]:
        if layer.storage is not None:
            raise ValueError(
                f"[apply_fixup] expected layers that can be trained, received '{layer.name}', which is quantized."
            )
    for stack in stacks:
        for layer in stack[:-1]:
            values = layer.kernel_initializer(layer.kernel.shape, layer.kernel.dtype)
            layer.kernel.assign(values * len(stacks) ** (-1 / (2 * len(stack) - 2)))
            layer.kernel.keep_zeros = False
    for layer in ends:
        for variable in layer.weights:
            variable.assign(np.zeros(variable.shape, variable.dtype))
            variable.keep_zeros = False  # or it would never learn
