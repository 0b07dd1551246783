"""LearningRateScheduler: sets the learning rate at the start of every epoch."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..progress import say
from .callback import Callback


class LearningRateScheduler(Callback):
    """Sets the learning rate of every epoch.

    Parameters
    ----------
    schedule : callable
        ``f(epoch, lr)`` or ``f(epoch)``, epochs from 0; returns a float.
    verbose : int
        1 says what it sets.

    Notes
    -----
    Adds "learning_rate" to the logs. Which of the two forms it is, is told from the function's arguments; an error
    inside of it is never taken for the other form, as Keras does.

    Examples
    --------
    >>> halving = LearningRateScheduler(lambda epoch, lr: lr if epoch < 10 else lr * 0.5)
    """

    def __init__(self, schedule: Callable[..., Any], verbose: int = 0) -> None:
        if not callable(schedule):
            raise TypeError(
                f"[LearningRateScheduler] expected schedule to be a function of the epoch, received {schedule!r}."
            )
        self.schedule, self.verbose = schedule, verbose
        self._takes_rate = _takes_two(schedule)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        optimizer = self.model.optimizer
        if optimizer.has_schedule:
            raise TypeError(
                "[LearningRateScheduler] expected an optimizer with a number as learning rate, received one with a "
                "schedule. Use one of both."
            )
        before = float(optimizer.learning_rate)
        rate = self.schedule(epoch, before) if self._takes_rate else self.schedule(epoch)
        if not isinstance(rate, (float, np.floating)) or not math.isfinite(rate):
            raise ValueError(
                f"[LearningRateScheduler] expected schedule to return a finite float, received {rate!r} "
                f"({type(rate).__name__}) for epoch {epoch}."
            )
        optimizer.learning_rate = float(rate)
        if self.verbose > 0:
            say(f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.\n")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


def _takes_two(schedule: Callable[..., Any]) -> bool:
    try:
        inspect.signature(schedule).bind(0, 0.1)
    except TypeError:
        return False
    except ValueError:  # a function without a signature
        return True
    return True
