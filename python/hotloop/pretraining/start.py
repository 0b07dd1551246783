"""Lower layers of a supervised network that begin with what RBMs or autoencoders learnt."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import activations, optimizers
from ..layers.dense import Dense
from ..layers.sizes import checked_size
from ..model import Model
from .autoencoders import Level, checked_masking
from .rbm import RBM, at_least_0

_METHODS = ("rbm", "autoencoder")


def pretrain(
    model: Model,
    x: Any,
    method: str = "autoencoder",
    layers: int | None = None,
    epochs: int = 10,
    batch_size: int | None = None,
    optimizer: Any = None,
    *,
    visible: str = "binary",
    k: int = 1,
    persistent: bool = False,
    tied: bool = True,
    masking: float = 0.0,
    noise: float = 0.0,
    output_activation: Any = None,
    verbose: Any = 0,
) -> Model:
    """Initialise the lower layers of a network with what data without labels teach, layer after layer.

    Parameters
    ----------
    model : Sequential or functional Model
        Its Dense layers are trained in their order, each on what the layers below make of x in inference.
    x : array_like, or list or dict of them
        What the model takes, labelled or not.
    method : {"autoencoder", "rbm"}
        "rbm" is for layers with the activation sigmoid.
    layers : int, optional
        How many of the lowest Dense layers; all but the last, the output, unless told.
    epochs : int
        For each layer.
    batch_size : int, optional
        32 unless told.
    optimizer : str or Optimizer, optional
        Each layer has a copy. Adam for autoencoders and SGD for RBMs unless told.
    visible, k, persistent
        Of the lowest `RBM`; `visible` of those above is "binary".
    tied, masking, noise, output_activation
        Of the autoencoders (see `Autoencoder`); `output_activation` of the decoder that leads back to x.
    verbose
        Of `fit`.

    Returns
    -------
    Model
        The same model, ready to be compiled and fine-tuned. A frozen or quantized layer stays as it is.

    Raises
    ------
    ValueError
        For an unknown method, more layers than the model has, or an RBM for a layer that is not sigmoid, or that reads
        numbers outside of 0 to 1 (but the lowest one with ``visible="gaussian"``).

    Notes
    -----
    Hinton, Osindero and Teh, "A fast learning algorithm for deep belief nets", Neural Computation 18 (2006); Bengio et
    al., "Greedy layer-wise training of deep networks", NeurIPS 2007.

    Examples
    --------
    >>> import numpy as np, hotloop as keras
    >>> layers = [keras.layers.Dense(6, "sigmoid"), keras.layers.Dense(2, "softmax")]
    >>> model = keras.Sequential([keras.Input((8,)), *layers])
    >>> unlabelled = np.random.default_rng(0).uniform(size=(100, 8))
    >>> model = pretrain(model, unlabelled, method="rbm", epochs=3)
    >>> model.compile("sgd", "sparse_categorical_crossentropy")
    """
    if method not in _METHODS:
        raise ValueError(f"[pretrain] expected method 'rbm' or 'autoencoder', received {method!r}.")
    masking, noise = checked_masking("pretrain", masking), at_least_0("pretrain", "noise", noise)
    chosen = _lowest(model, layers)
    sigmoid = activations.get("sigmoid")
    strange = next((one for one in chosen if method == "rbm" and one.activation is not sigmoid), None)
    if strange is not None:
        raise ValueError(
            f"[pretrain] expected layers with the activation sigmoid for method='rbm', received '{strange.name}' with "
            f"{activations.serialize(strange.activation)!r}. Use method='autoencoder'."
        )
    learner: Any
    rule = None if optimizer is None else optimizers.serialize(optimizers.get(optimizer))
    for i, dense in enumerate(chosen):
        if not dense.trainable or dense.storage is not None:
            continue
        seen = _inputs_of(model, dense, x)
        if method == "rbm":
            learner = RBM(dense.units, visible if i == 0 else "binary", k, persistent, chains=batch_size or 32,
                          name=dense.name, dtype=dense._compute_dtype)  # fmt: skip
            if rule is not None:
                learner.compile(optimizers.get(rule))
            learner.fit(seen, batch_size=batch_size, epochs=epochs, verbose=verbose)
            dense.kernel.assign(learner.kernel.numpy())
            if dense.bias is not None:
                dense.bias.assign(learner.bias.numpy())
        else:
            learner = Level(dense, chosen[i - 1].activation if i else output_activation, tied, masking, noise)
            learner.compile("adam" if rule is None else optimizers.get(rule), "mse")
            learner.fit(seen, seen, batch_size=batch_size, epochs=epochs, verbose=verbose)
    return model


def _lowest(model: Model, count: int | None) -> list[Dense]:
    if not isinstance(model, Model) or not model.built:
        raise ValueError(
            f"[pretrain] expected a model that knows its inputs, received {type(model).__name__}. "
            "Begin it with an Input."
        )
    dense = [layer for layer in model.layers if isinstance(layer, Dense)]
    most = len(dense)
    count = most - 1 if count is None else checked_size(count, "pretrain", "layers")
    if not 1 <= count <= most:
        raise ValueError(
            f"[pretrain] expected a model with Dense layers below its output, received {most} Dense layers. A model "
            "inside is pretrained by itself."
        )
    return dense[:count]


def _inputs_of(model: Model, dense: Dense, x: Any) -> np.ndarray:
    """What a layer reads, as the model stands."""
    below = dense.input
    if any(below is tensor for tensor in model.inputs) and len(model.inputs) == 1:
        return np.asarray(x)
    return Model(model.input, below).predict(x, verbose=0)
