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
        Whether the largest v so far stands in the root.
    name : str
    **kwargs
        Of `Optimizer`.

    Notes
    -----
    alpha = learning_rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) at update t = 1, 2, ... Kingma and Ba, "Adam: A Method
    for Stochastic Optimization", ICLR 2015.
    AMSGrad: Reddi, Kale and Kumar, "On the Convergence of Adam and Beyond", ICLR 2018.

    Examples
    --------
    >>> Adam(0.01).spec()
    {'kind': 'adam', 'beta_1': 0.9, 'beta_2': 0.999, 'epsilon': 1e-07}
    """

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
        self.amsgrad = bool(amsgrad)

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("momentum", "velocity", "velocity_hat") if self.amsgrad else ("momentum", "velocity")

    def spec(self) -> dict[str, Any]:
        kind = "amsgrad" if self.amsgrad else "adam"
        return {"kind": kind, "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
        }  # fmt: skip


class AdamW(Adam):
    """Adam with decoupled weight decay: w -= learning_rate * weight_decay * w before each update.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable
    weight_decay : float
    beta_1, beta_2, epsilon, amsgrad, name
        Of `Adam`.
    **kwargs
        Of `Optimizer`.

    Notes
    -----
    Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.

    Examples
    --------
    >>> AdamW(weight_decay=0.01).weight_decay
    0.01
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        amsgrad: bool = False,
        name: str | None = "adamw",
        **kwargs: Any,
    ) -> None:
        if weight_decay is None:
            raise ValueError("[AdamW] expected weight_decay to be a number, received None. Adam has none.")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, name, weight_decay=weight_decay, **kwargs)
