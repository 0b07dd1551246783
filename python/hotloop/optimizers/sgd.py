"""SGD: gradient descent, with momentum and Nesterov's variant."""

from __future__ import annotations

from typing import Any

from .optimizer import Optimizer


class SGD(Optimizer):
    """w -= learning_rate * g, or with a velocity m = momentum * m - learning_rate * g.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable
    momentum : float
        From 0 to 1; 0 keeps no velocity.
    nesterov : bool
        Whether w moves by momentum * m - learning_rate * g instead of m.
    name : str
    **kwargs
        Of `Optimizer`.

    Notes
    -----
    The learning rate is inside the velocity, as in Keras. Polyak 1964; Nesterov 1983.

    Examples
    --------
    >>> SGD(0.1, momentum=0.9).spec()
    {'kind': 'momentum', 'momentum': 0.9}
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        name: str | None = "SGD",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name, ("momentum", "nesterov"), kwargs)
        self.momentum = self._number("momentum", momentum, 0, 1)
        self.nesterov = bool(nesterov)

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("momentum",) if self.momentum else ()

    def spec(self) -> dict[str, Any]:
        if not self.momentum:
            return {"kind": "sgd"}
        return {"kind": "nesterov" if self.nesterov else "momentum", "momentum": self.momentum}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}
