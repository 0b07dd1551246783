"""SwapEMAWeights: evaluations with the averages of the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .callback import Callback


class SwapEMAWeights(Callback):
    """Put the optimizer's running averages in the place of the weights while the model is evaluated or predicts.

    Parameters
    ----------
    swap_on_epoch : bool
        Whether they are there from the end of an epoch to the beginning of the next, too: for callbacks that save.

    Raises
    ------
    ValueError
        When it is called for a model whose optimizer was not made with `use_ema=True`.

    Notes
    -----
    After `predict` the weights come back, and training that ends early ends with the averages, as it always does with
    `use_ema`; in Keras 3 neither is so.

    Examples
    --------
    >>> import hotloop as keras
    >>> optimizer = keras.optimizers.SGD(0.1, use_ema=True)
    >>> callbacks = [SwapEMAWeights()]  # for model.fit(x, y, validation_split=0.2, callbacks=callbacks)
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = bool(swap_on_epoch)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self.swap_on_epoch:
            self._show(averages=False)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.swap_on_epoch:
            self._show(averages=True)

    def on_test_begin(self, logs: Any = None) -> None:
        self._show(averages=True)

    def on_test_end(self, logs: Any = None) -> None:
        self._show(averages=False)

    def on_predict_begin(self, logs: Any = None) -> None:
        self._show(averages=True)

    def on_predict_end(self, logs: Any = None) -> None:
        self._show(averages=False)

    def _show(self, averages: bool) -> None:
        engine = self._engine()
        if engine.swapped != averages:
            engine.swap_averages(self.model.trainable_weights)

    def _engine(self) -> Any:
        optimizer = self.model.optimizer
        if optimizer is None or not optimizer.use_ema:
            raise ValueError(
                "[SwapEMAWeights] expected a model compiled with an optimizer that has use_ema=True, received "
                f"{optimizer!r}."
            )
        engine = self.model._get_engine()
        engine.use_optimizer(optimizer)
        return engine

    def get_state(self) -> dict[str, Any]:
        return {"swapped": self._engine().swapped}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self._engine().swapped = bool(state["swapped"])
