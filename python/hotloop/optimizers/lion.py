"""Lion: the sign of a momentum."""

from __future__ import annotations

from typing import Any

from .optimizer import Optimizer


class Lion(Optimizer):
    """w -= learning_rate sign(beta_1 m + (1 - beta_1) g); m = beta_2 m + (1 - beta_2) g.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable
    beta_1, beta_2 : float
        From 0 to below 1.
    name : str
    **kwargs
        Of `Optimizer`.

    Notes
    -----
    Rates 3 to 10 times smaller than Adam's are usual. Chen et al., "Symbolic Discovery of Optimization Algorithms",
    NeurIPS 2023.

    Examples
    --------
    >>> Lion(0.01).spec()
    {'kind': 'lion', 'beta_1': 0.9, 'beta_2': 0.99}
    """

    slot_names = ("momentum",)

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        name: str | None = "lion",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name, ("beta_1", "beta_2"), kwargs)
        self.beta_1 = self._number("beta_1", beta_1, 0, 1, below=True)
        self.beta_2 = self._number("beta_2", beta_2, 0, 1, below=True)

    def spec(self) -> dict[str, Any]:
        return {"kind": "lion", "beta_1": self.beta_1, "beta_2": self.beta_2}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2}
