"""Optimizer: the rule that turns gradients into updates, and the learning rate of every step.

An optimizer is a description. The engine owns the slots (velocities, moments) and runs the rule over the whole slab
(`csrc/ops/optimizer.h`); here are the hyper-parameters, their checks, and the rates.
"""

from __future__ import annotations

import inspect
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..identifiers import Initialised, unknown_argument
from ..naming import check_name
from . import schedules
from .applying import Applying
from .schedules import LearningRateSchedule

if TYPE_CHECKING:
    from ..variable import Variable

_AVERAGES = ("use_ema", "ema_momentum", "ema_overwrite_frequency")
_CLIPS = ("clipnorm", "global_clipnorm", "clipvalue")
_SHARED = (
    "weight_decay",
    *_CLIPS,
    *_AVERAGES,
    "gradient_accumulation_steps",
    "loss_scale_factor",
    "learning_rate_factors",
)


class Rate(float):
    """A learning rate that can also be set as a variable of Keras is: `optimizer.learning_rate.assign(0.1)`."""

    def __new__(cls, value: Any, optimizer: Optimizer) -> Rate:
        rate = super().__new__(cls, value)
        rate._optimizer = optimizer
        return rate

    _optimizer: Optimizer

    def assign(self, value: Any) -> None:
        """Set the optimizer's learning rate."""
        self._optimizer.learning_rate = value

    def numpy(self) -> float:
        """The number."""
        return float(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return float, (float(self),)  # a copy is a number


class Optimizer(Applying, Initialised):
    """Base class of optimizers.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable
        A callable takes no argument and is asked before every step.
    name : str
    **kwargs
        `weight_decay`: before each update every weight loses learning_rate * weight_decay of itself (None: nothing),
        but for those of `exclude_from_weight_decay`; Loshchilov and Hutter, "Decoupled Weight Decay Regularization",
        ICLR 2019.
        One of `clipnorm` (a variable's gradient is shortened to this norm), `global_clipnorm` (all gradients together
        are) and `clipvalue` (every element is brought into [-clipvalue, clipvalue]); None or 0: nothing. A norm that is
        too large for the element type is computed in float64; a global one that is not finite makes gradients NaN.
        Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", ICML 2013.
        `use_ema`: running averages of the weights are kept, average = ema_momentum * average + (1 - ema_momentum) * w
        after every update (the first one starts them). They become the weights every `ema_overwrite_frequency` updates
        (None: never), and at the end of every `fit`. `callbacks.SwapEMAWeights` puts them in for evaluations.
        Where gradients are accumulated, Keras makes averages after every batch too; here they belong to updates.
        Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", SIAM J. Control 30, 1992.
        `gradient_accumulation_steps`: weights change at every n-th batch only, by the mean of the n gradients;
        clipping, weight decay, averages and constraints belong to that update. `iterations` counts updates, schedules
        count batches. Gradients that wait for their update when `fit` ends are there for the next one.
        `loss_scale_factor`: kept for code written for Keras, which multiplies the loss by it and divides the gradients
        again: in float32 and float64, all that there is here, they are the same numbers.
        `learning_rate_factors`: a dict of regular expressions, searched for in the weights' paths (``layer/weight``),
        to factors of their learning rate, and so of their weight decay; the first that is found counts, others have 1.
        ``{"^head/": 1.0, "": 0.1}`` trains reused layers ten times slower than a new head. Howard and Ruder, "Universal
        Language Model Fine-tuning for Text Classification", ACL 2018.
        The Keras 2 spellings `lr` and `decay`; with `decay` the rate of step k is divided by 1 + decay k.

    Attributes
    ----------
    iterations : int
        Updates made so far, over all calls of `fit`.
    slot_names : tuple of str
        What the rule keeps for every weight.
    kept_names : tuple of str
        What the engine keeps for every weight: the rule's slots, averages, and sums of gradients.
    batches : int
        Batches seen so far: `iterations`, unless gradients are accumulated.
    """

    made_first = "_iterations"
    not_called = ("update_step", "apply", "apply_gradients", "build", "finalize_variable_values", "learning_rate")

    def __init__(
        self, learning_rate: Any, name: str | None, arguments: tuple[str, ...], kwargs: dict[str, Any]
    ) -> None:
        self._where = type(self).__name__
        self.name = check_name(name) if name is not None else self._where.lower()
        kwargs = dict(kwargs)
        if "lr" in kwargs:
            _deprecated(f"{self._where}(lr=...) is now learning_rate=...")
            if learning_rate != inspect.signature(type(self).__init__).parameters["learning_rate"].default:
                raise ValueError(f"[{self._where}] expected learning_rate or lr, received both.")
            learning_rate = kwargs.pop("lr")
        self.decay = self._number("decay", kwargs.pop("decay", 0.0), 0, math.inf)
        if self.decay:
            _deprecated(f"{self._where}(decay=...) is now a schedule of optimizers.schedules as learning_rate")
        decay = kwargs.pop("weight_decay", None)
        self.weight_decay = None if decay is None else self._number("weight_decay", decay, 0, math.inf)
        self._take_clips(kwargs)
        self._take_averages(kwargs)
        self.gradient_accumulation_steps = self._count(kwargs, "gradient_accumulation_steps", 2)
        scale = kwargs.pop("loss_scale_factor", None)
        self.loss_scale_factor = None if scale is None else self._number("loss_scale_factor", scale, 1e-30, math.inf)
        self.learning_rate_factors = self._checked_factors(kwargs.pop("learning_rate_factors", None))
        self._excluded: tuple[list[Any], list[str]] = ([], [])
        self._refuse(kwargs, arguments)
        self._learning_rate = self._checked_rate(learning_rate)
        self._iterations = 0

    # What a subclass says.

    @property
    def slot_names(self) -> tuple[str, ...]:
        """What the rule keeps for every weight, in order."""
        return ()

    @property
    def kept_names(self) -> tuple[str, ...]:
        """What the engine keeps for every weight, in order."""
        more = {"average": self.use_ema, "gradient_accumulator": self.accumulation > 1}
        return (*self.slot_names, *(name for name, there in more.items() if there))

    @property
    def accumulation(self) -> int:
        """Batches of one update."""
        return self.gradient_accumulation_steps or 1

    def spec(self) -> dict[str, Any]:
        """The rule, as `Trainer.set_optimizer` takes it."""
        raise NotImplementedError(f"Optimizer {self._where} must override `spec`.")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; a constant learning rate as it is now."""
        rate = self._learning_rate
        if callable(rate) and not isinstance(rate, LearningRateSchedule):
            raise ValueError(
                f"[{self._where}] expected a number or a LearningRateSchedule as learning rate, received {rate!r}. "
                "A configuration cannot hold Python functions."
            )
        described = schedules.serialize(rate) if isinstance(rate, LearningRateSchedule) else rate
        config = {"name": self.name, "learning_rate": described}
        if self.weight_decay is not None:
            config["weight_decay"] = self.weight_decay
        config |= {name: value for name in _CLIPS if (value := getattr(self, name)) is not None}
        if self.use_ema:
            config |= {"use_ema": True, "ema_momentum": self.ema_momentum}
            config |= {"ema_overwrite_frequency": self.ema_overwrite_frequency}
        if self.gradient_accumulation_steps:
            config["gradient_accumulation_steps"] = self.gradient_accumulation_steps
        if self.loss_scale_factor is not None:
            config["loss_scale_factor"] = self.loss_scale_factor
        if self.learning_rate_factors:
            config["learning_rate_factors"] = dict(self.learning_rate_factors)
        return {**config, "decay": self.decay} if self.decay else config

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        """An optimizer made from what `get_config` gave, without its iterations."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the spelling was warned of when it was written
            return cls(**config)

    # Weight decay.

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """Leave weights out of weight decay.

        Parameters
        ----------
        var_list : sequence of Variable, optional
        var_names : sequence of str, optional
            Regular expressions, searched for in the weights' names, such as "bias".

        Raises
        ------
        ValueError
            For what is no regular expression.
        """
        names = [var_names] if isinstance(var_names, str) else list(var_names or ())
        for name in names:
            self._check_pattern("var_names", name)
        self._excluded = (list(var_list or ()), names)

    def undecayed(self, variables: Sequence[Variable]) -> list[int]:
        """Which of the variables weight decay leaves alone, by number."""
        if not self.decays:
            return []
        these, names = self._excluded
        return [
            i for i, v in enumerate(variables)
            if any(v is one for one in these) or any(re.search(name, v.name) for name in names)
        ]  # fmt: skip

    @property
    def decays(self) -> bool:
        """Whether there is any weight decay."""
        return bool(self.weight_decay)

    def by_adam(self, variables: Sequence[Variable]) -> list[int]:
        """Which of the variables, by number, a rule for matrices leaves to AdamW."""
        return []

    def keeps(self, slot: str, variable: Variable) -> bool:
        """Whether the rule needs this slot for a weight."""
        return True

    def full_spec(self) -> dict[str, Any]:
        """`spec`, and what every rule may have."""
        shared = {name: value for name in ("weight_decay", *_CLIPS) if (value := getattr(self, name))}
        if self.use_ema:
            shared["ema_momentum"] = self.ema_momentum
            shared["ema_overwrite_frequency"] = self.ema_overwrite_frequency or 0
        if self.accumulation > 1:
            shared["gradient_accumulation_steps"] = self.accumulation
        return {**self.spec(), **shared}

    def rate_factor(self, variable: Variable) -> float:
        """What the learning rate is multiplied by for a weight."""
        found = (factor for name, factor in self.learning_rate_factors.items() if re.search(name, variable.path))
        return next(found, 1.0)

    def slot_start(self, slot: str) -> float:
        """What a slot holds before the first update."""
        return 0.0

    # The learning rate.

    @property
    def learning_rate(self) -> Rate:
        """The rate of the coming step, without `decay`. Settable, unless the optimizer was made with a schedule."""
        rate = self._learning_rate
        if isinstance(rate, LearningRateSchedule):
            rate = rate(self.batches)
        elif callable(rate):
            rate = rate()
        return Rate(rate, self)

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        value = self._checked_rate(value)
        if isinstance(self._learning_rate, LearningRateSchedule) and not callable(value):
            raise TypeError(
                f"[{self._where}] expected a schedule, because the optimizer was made with one, received {value!r}. "
                "Make the optimizer with a number to be able to set it."
            )
        self._learning_rate = value

    @property
    def lr(self) -> float:
        """The Keras 2 name of `learning_rate`."""
        _deprecated("optimizer.lr is now optimizer.learning_rate", 3)
        return self.learning_rate

    @lr.setter
    def lr(self, value: Any) -> None:
        _deprecated("optimizer.lr is now optimizer.learning_rate", 3)
        self.learning_rate = value

    @property
    def has_schedule(self) -> bool:
        """Whether the learning rate is a schedule."""
        return isinstance(self._learning_rate, LearningRateSchedule)

    def rates(self, step: int, n: int) -> np.ndarray:
        """The learning rates of the steps to come.

        Parameters
        ----------
        step : int
            Batches before the first of them.
        n : int

        Returns
        -------
        ndarray of float64, shape (n,)

        Raises
        ------
        ValueError
            If a schedule gives a rate that is negative or not finite.

        Examples
        --------
        >>> from hotloop.optimizers import SGD
        >>> SGD(0.1).rates(0, 3)
        array([0.1, 0.1, 0.1])
        """
        rate = self._learning_rate
        if isinstance(rate, float) and not self.decay:
            return np.full(n, rate)  # was checked when it was set
        if isinstance(rate, LearningRateSchedule):
            rates = np.asarray(rate.rates(step, n), np.float64)
        elif callable(rate):
            rates = np.array([float(rate()) for _ in range(n)], np.float64)
        else:
            rates = np.full(n, rate)
        if self.decay:
            rates = rates / (1.0 + self.decay * np.arange(step, step + n, dtype=np.float64))
        good = np.isfinite(rates) & (rates >= 0)
        if rates.shape != (n,) or not good.all():
            bad = int(np.argmin(good)) if rates.shape == (n,) else 0
            raise ValueError(
                f"[{self._where}] expected the schedule to give {n} finite rates of at least 0 from step {step} on, "
                f"received {rates.ravel()[bad : bad + 1]} at step {step + bad}."
            )
        return rates

    def momenta(self, step: int, n: int) -> np.ndarray | None:
        """The momenta of the steps to come, by a schedule that has them; None: the optimizer's own.

        Raises
        ------
        ValueError
            If a schedule gives one that is not in [0, 1).
        """
        rate = self._learning_rate
        given = rate.momenta(step, n) if isinstance(rate, LearningRateSchedule) else None
        if given is None:
            return None
        momenta = np.ascontiguousarray(given, np.float64)
        if momenta.shape != (n,) or not ((momenta >= 0) & (momenta < 1)).all():
            raise ValueError(
                f"[{self._where}] expected the schedule to give {n} momenta in [0, 1) from step {step} on, received "
                f"{momenta!r}."
            )
        return momenta

    @property
    def iterations(self) -> int:
        """Updates made so far."""
        return self._iterations // self.accumulation

    @iterations.setter
    def iterations(self, value: int) -> None:
        self._check_count("iterations", value)
        self._iterations = int(value) * self.accumulation

    @property
    def batches(self) -> int:
        """Batches seen so far."""
        return self._iterations

    @batches.setter
    def batches(self, value: int) -> None:
        self._check_count("batches", value)
        self._iterations = int(value)

    # Checks.

    def _check_pattern(self, argument: str, pattern: Any) -> None:
        try:
            re.compile(pattern)
        except (re.error, TypeError) as error:
            raise ValueError(
                f"[{self._where}] expected {argument} to be regular expressions, received {pattern!r}."
            ) from error

    def _checked_factors(self, factors: Any) -> dict[str, float]:
        if factors is not None and not isinstance(factors, Mapping):
            raise TypeError(
                f"[{self._where}] expected learning_rate_factors as a dict of regular expressions to factors, received "
                f"{factors!r}."
            )
        for pattern in factors or {}:
            self._check_pattern("the keys of learning_rate_factors", pattern)
        name = "a factor of learning_rate_factors"
        return {pattern: self._number(name, factor, 0, math.inf) for pattern, factor in (factors or {}).items()}

    def _check_count(self, name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
            raise ValueError(f"[{self._where}] expected {name} to be an integer of at least 0, received {value!r}.")

    def _checked_rate(self, rate: Any) -> Any:
        if isinstance(rate, Mapping):
            return schedules.deserialize(rate)
        if isinstance(rate, LearningRateSchedule) or (callable(rate) and not isinstance(rate, type)):
            return rate
        return self._number("learning_rate", rate, 0, math.inf)

    def _take_clips(self, kwargs: dict[str, Any]) -> None:
        self.clipnorm = self.global_clipnorm = self.clipvalue = None
        given = {name: value for name in _CLIPS if (value := kwargs.pop(name, None)) is not None}
        if len(given) > 1:
            raise ValueError(f"[{self._where}] expected one of {', '.join(_CLIPS)}, received {', '.join(given)}.")
        for name, value in given.items():
            setattr(self, name, self._number(name, value, 0, math.inf))

    def _take_averages(self, kwargs: dict[str, Any]) -> None:
        self.use_ema = bool(kwargs.pop("use_ema", False))
        self.ema_momentum = self._number("ema_momentum", kwargs.pop("ema_momentum", 0.99), 0, 1)
        self.ema_overwrite_frequency = self._count(kwargs, "ema_overwrite_frequency", 1)

    def _count(self, kwargs: dict[str, Any], name: str, least: int) -> int | None:
        value = kwargs.pop(name, None)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least):
            raise ValueError(f"[{self._where}] expected {name} to be None or at least {least}, received {value!r}.")
        return None if value is None else int(value)

    def _number(self, name: str, value: Any, least: float, most: float, below: bool = False) -> float:
        """A hyper-parameter as a float in [least, most], or [least, most) if `below`."""
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = None
        if number is None or isinstance(value, (bool, str)):
            raise TypeError(f"[{self._where}] expected {name} to be a number, received {value!r}.")
        if not least <= number <= most or math.isinf(number) or (below and number == most):
            limit = f"at least {least}" if math.isinf(most) else f"from {least} to {most}"
            limit = f"at most {most}" if math.isinf(least) else limit
            raise ValueError(
                f"[{self._where}] expected {name} to be a finite number {limit}{' (exclusive)' if below else ''}, "
                f"received {value!r}."
            )
        return number

    def _refuse(self, kwargs: dict[str, Any], arguments: tuple[str, ...]) -> None:
        for name in kwargs:
            raise ValueError(unknown_argument(self._where, name, ["learning_rate", *arguments, *_SHARED, "name"]))

    def __repr__(self) -> str:
        return f"<{self._where} learning_rate={self._learning_rate!r}, iterations={self.iterations}>"


def _deprecated(message: str, stacklevel: int = 4) -> None:
    warnings.warn(message, DeprecationWarning, stacklevel=stacklevel)
