"""Adamax: Adam with the largest gradient instead of the mean square."""

from __future__ import annotations

from typing import Any

from ..config import epsilon as default_epsilon
from .optimizer import Optimizer


class Adamax(Optimizer):
    """m += (1 - beta_1)(g - m); u = max(beta_2 u, abs(g)); w -= learning_rate m / ((1 - beta_1^t)(u + epsilon)).

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable
    beta_1, beta_2 : float
        From 0 to below 1.
    epsilon : float, optional
        Added to u; None is `config.epsilon()`.
    name : str
    **kwargs
        Of `Optimizer`.

    Notes
    -----
    Kingma and Ba, "Adam: A Method for Stochastic Optimization", section 7, ICLR 2015.

    Examples
    --------
    >>> Adamax(0.01).spec()
    {'kind': 'adamax', 'beta_1': 0.9, 'beta_2': 0.999, 'epsilon': 1e-07}
    """

    slot_names = ("momentum", "norm")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        name: str | None = "adamax",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name, ("beta_1", "beta_2", "epsilon"), kwargs)
        self.beta_1 = self._number("beta_1", beta_1, 0, 1, below=True)
        self.beta_2 = self._number("beta_2", beta_2, 0, 1, below=True)
        self.epsilon = self._number("epsilon", default_epsilon() if epsilon is None else epsilon, 0, float("inf"))

    def spec(self) -> dict[str, Any]:
        return {"kind": "adamax", "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
