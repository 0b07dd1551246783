"""ScheduleFreeAdamW: an average of all steps in place of a schedule."""

from __future__ import annotations

from typing import Any

from .optimizer import Optimizer


class ScheduleFreeAdamW(Optimizer):
    """Adam's steps without momentum move z, x is the mean of all z, and the weights lie between the two.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable
    beta_1 : float
        How near the weights are to x; above 0 and below 1.
    beta_2 : float
        Of the mean of squared gradients; from 0 to below 1.
    epsilon : float
        Added to the root.
    warmup_steps : int
        Updates over which the learning rate grows from 0.
    name : str
    **kwargs
        Of `Optimizer`, weight_decay too (None unless told, as in Keras).

    Notes
    -----
    At update t = 1, 2, ..: v += (1 - beta_2)(g^2 - v); z -= learning_rate g / (sqrt(v / (1 - beta_2^t)) + epsilon);
    x += (z - x) / t; w = (1 - beta_1) z + beta_1 x. The slot `momentum` is z, which starts as w; x is not stored.
    Predictions are made with w, as in Keras. Defazio et al., "The Road Less Scheduled", NeurIPS 2024.

    Examples
    --------
    >>> ScheduleFreeAdamW(warmup_steps=10).spec()
    {'kind': 'schedule_free_adamw', 'beta_1': 0.9, 'beta_2': 0.999, 'epsilon': 1e-08, 'warmup_steps': 10.0}
    """

    slot_names = ("momentum", "velocity")

    def __init__(
        self,
        learning_rate: Any = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        name: str | None = "schedule_free_adam_w",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name, ("beta_1", "beta_2", "epsilon", "warmup_steps"), kwargs)
        self.beta_1 = self._number("beta_1", beta_1, 1e-30, 1, below=True)
        self.beta_2 = self._number("beta_2", beta_2, 0, 1, below=True)
        self.epsilon = self._number("epsilon", epsilon, 0, float("inf"))
        self.warmup_steps = int(self._number("warmup_steps", warmup_steps, 0, float("inf"), below=True))

    def slot_start(self, slot: str) -> float:
        return float("nan") if slot == "momentum" else 0.0  # z has not begun

    def spec(self) -> dict[str, Any]:
        return {
            "kind": "schedule_free_adamw", "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon,
            "warmup_steps": float(self.warmup_steps),
        }  # fmt: skip

    def momenta(self, step: int, n: int) -> None:
        return None  # x is found again by beta_1

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon,
            "warmup_steps": self.warmup_steps,
        }  # fmt: skip
