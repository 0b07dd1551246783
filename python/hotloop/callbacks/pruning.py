"""Pruning: weights become zero while the model trains."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .callback import Callback

if TYPE_CHECKING:
    from ..layers.layer import Layer
    from ..pruning import PruningSchedule


class Pruning(Callback):
    """Sets more and more of the smallest weights to zero between batches, and lets the others make up for them.

    Parameters
    ----------
    schedule : PruningSchedule or float
        `pruning.PolynomialDecay` or `pruning.ConstantSparsity`, which say how many from which update on; a
        number is the share that is zero from the first batch on.
    block_size, scope, layers, norm
        As in `pruning.prune`.

    Attributes
    ----------
    sparsity : float or None
        What the weights were last pruned to.

    Raises
    ------
    ValueError, TypeError
        As `pruning.prune`.

    Notes
    -----
    Steps are updates of the optimizer since the callback was first used; they go on in another `fit` with it, and in a
    resumed one, which is the same to the bit as one that was never interrupted. Weights stay zero through all that
    follows (`pruning.release` ends that), so EarlyStopping and ModelCheckpoint should look for the best weights only
    from when the last have been pruned. An optimizer's running averages follow at its next update.

    Zhu and Gupta, "To prune, or not to prune: exploring the efficacy of pruning for model compression", 2017.

    Examples
    --------
    >>> import numpy as np, hotloop as keras
    >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(1)])
    >>> model.compile("adam", "mse")
    >>> schedule = keras.pruning.PolynomialDecay(0.0, 0.75, begin_step=0, end_step=20, frequency=5)
    >>> x = np.random.default_rng(0).normal(size=(64, 8))
    >>> _ = model.fit(x, x[:, :1], batch_size=8, epochs=4, callbacks=[Pruning(schedule)], verbose=0)
    >>> keras.pruning.sparsity(model).zeros
    0.75
    """

    def __init__(
        self,
        schedule: PruningSchedule | float,
        block_size: int | Sequence[int] = (1, 1),
        scope: str = "layer",
        layers: Layer | str | Iterable[Layer | str] | None = None,
        *,
        norm: int = 2,
    ) -> None:
        from ..layers.layer import Layer
        from ..pruning import ConstantSparsity, PruningSchedule
        from ..pruning.magnitude import check_choices, checked_block

        super().__init__()
        self.schedule = schedule if isinstance(schedule, PruningSchedule) else ConstantSparsity(schedule, 0)
        self.block_size = checked_block("Pruning", block_size)
        check_choices("Pruning", scope, norm)
        self.scope, self.norm = scope, norm
        self.layers = layers if layers is None or isinstance(layers, (Layer, str)) else list(layers)
        self.sparsity: float | None = None
        self._variables: list[Any] = []
        self._start: int | None = None  # the update it was first used at

    def on_train_begin(self, logs: Any = None) -> None:
        from ..pruning.magnitude import kernels

        self._variables = kernels(self.model, self.layers, "Pruning")
        if self._start is None:
            self._start = int(self.model.optimizer.iterations)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._prune_if_due()

    def on_train_end(self, logs: Any = None) -> None:
        self._prune_if_due()  # where training ends with the schedule
        step, last = self._step(), self.schedule.end_step
        if last is not None and step < last:
            warnings.warn(
                f"[Pruning] training ended at update {step}, before the schedule's end_step {last}: the weights are "
                f"pruned to {self.sparsity or 0:.0%}. Train longer, or end the schedule earlier.",
                RuntimeWarning,
                stacklevel=2,
            )

    def _prune_if_due(self) -> None:
        from ..pruning.magnitude import prune_variables

        step = self._step()
        if self.schedule.due(step):
            self.sparsity = self.schedule.sparsity(step)
            prune_variables(self._variables, self.sparsity, self.block_size, self.scope, self.norm)

    def _step(self) -> int:
        return int(self.model.optimizer.iterations) - (self._start or 0)

    def get_state(self) -> dict[str, Any]:
        return {"sparsity": self.sparsity, "start": self._start}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.sparsity, self._start = state["sparsity"], state["start"]
