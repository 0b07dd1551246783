"""Lamb: Adam's direction, with steps in proportion to the weights."""

from __future__ import annotations

from typing import Any

from ..config import epsilon as default_epsilon
from .optimizer import Optimizer


class Lamb(Optimizer):
    """u = m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon); w -= learning_rate norm(w) / norm(u) u.

    m and v are Adam's. Norms are taken over one variable; where one of them is 0 their quotient counts as 1.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable
    beta_1, beta_2 : float
        From 0 to below 1.
    epsilon : float, optional
        None is `config.epsilon()`.
    name : str
    **kwargs
        Of `Optimizer`.

    Notes
    -----
    Meant for large batches. You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 Minutes", ICLR
    2020; as in Keras, weight decay comes before the update and not into u.

    Examples
    --------
    >>> Lamb(0.01).spec()
    {'kind': 'lamb', 'beta_1': 0.9, 'beta_2': 0.999, 'epsilon': 1e-07}
    """

    slot_names = ("momentum", "velocity")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        name: str | None = "lamb",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name, ("beta_1", "beta_2", "epsilon"), kwargs)
        self.beta_1 = self._number("beta_1", beta_1, 0, 1, below=True)
        self.beta_2 = self._number("beta_2", beta_2, 0, 1, below=True)
        self.epsilon = self._number("epsilon", default_epsilon() if epsilon is None else epsilon, 0, float("inf"))

    def spec(self) -> dict[str, Any]:
        return {"kind": "lamb", "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
