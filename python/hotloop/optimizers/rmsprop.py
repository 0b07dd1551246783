"""RMSprop: gradients divided by a moving root mean square."""

from __future__ import annotations

from typing import Any

from ..config import epsilon as default_epsilon
from .optimizer import Optimizer


class RMSprop(Optimizer):
    """v += (1 - rho)(g^2 - v); w -= learning_rate * g / sqrt(v + epsilon).

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable
    rho : float
        From 0 to below 1: how much of the moving averages a step keeps.
    momentum : float
        From 0 to 1. Above 0 the step u goes into a velocity, m = momentum * m + u, and w moves by -m.
    epsilon : float, optional
        Inside the root; None is `config.epsilon()`.
    centered : bool
        Whether the variance v - a^2 stands for v, with a += (1 - rho)(g - a) a moving average of the gradient.
    name : str
    **kwargs
        Of `Optimizer`.

    Notes
    -----
    Rounding can make v - a^2 negative where gradients hardly change; it counts as 0 then. Tieleman and Hinton, lecture
    6.5 of "Neural Networks for Machine Learning", 2012; centered: Graves, arXiv:1308.0850, 2013.

    Examples
    --------
    >>> RMSprop(0.01).spec()
    {'kind': 'rmsprop', 'rho': 0.9, 'epsilon': 1e-07}
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float | None = 1e-7,
        centered: bool = False,
        name: str | None = "rmsprop",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name, ("rho", "momentum", "epsilon", "centered"), kwargs)
        self.rho = self._number("rho", rho, 0, 1, below=True)
        self.momentum = self._number("momentum", momentum, 0, 1)
        self.epsilon = self._number("epsilon", default_epsilon() if epsilon is None else epsilon, 0, float("inf"))
        self.centered = bool(centered)

    @property
    def slot_names(self) -> tuple[str, ...]:
        velocity = ("velocity", "momentum") if self.momentum else ("velocity",)
        return (*velocity, "average_gradient") if self.centered else velocity

    def spec(self) -> dict[str, Any]:
        kind = "rmsprop" + "_centered" * self.centered + "_momentum" * bool(self.momentum)
        spec = {"kind": kind, "rho": self.rho, "epsilon": self.epsilon}
        return {**spec, "momentum": self.momentum} if self.momentum else spec

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon,
            "centered": self.centered,
        }  # fmt: skip
