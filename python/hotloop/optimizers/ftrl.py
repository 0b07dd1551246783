"""Ftrl: follow the regularized leader."""

from __future__ import annotations

from typing import Any

from .optimizer import Optimizer

_STRENGTHS = {
    "l1_regularization_strength": "l1", "l2_regularization_strength": "l2",
    "l2_shrinkage_regularization_strength": "l2_shrinkage", "beta": "beta",
}  # fmt: skip


class Ftrl(Optimizer):
    """FTRL-Proximal, which makes weights exactly zero where l1 is large enough.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable
    learning_rate_power : float
        At most 0; -0.5 divides the rate by the root of the sum of squared gradients.
    initial_accumulator_value : float
        What that sum starts with.
    l1_regularization_strength, l2_regularization_strength : float
    l2_shrinkage_regularization_strength : float
        An l2 penalty of the loss: unlike the one above it is no part of the proximal term.
    beta : float
        Of the paper: adds beta / (2 learning_rate) to the l2 strength.
    name : str
    **kwargs
        Of `Optimizer`.

    Notes
    -----
    a' = a + g^2; z += g + 2 shrinkage w - (a'^-p - a^-p) w / rate; w = (clip(z, -l1, l1) - z) / (a'^-p / rate + 2 l2 +
    beta / rate). At a rate of 0, where that has no value, nothing changes. The first step shrinks the initial weights.
    McMahan et al., "Ad Click Prediction: a View from the Trenches", KDD 2013.

    Examples
    --------
    >>> Ftrl(0.01, l1_regularization_strength=0.1).spec()["l1"]
    0.1
    """

    slot_names = ("accumulator", "linear")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        name: str | None = "ftrl",
        **kwargs: Any,
    ) -> None:
        arguments = ("learning_rate_power", "initial_accumulator_value", *_STRENGTHS)
        super().__init__(learning_rate, name, arguments, kwargs)
        given = {
            "initial_accumulator_value": initial_accumulator_value,
            "l1_regularization_strength": l1_regularization_strength,
            "l2_regularization_strength": l2_regularization_strength,
            "l2_shrinkage_regularization_strength": l2_shrinkage_regularization_strength,
            "beta": beta,
        }
        self.learning_rate_power = self._number("learning_rate_power", learning_rate_power, -float("inf"), 0)
        for argument, value in given.items():
            setattr(self, argument, self._number(argument, value, 0, float("inf")))

    def slot_start(self, slot: str) -> float:
        return self._of("initial_accumulator_value") if slot == "accumulator" else 0.0

    def _of(self, argument: str) -> float:
        return float(getattr(self, argument))

    def spec(self) -> dict[str, Any]:
        strengths = {short: self._of(name) for name, short in _STRENGTHS.items()}
        return {
            "kind": "ftrl", "learning_rate_power": self.learning_rate_power,
            "initial_accumulator_value": self._of("initial_accumulator_value"), **strengths,
        }  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        arguments = ("learning_rate_power", "initial_accumulator_value", *_STRENGTHS)
        return {**super().get_config(), **{name: self._of(name) for name in arguments}}
