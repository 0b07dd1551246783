"""Adadelta: steps as large as the last ones were."""

from __future__ import annotations

from typing import Any

from ..config import epsilon as default_epsilon
from .optimizer import Optimizer


class Adadelta(Optimizer):
    """a = rho a + (1 - rho) g^2; u = g sqrt((d + epsilon) / (a + epsilon)); d = rho d + (1 - rho) u^2; w -= rate u.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable
    rho : float
        From 0 to below 1: how much of the moving averages a step keeps.
    epsilon : float, optional
        Inside both roots; None is `config.epsilon()`.
    name : str
    **kwargs
        Of `Optimizer`.

    Notes
    -----
    The paper has learning_rate=1. Zeiler, "ADADELTA: An Adaptive Learning Rate Method", arXiv:1212.5701, 2012.

    Examples
    --------
    >>> Adadelta(0.01).spec()
    {'kind': 'adadelta', 'rho': 0.95, 'epsilon': 1e-07}
    """

    slot_names = ("accumulated_grad", "accumulated_delta_var")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
        epsilon: float | None = 1e-7,
        name: str | None = "adadelta",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name, ("rho", "epsilon"), kwargs)
        self.rho = self._number("rho", rho, 0, 1, below=True)
        self.epsilon = self._number("epsilon", default_epsilon() if epsilon is None else epsilon, 0, float("inf"))

    def spec(self) -> dict[str, Any]:
        return {"kind": "adadelta", "rho": self.rho, "epsilon": self.epsilon}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rho": self.rho, "epsilon": self.epsilon}
