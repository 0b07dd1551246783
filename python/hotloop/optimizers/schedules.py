"""Learning rates that change from step to step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..identifiers import Configurable, Table
from ..identifiers import serialize as serialize


class LearningRateSchedule(Configurable):
    """Base class: a callable of the step, which is 0 at the first update.

    A schedule of one's own needs `__call__(step)`; it is called with an int once for every step.

    Examples
    --------
    >>> class Warmup(LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 0.1 * min(1, (step + 1) / 100)
    >>> [round(float(r), 3) for r in Warmup().rates(98, 3)]
    [0.099, 0.1, 0.1]
    """

    def __call__(self, step: Any) -> Any:
        """The learning rate of a step."""
        raise NotImplementedError(f"Schedule {type(self).__name__} must override `__call__(self, step)`.")

    def rates(self, step: int, n: int) -> np.ndarray:
        """The learning rates of steps `step` to `step + n - 1`, float64 of shape (n,)."""
        return np.array([float(self(k)) for k in range(step, step + n)], np.float64)


class ExponentialDecay(LearningRateSchedule):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
        Steps (batches) in which the rate falls by the factor `decay_rate`.
    decay_rate : float
    staircase : bool
        Whether the exponent is rounded down, so that the rate falls every `decay_steps` steps at once.
    name : str

    Examples
    --------
    >>> ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5, staircase=True).rates(8, 4)
    array([0.1 , 0.1 , 0.05, 0.05])
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        for label, value, above in (
            ("initial_learning_rate", initial_learning_rate, -math.inf),
            ("decay_steps", decay_steps, 0),
            ("decay_rate", decay_rate, 0),
        ):
            if not above < value < math.inf:
                limit = f"a number above {above}" if above == 0 else "a finite number"
                raise ValueError(f"[ExponentialDecay] expected {label} to be {limit}, received {value}.")
        self.initial_learning_rate, self.decay_steps, self.decay_rate = initial_learning_rate, decay_steps, decay_rate
        self.staircase, self.name = bool(staircase), name

    def __call__(self, step: Any) -> Any:
        exponent = np.asarray(step, np.float64) / self.decay_steps
        return self.initial_learning_rate * self.decay_rate ** (np.floor(exponent) if self.staircase else exponent)

    def rates(self, step: int, n: int) -> np.ndarray:
        return np.asarray(self(np.arange(step, step + n)))

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate, "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate, "staircase": self.staircase, "name": self.name,
        }  # fmt: skip


_TABLE: Table[LearningRateSchedule] = Table(
    "learning rate schedule", LearningRateSchedule, {"exponential_decay": ExponentialDecay}
)
find = _TABLE.find


def deserialize(config: Mapping[str, Any]) -> LearningRateSchedule:
    """The schedule that `serialize` described."""
    return _TABLE.from_dict(config)
