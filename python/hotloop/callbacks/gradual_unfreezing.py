"""GradualUnfreezing: a reused model is trained from its head down."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..data import positive
from ..layers.layer import Layer
from .callback import Callback


class GradualUnfreezing(Callback):
    """Trains the head first, then more and more of the layers below it, those further down more slowly.

    Parameters
    ----------
    layers_per_stage : int
        How many groups of layers each stage adds, from the top down.
    epochs_per_stage : int
    rate_decay : float
        In (0, 1]: each group's learning rate is this share of that of the group above it. 1 leaves the rates alone; the
        paper takes 1 / 2.6.

    Attributes
    ----------
    groups : list of list of Layer
        From the head down, once training has begun.

    Raises
    ------
    ValueError
        For arguments of other types or out of range; in `fit`, for layers with other rates and the same name.

    Notes
    -----
    A group is a layer that multiplies by weights and those without such a matrix right above it, such as
    BatchNormalization; the first one is the head, or all of them. All layers with weights take part, those of models
    inside too, whatever was frozen before, and layers stay as the last stage of a `fit` left them. Which stage an epoch
    belongs to depends on its number alone, so that training with `initial_epoch`, `resume` or BackupAndRestore goes on
    as if it had never been interrupted. The rates are factors in ``optimizer.learning_rate_factors`` by the names of
    layers, before those that were there, and stay there.

    Howard and Ruder, "Universal Language Model Fine-tuning for Text Classification", ACL 2018.

    Examples
    --------
    >>> import numpy as np, hotloop as keras
    >>> layers = [keras.layers.Dense(4, name=name) for name in ("lower", "upper", "head")]
    >>> model = keras.Sequential([keras.Input((2,)), *layers])
    >>> model.compile(keras.optimizers.SGD(0.01), "mse")
    >>> gradual = GradualUnfreezing(rate_decay=0.5)
    >>> history = model.fit(np.ones((4, 2)), np.ones((4, 4)), epochs=2, callbacks=[gradual], verbose=0)
    >>> [layer.trainable for layer in layers], [group[0].name for group in gradual.groups]
    ([False, True, True], ['head', 'upper', 'lower'])
    >>> model.optimizer.learning_rate_factors
    {'^head/': 1.0, '^upper/': 0.5, '^lower/': 0.25}
    """

    def __init__(self, layers_per_stage: int = 1, epochs_per_stage: int = 1, rate_decay: float = 1.0) -> None:
        self.layers_per_stage = positive(layers_per_stage, "GradualUnfreezing", "layers_per_stage")
        self.epochs_per_stage = positive(epochs_per_stage, "GradualUnfreezing", "epochs_per_stage")
        if (
            isinstance(rate_decay, bool)
            or not isinstance(rate_decay, (float, int, np.floating))
            or not 0 < rate_decay <= 1
        ):
            raise ValueError(f"[GradualUnfreezing] expected rate_decay in (0, 1], received {rate_decay!r}.")
        self.rate_decay = float(rate_decay)
        self.groups: list[list[Layer]] = []
        self._stage = 0

    def on_train_begin(self, logs: Any = None) -> None:
        self.groups = groups_of(self.model)
        if self.rate_decay < 1:
            factors = self._factors()
            optimizer = self.model.optimizer
            given = {name: factor for name, factor in optimizer.learning_rate_factors.items() if name not in factors}
            optimizer.learning_rate_factors = {**factors, **given}
        self._stage = 0
        self._freeze()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        stage = epoch // self.epochs_per_stage
        if stage != self._stage:
            self._stage = stage
            self._freeze()

    def get_state(self) -> dict[str, Any]:
        return {"stage": self._stage}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self._stage = state["stage"]
        self._freeze()

    def _factors(self) -> dict[str, float]:
        factors: dict[str, float] = {}
        for depth, group in enumerate(self.groups):
            for path in (variable.path.rsplit("/", 1)[0] for layer in group for variable in layer.weights):
                factor = self.rate_decay**depth
                if factors.setdefault(f"^{re.escape(path)}/", factor) != factor:
                    raise ValueError(
                        "[GradualUnfreezing] expected layers of different names where their rates differ, received "
                        f"several called '{path}'. Name them apart, or leave rate_decay at 1."
                    )
        return factors

    def _freeze(self) -> None:
        thawed = 1 + self._stage * self.layers_per_stage
        for depth, group in enumerate(self.groups):
            for layer in group:
                if layer.trainable != (depth < thawed):
                    layer.trainable = depth < thawed


def groups_of(model: Any) -> list[list[Layer]]:
    """Layers with weights in groups, from the head (or all heads) down."""
    from ..transfer import has_matrix, head_layers

    layers = [layer for layer in _leaves(model) if layer.weights]
    if not layers:
        raise ValueError(f"[GradualUnfreezing] expected a model with weights, received '{model.name}' without any.")
    heads = {id(layer) for layer in head_layers(model)}
    groups: list[list[Layer]] = []  # from the bottom up
    for layer in layers:
        if id(layer) in heads:
            continue
        if not groups or has_matrix(layer):
            groups.append([])
        groups[-1].append(layer)
    return [[layer for layer in layers if id(layer) in heads], *reversed(groups)]


def _leaves(model: Any) -> list[Layer]:
    """The layers of a model and of models inside it, each once, in order."""
    from ..model import Model

    found: dict[int, Layer] = {}
    for layer in model.layers:
        for leaf in _leaves(layer) if isinstance(layer, Model) else [layer]:
            found.setdefault(id(leaf), leaf)
    return list(found.values())
