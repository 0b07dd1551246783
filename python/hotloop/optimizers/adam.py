"""Adam: adaptive moment estimation."""

from __future__ import annotations

from typing import Any

from ..config import epsilon as default_epsilon
from .optimizer import Optimizer


class Adam(Optimizer):
    """m += (1 - beta_1)(g - m); v += (1 - beta_2)(g^2 - v); w -= alpha m / (sqrt(v) + epsilon).

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable
    beta_1, beta_2 : float
        From 0 to below 1.
    epsilon : float, optional
        Added to the uncorrected sqrt(v); None is `config.epsilon()`.
    amsgrad : bool
        False.
    name : str
    **kwargs
        Of `Optimizer`.

    Notes
    -----
    alpha = learning_rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) at update t = 1, 2, ... Kingma and Ba, "Adam: A Method
    for Stochastic Optimization", ICLR 2015.

    Examples
    --------
    >>> Adam(0.01).spec()
    {'kind': 'adam', 'beta_1': 0.9, 'beta_2': 0.999, 'epsilon': 1e-07}
    """

    slot_names = ("momentum", "velocity")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        amsgrad: bool = False,
        name: str | None = "adam",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name, ("beta_1", "beta_2", "epsilon", "amsgrad"), kwargs)
        self.beta_1 = self._number("beta_1", beta_1, 0, 1, below=True)
        self.beta_2 = self._number("beta_2", beta_2, 0, 1, below=True)
        self.epsilon = self._number("epsilon", default_epsilon() if epsilon is None else epsilon, 0, float("inf"))
        if amsgrad:
            raise ValueError("[Adam] expected amsgrad=False, received True. Other values are not there yet.")

    def spec(self) -> dict[str, Any]:
        return {"kind": "adam", "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon,
            "amsgrad": False,
        }  # fmt: skip
