"""Nadam: Adam with Nesterov momentum."""

from __future__ import annotations

from typing import Any

from ..config import epsilon as default_epsilon
from .optimizer import Optimizer


class Nadam(Optimizer):
    """Adam whose step looks ahead: its momentum is that of the coming step, and the gradient counts once more.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable
    beta_1, beta_2 : float
        From 0 to below 1.
    epsilon : float, optional
        Added to the root; None is `config.epsilon()`.
    name : str
    **kwargs
        Of `Optimizer`.

    Notes
    -----
    mu_t = beta_1 (1 - 0.96^t / 2) and P = mu_1 .. mu_t; m and v are Adam's; w -= learning_rate (mu_{t+1} m / (1 - P
    mu_{t+1}) + (1 - mu_t) g / (1 - P)) / (sqrt(v / (1 - beta_2^t)) + epsilon). P is a function of t and is not stored.
    Dozat, "Incorporating Nesterov Momentum into Adam", ICLR workshop 2016.

    Examples
    --------
    >>> Nadam(0.01).spec()
    {'kind': 'nadam', 'beta_1': 0.9, 'beta_2': 0.999, 'epsilon': 1e-07}
    """

    slot_names = ("momentum", "velocity")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        name: str | None = "nadam",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name, ("beta_1", "beta_2", "epsilon"), kwargs)
        self.beta_1 = self._number("beta_1", beta_1, 0, 1, below=True)
        self.beta_2 = self._number("beta_2", beta_2, 0, 1, below=True)
        self.epsilon = self._number("epsilon", default_epsilon() if epsilon is None else epsilon, 0, float("inf"))

    def spec(self) -> dict[str, Any]:
        return {"kind": "nadam", "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}

    def momenta(self, step: int, n: int) -> None:
        return None  # it has its own, by a product over all steps

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
