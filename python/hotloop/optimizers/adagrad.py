"""Adagrad: gradients divided by the root of the sum of all squares so far."""

from __future__ import annotations

from typing import Any

from ..config import epsilon as default_epsilon
from .optimizer import Optimizer


class Adagrad(Optimizer):
    """a += g^2; w -= learning_rate g / sqrt(a + epsilon).

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable
    initial_accumulator_value : float
        What a starts with.
    epsilon : float, optional
        Inside the root; None is `config.epsilon()`.
    name : str
    **kwargs
        Of `Optimizer`.

    Notes
    -----
    Duchi, Hazan and Singer, "Adaptive Subgradient Methods", JMLR 12, 2011.

    Examples
    --------
    >>> Adagrad(0.01).spec()
    {'kind': 'adagrad', 'initial_accumulator_value': 0.1, 'epsilon': 1e-07}
    """

    slot_names = ("accumulator",)

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float | None = 1e-7,
        name: str | None = "adagrad",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name, ("initial_accumulator_value", "epsilon"), kwargs)
        self.initial_accumulator_value = self._number(
            "initial_accumulator_value", initial_accumulator_value, 0, float("inf")
        )
        self.epsilon = self._number("epsilon", default_epsilon() if epsilon is None else epsilon, 0, float("inf"))

    def slot_start(self, slot: str) -> float:
        return self.initial_accumulator_value if slot == "accumulator" else 0.0

    def spec(self) -> dict[str, Any]:
        return {"kind": "adagrad", "initial_accumulator_value": self.initial_accumulator_value, "epsilon": self.epsilon}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "initial_accumulator_value": self.initial_accumulator_value,
            "epsilon": self.epsilon,
        }
