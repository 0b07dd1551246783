"""Networks that put one body on several inputs and compare what it says."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..identifiers import unknown_name
from ..layers import Concatenate, Dense, Input
from ..models import Functional, Model
from ..tensor import KerasTensor

DISTANCES = ("euclidean", "cosine", "difference")


def siamese(body: Any, distance: str = "euclidean", name: str | None = None) -> Functional:
    """A model of two inputs that go through the same body, and how far apart they are behind it.

    Parameters
    ----------
    body : Model
        Built, with one input, and vectors as output.
    distance : {"euclidean", "cosine", "difference"}
        "euclidean": norm(a - b); "cosine": 1 - cos(a, b); both of shape (batch, 1), for the loss
        ``losses.Contrastive``. "difference": a new Dense layer reads abs(a - b) and says with what probability both
        are the same, for "binary_crossentropy".
    name : str, optional

    Returns
    -------
    Functional
        Not compiled. It shares the body: what it learns stays there.

    Raises
    ------
    ValueError
        If the body has another shape, or there is no such distance.

    Notes
    -----
    Hadsell, Chopra and LeCun, "Dimensionality Reduction by Learning an Invariant Mapping", CVPR 2006; with the
    difference Koch, Zemel and Salakhutdinov, "Siamese Neural Networks for One-shot Image Recognition", 2015.

    Examples
    --------
    >>> import hotloop as keras
    >>> body = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8)])
    >>> model = siamese(body, "cosine")
    >>> model.compile("adam", keras.losses.Contrastive())
    >>> model.output_shape, model.layers[-1] is body, body in model.layers
    ((None, 1), True, True)
    """
    inputs, (a, b) = _embedded(body, ("left", "right"), distance)
    if distance == "difference":
        same = Dense(1, activation="sigmoid", name="same", dtype=body._compute_dtype)
        return Functional(inputs, same(ops.abs(a - b)), name=name)
    return Functional(inputs, _distance(a, b, distance), name=name)


def triplet_network(body: Any, distance: str = "euclidean", name: str | None = None) -> Functional:
    """A model of three inputs, whose outputs are the distances of the first to both others, for ``losses.Triplet``.

    Parameters
    ----------
    body, name
        As of `siamese`.
    distance : {"euclidean", "cosine"}

    Returns
    -------
    Functional
        Its output has shape (batch, 2).

    Examples
    --------
    >>> import hotloop as keras
    >>> body = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8)])
    >>> triplet_network(body).output_shape
    (None, 2)
    """
    if distance == "difference":
        raise unknown_name("triplet_network", distance, list(DISTANCES[:2]))
    inputs, (anchor, same, other) = _embedded(body, ("anchor", "same", "other"), distance)
    return Functional(
        inputs, Concatenate()([_distance(anchor, same, distance), _distance(anchor, other, distance)]), name=name
    )


def _embedded(body: Any, names: tuple[str, ...], distance: str) -> tuple[list[KerasTensor], list[KerasTensor]]:
    if distance not in DISTANCES:
        raise unknown_name("siamese", distance, list(DISTANCES))
    if not isinstance(body, Model) or body._inputs is None:
        raise ValueError(f"[siamese] expected a model that is built as the body, received {body!r}.")
    if len(body.inputs) != 1 or len(body.outputs) != 1 or len(body.outputs[0].shape) != 2:
        raise ValueError(
            f"[siamese] expected a body with one input and vectors as output, received inputs {body.input_shape} and "
            f"outputs {body.output_shape}."
        )
    (symbol,) = body.inputs
    inputs = [Input(symbol.shape[1:], dtype=symbol.dtype, name=name) for name in names]
    return inputs, [body(tensor) for tensor in inputs]


def _distance(a: KerasTensor, b: KerasTensor, distance: str) -> KerasTensor:
    if distance == "euclidean":
        squares = ops.sum(ops.square(a - b), axis=-1, keepdims=True)
        return ops.sqrt(squares + 1e-12)  # whose gradient is finite at 0
    product = ops.sum(a * b, axis=-1, keepdims=True)
    lengths = [ops.sqrt(ops.sum(ops.square(v), axis=-1, keepdims=True) + 1e-12) for v in (a, b)]
    return 1.0 - product / (lengths[0] * lengths[1])
