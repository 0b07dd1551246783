"""How sparse a model is to be at each step of training."""

from __future__ import annotations

import math
from typing import Any

from ..data import positive


def checked_share(where: str, name: str, value: Any) -> float:
    """A share in [0, 1)."""
    if isinstance(value, (bool, str)) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise ValueError(f"[{where}] expected {name} in [0, 1), a share of the weights, received {value!r}.")
    return float(value)


class PruningSchedule:
    """Base class: how many of the weights are zero from which update on.

    Parameters
    ----------
    begin_step : int
        The update of the optimizer, from 0, before which weights are pruned first.
    end_step : int or None
        The last one; None goes on for ever.
    frequency : int
        Updates from one pruning to the next.
    """

    def __init__(self, begin_step: int, end_step: int | None, frequency: int) -> None:
        where = type(self).__name__
        self.begin_step = positive(begin_step, where, "begin_step", least=0)
        self.end_step = None if end_step is None else positive(end_step, where, "end_step", least=0)
        self.frequency = positive(frequency, where, "frequency")
        if self.end_step is not None and self.end_step < self.begin_step:
            raise ValueError(f"[{where}] expected end_step of at least begin_step {begin_step}, received {end_step}.")

    def sparsity(self, step: int) -> float:
        """The share of zeros at a step from `begin_step` to `end_step`."""
        raise NotImplementedError

    def due(self, step: int) -> bool:
        """Whether weights are pruned before this update: every `frequency`-th from `begin_step`, and at `end_step`."""
        if step < self.begin_step or (self.end_step is not None and step > self.end_step):
            return False
        return (step - self.begin_step) % self.frequency == 0 or step == self.end_step


class ConstantSparsity(PruningSchedule):
    """The same share of zeros all the time.

    Parameters
    ----------
    target_sparsity : float
        In [0, 1).
    begin_step : int
    end_step : int or None
    frequency : int

    Notes
    -----
    Zeros stay zero, so that all of them come at `begin_step`; later prunings change nothing unless weights were set.
    The same as `PolynomialDecay` where it starts with the final sparsity; in tensorflow_model_optimization end_step=-1
    is None here.

    Examples
    --------
    >>> ConstantSparsity(0.5, begin_step=200).due(200)
    True
    """

    def __init__(
        self, target_sparsity: float, begin_step: int, end_step: int | None = None, frequency: int = 100
    ) -> None:
        super().__init__(begin_step, end_step, frequency)
        self.target_sparsity = checked_share("ConstantSparsity", "target_sparsity", target_sparsity)

    def sparsity(self, step: int) -> float:
        return self.target_sparsity


class PolynomialDecay(PruningSchedule):
    """From one share of zeros to another, quickly at first, while the weights that are left make up for the loss.

    Parameters
    ----------
    initial_sparsity, final_sparsity : float
        In [0, 1).
    begin_step, end_step : int
        The updates of the optimizer from which and at which they hold.
    power : float
        3 is the paper's cubic ramp.
    frequency : int
        Updates from one pruning to the next.

    Notes
    -----
    final + (initial - final) (1 - (step - begin) / (end - begin))^power.
    Zhu and Gupta, "To prune, or not to prune: exploring the efficacy of pruning for model compression", 2017.

    Examples
    --------
    >>> schedule = PolynomialDecay(0.0, 0.8, begin_step=0, end_step=1000)
    >>> [round(schedule.sparsity(step), 2) for step in (0, 500, 1000)]
    [0.0, 0.7, 0.8]
    """

    def __init__(
        self,
        initial_sparsity: float,
        final_sparsity: float,
        begin_step: int,
        end_step: int,
        power: float = 3.0,
        frequency: int = 100,
    ) -> None:
        super().__init__(begin_step, positive(end_step, "PolynomialDecay", "end_step", least=0), frequency)
        self.initial_sparsity = checked_share("PolynomialDecay", "initial_sparsity", initial_sparsity)
        self.final_sparsity = checked_share("PolynomialDecay", "final_sparsity", final_sparsity)
        if isinstance(power, (bool, str)) or not math.isfinite(power) or power <= 0:
            raise ValueError(f"[PolynomialDecay] expected a power above 0, received {power!r}.")
        self.power = float(power)

    def sparsity(self, step: int) -> float:
        assert self.end_step is not None
        done = (step - self.begin_step) / max(1, self.end_step - self.begin_step) if step < self.end_step else 1.0
        return self.final_sparsity + (self.initial_sparsity - self.final_sparsity) * (1 - done) ** self.power
