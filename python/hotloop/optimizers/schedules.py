"""Learning rates that change from step to step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..identifiers import Configurable, Table
from ..identifiers import serialize as serialize


class LearningRateSchedule(Configurable):
    """Base class: a callable of the step, which is 0 at the first update.

    A schedule of one's own needs `__call__(step)`; it is called with an int once for every step.

    Examples
    --------
    >>> class Warmup(LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 0.1 * min(1, (step + 1) / 100)
    >>> [round(float(r), 3) for r in Warmup().rates(98, 3)]
    [0.099, 0.1, 0.1]
    """

    def __call__(self, step: Any) -> Any:
        """The learning rate of a step."""
        raise NotImplementedError(f"Schedule {type(self).__name__} must override `__call__(self, step)`.")

    def rates(self, step: int, n: int) -> np.ndarray:
        """The learning rates of steps `step` to `step + n - 1`, float64 of shape (n,)."""
        return np.array([float(self(k)) for k in range(step, step + n)], np.float64)

    def momenta(self, step: int, n: int) -> np.ndarray | None:
        """The momenta of the same steps, float64 of shape (n,) in [0, 1); None: that of the optimizer."""
        return None


class ExponentialDecay(LearningRateSchedule):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
        Steps (batches) in which the rate falls by the factor `decay_rate`.
    decay_rate : float
    staircase : bool
        Whether the exponent is rounded down, so that the rate falls every `decay_steps` steps at once.
    name : str

    Examples
    --------
    >>> ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5, staircase=True).rates(8, 4)
    array([0.1 , 0.1 , 0.05, 0.05])
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        for label, value, above in (
            ("initial_learning_rate", initial_learning_rate, -math.inf),
            ("decay_steps", decay_steps, 0),
            ("decay_rate", decay_rate, 0),
        ):
            if not above < value < math.inf:
                limit = f"a number above {above}" if above == 0 else "a finite number"
                raise ValueError(f"[ExponentialDecay] expected {label} to be {limit}, received {value}.")
        self.initial_learning_rate, self.decay_steps, self.decay_rate = initial_learning_rate, decay_steps, decay_rate
        self.staircase, self.name = bool(staircase), name

    def __call__(self, step: Any) -> Any:
        exponent = np.asarray(step, np.float64) / self.decay_steps
        return self.initial_learning_rate * self.decay_rate ** (np.floor(exponent) if self.staircase else exponent)

    def rates(self, step: int, n: int) -> np.ndarray:
        return np.asarray(self(np.arange(step, step + n)))

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate, "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate, "staircase": self.staircase, "name": self.name,
        }  # fmt: skip


class _Formula(LearningRateSchedule):
    """A schedule that is one formula over an array of steps; `arguments` are those of its constructor."""

    arguments: tuple[str, ...] = ()

    def __init__(self, name: str, above_zero: tuple[str, ...] = (), **numbers: float) -> None:
        self.name = name
        for label, value in numbers.items():
            _check(type(self).__name__, label, value, 0 if label in above_zero else -math.inf)
            setattr(self, label, value)

    def rates(self, step: int, n: int) -> np.ndarray:
        return np.asarray(self(np.arange(step, step + n)), np.float64)

    def get_config(self) -> dict[str, Any]:
        return {**{label: getattr(self, label) for label in self.arguments}, "name": self.name}


class InverseTimeDecay(_Formula):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
        Above 0.
    decay_rate : float
    staircase : bool
        Whether step / decay_steps is rounded down.
    name : str

    Raises
    ------
    ValueError
        For a number that is not finite, or decay_steps of 0 or less.

    Examples
    --------
    >>> float(InverseTimeDecay(0.1, decay_steps=10, decay_rate=1.0)(10))
    0.05
    """

    arguments = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase")
    initial_learning_rate: float
    decay_steps: float
    decay_rate: float

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        super().__init__(
            name, ("decay_steps",),
            initial_learning_rate=initial_learning_rate, decay_steps=decay_steps, decay_rate=decay_rate,
        )  # fmt: skip
        self.staircase = bool(staircase)

    def __call__(self, step: Any) -> Any:
        periods = np.asarray(step, np.float64) / self.decay_steps
        return self.initial_learning_rate / (1 + self.decay_rate * (np.floor(periods) if self.staircase else periods))


class PowerDecay(_Formula):
    """`initial_learning_rate / (1 + step / decay_steps) ** power`: power scheduling.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
        Above 0: after so many steps the rate has fallen by the factor 2 ** power.
    power : float
    name : str

    Raises
    ------
    ValueError
        For a number that is not finite, or decay_steps of 0 or less.

    Examples
    --------
    >>> float(PowerDecay(0.1, decay_steps=10, power=2.0)(10))
    0.025
    """

    arguments = ("initial_learning_rate", "decay_steps", "power")
    initial_learning_rate: float
    decay_steps: float
    power: float

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, power: float = 1.0, name: str = "PowerDecay"
    ) -> None:
        super().__init__(
            name, ("decay_steps",), initial_learning_rate=initial_learning_rate, decay_steps=decay_steps, power=power
        )

    def __call__(self, step: Any) -> Any:
        return self.initial_learning_rate / (1 + np.asarray(step, np.float64) / self.decay_steps) ** self.power


class PolynomialDecay(_Formula):
    """From the initial to the end rate in `decay_steps` steps, along a power of the share that is left.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
        Above 0.
    end_learning_rate : float
    power : float
        1 is a straight line.
    cycle : bool
        Whether the rate rises again at the end, each time on a stretch longer by `decay_steps`, instead of staying.
    name : str

    Raises
    ------
    ValueError
        For a number that is not finite, or decay_steps of 0 or less.

    Examples
    --------
    >>> float(PolynomialDecay(0.5, decay_steps=10, end_learning_rate=0.25)(5))
    0.375
    """

    arguments = ("initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle")
    initial_learning_rate: float
    decay_steps: float
    end_learning_rate: float
    power: float

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        super().__init__(
            name, ("decay_steps",), initial_learning_rate=initial_learning_rate, decay_steps=decay_steps,
            end_learning_rate=end_learning_rate, power=power,
        )  # fmt: skip
        self.cycle = bool(cycle)

    def __call__(self, step: Any) -> Any:
        step = np.asarray(step, np.float64)
        if self.cycle:
            share = step / (self.decay_steps * np.maximum(1, np.ceil(step / self.decay_steps)))
        else:
            share = np.minimum(step, self.decay_steps) / self.decay_steps
        return (self.initial_learning_rate - self.end_learning_rate) * (1 - share) ** self.power + (
            self.end_learning_rate
        )


class PiecewiseConstantDecay(_Formula):
    """`values[i]`, with i the number of boundaries below the step: a step at a boundary has the earlier value.

    Parameters
    ----------
    boundaries : list of numbers
        Steps, ascending.
    values : list of float
        One more than there are boundaries.
    name : str

    Raises
    ------
    ValueError
        For boundaries that do not ascend, values of another number, or numbers that are not finite.

    Examples
    --------
    >>> PiecewiseConstantDecay([2], [0.1, 0.01]).rates(1, 3)
    array([0.1 , 0.1 , 0.01])
    """

    arguments = ("boundaries", "values")

    def __init__(self, boundaries: Any, values: Any, name: str = "PiecewiseConstant") -> None:
        super().__init__(name)
        self.boundaries, self.values = list(boundaries), list(values)
        for label, numbers in (("boundaries", self.boundaries), ("values", self.values)):
            for number in numbers:
                _check("PiecewiseConstantDecay", f"each of {label}", number, -math.inf)
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                f"[PiecewiseConstantDecay] expected {len(self.boundaries) + 1} values, one more than boundaries, "
                f"received {len(self.values)}."
            )
        if any(a >= b for a, b in zip(self.boundaries, self.boundaries[1:], strict=False)):
            raise ValueError(f"[PiecewiseConstantDecay] expected ascending boundaries, received {self.boundaries}.")

    def __call__(self, step: Any) -> Any:
        return np.asarray(self.values, np.float64)[np.searchsorted(self.boundaries, step, side="left")]


class CosineDecay(_Formula):
    """Half a cosine from the initial rate down to `alpha` times it, after a straight warm-up if one is asked for.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
        Steps of the cosine, above 0; the warm-up comes before them.
    alpha : float
        The last rate as a share of the first.
    name : str
    warmup_target : float, optional
        Where a warm-up leads, from `initial_learning_rate`; the cosine begins there. None for no warm-up.
    warmup_steps : int

    Raises
    ------
    ValueError
        For a number that is not finite, decay_steps of 0 or less, or warmup_steps below 0.

    Notes
    -----
    Loshchilov and Hutter, "SGDR: Stochastic gradient descent with warm restarts", ICLR 2017.

    Examples
    --------
    >>> float(CosineDecay(0.5, decay_steps=10)(20))
    0.0
    """

    arguments = ("initial_learning_rate", "decay_steps", "alpha", "warmup_target", "warmup_steps")
    initial_learning_rate: float
    decay_steps: float
    alpha: float
    warmup_steps: float

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        super().__init__(
            name, ("decay_steps",), initial_learning_rate=initial_learning_rate, decay_steps=decay_steps, alpha=alpha,
            warmup_steps=warmup_steps,
        )  # fmt: skip
        if warmup_steps < 0:
            raise ValueError(f"[CosineDecay] expected warmup_steps to be at least 0, received {warmup_steps}.")
        if warmup_target is not None:
            _check("CosineDecay", "warmup_target", warmup_target, -math.inf)
        self.warmup_target = warmup_target

    def __call__(self, step: Any) -> Any:
        step, first = np.asarray(step, np.float64), self.initial_learning_rate
        if self.warmup_target is None:
            return first * _half_cosine(np.minimum(step, self.decay_steps) / self.decay_steps, self.alpha)
        rise = (self.warmup_target - first) * step / max(self.warmup_steps, 1) + first
        share = np.clip((step - self.warmup_steps) / self.decay_steps, 0, 1)
        fall = self.warmup_target * _half_cosine(share, self.alpha)
        return np.where(step < self.warmup_steps, rise, fall)[()]


class CosineDecayRestarts(_Formula):
    """Half cosines one after the other, each `t_mul` times as long and from `m_mul` times as high as the one before.

    Parameters
    ----------
    initial_learning_rate : float
    first_decay_steps : int
        Steps of the first, above 0.
    t_mul : float
        At least 1.
    m_mul : float
    alpha : float
        The lowest rate as a share of the first.
    name : str

    Raises
    ------
    ValueError
        For a number that is not finite, first_decay_steps of 0 or less, or t_mul below 1.

    Notes
    -----
    Loshchilov and Hutter, "SGDR: Stochastic gradient descent with warm restarts", ICLR 2017.

    Examples
    --------
    >>> float(CosineDecayRestarts(0.5, first_decay_steps=10)(10))
    0.5
    """

    arguments = ("initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha")
    initial_learning_rate: float
    first_decay_steps: float
    t_mul: float
    m_mul: float
    alpha: float

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        super().__init__(
            name, ("first_decay_steps",), initial_learning_rate=initial_learning_rate,
            first_decay_steps=first_decay_steps, t_mul=t_mul, m_mul=m_mul, alpha=alpha,
        )  # fmt: skip
        if t_mul < 1:
            raise ValueError(f"[CosineDecayRestarts] expected t_mul to be at least 1, received {t_mul}.")

    def __call__(self, step: Any) -> Any:
        periods = np.asarray(step, np.float64) / self.first_decay_steps
        if self.t_mul == 1:
            restarts = np.floor(periods)
            share = periods - restarts
        else:
            restarts = np.floor(np.log(1 - periods * (1 - self.t_mul)) / math.log(self.t_mul))
            length = self.t_mul**restarts
            share = (periods - (1 - length) / (1 - self.t_mul)) / length
        return self.initial_learning_rate * _half_cosine(share, self.alpha, self.m_mul**restarts)


class OneCycle(_Formula):
    """Up to the largest rate, down again, and far down at the end, while the momentum goes the other way.

    Parameters
    ----------
    max_learning_rate : float
        Reached in the middle of what comes before the last stretch.
    total_steps : int
        Batches of the whole training; afterwards the rate stays where it is.
    initial_learning_rate : float, optional
        Of the first step, and of the one in which the last stretch begins; a tenth of the largest unless told.
    final_learning_rate : float, optional
        A thousandth of the initial one unless told.
    last_share : float
        How much of `total_steps` is the last stretch, from 0 to below 1.
    cosine : bool
        Whether rates and momenta move by half a cosine instead of a straight line.
    max_momentum, min_momentum : float or None
        Where the momentum of SGD and RMSprop, or beta_1 of Adam, AdamW, Adamax and Lion, begins and ends, and where it
        is when the rate is largest. Optimizers without one have none, and Nadam keeps a schedule of its own. With None
        the optimizer's stays as it is.
    name : str

    Notes
    -----
    Smith, "A Disciplined Approach to Neural Network Hyper-parameters", arXiv:1803.09820, 2018. Not in Keras.

    Examples
    --------
    >>> cycle = OneCycle(1.0, 10, last_share=0.2)
    >>> [round(float(rate), 4) for rate in cycle.rates(0, 11)]
    [0.1, 0.325, 0.55, 0.775, 1.0, 0.775, 0.55, 0.325, 0.1, 0.0501, 0.0001]
    >>> [round(float(momentum), 3) for momentum in cycle.momenta(0, 9)]
    [0.95, 0.925, 0.9, 0.875, 0.85, 0.875, 0.9, 0.925, 0.95]
    """

    arguments = (
        "max_learning_rate", "total_steps", "initial_learning_rate", "final_learning_rate", "last_share", "cosine",
        "max_momentum", "min_momentum",
    )  # fmt: skip
    max_learning_rate: float
    total_steps: int
    initial_learning_rate: float
    final_learning_rate: float
    last_share: float

    def __init__(
        self,
        max_learning_rate: float,
        total_steps: int,
        initial_learning_rate: float | None = None,
        final_learning_rate: float | None = None,
        last_share: float = 0.1,
        cosine: bool = False,
        max_momentum: float | None = 0.95,
        min_momentum: float | None = 0.85,
        name: str = "OneCycle",
    ) -> None:
        _check("OneCycle", "max_learning_rate", max_learning_rate, -math.inf)
        initial = max_learning_rate / 10 if initial_learning_rate is None else initial_learning_rate
        final = initial / 1000 if final_learning_rate is None else final_learning_rate
        super().__init__(
            name, ("total_steps",), max_learning_rate=max_learning_rate, total_steps=total_steps,
            initial_learning_rate=initial, final_learning_rate=final, last_share=last_share,
        )  # fmt: skip
        if not 0 <= last_share < 1:
            raise ValueError(f"[OneCycle] expected last_share to be at least 0 and below 1, received {last_share}.")
        if (max_momentum is None) != (min_momentum is None):
            raise ValueError("[OneCycle] expected max_momentum and min_momentum both or none, received one.")
        for label, value in (("max_momentum", max_momentum), ("min_momentum", min_momentum)):
            if value is not None:
                _check("OneCycle", label, value, -math.inf)
                if not 0 <= value < 1:
                    raise ValueError(f"[OneCycle] expected {label} to be at least 0 and below 1, received {value}.")
        self.cosine, self.max_momentum, self.min_momentum = bool(cosine), max_momentum, min_momentum

    def __call__(self, step: Any) -> Any:
        return self._at(step, self.initial_learning_rate, self.max_learning_rate, self.final_learning_rate)

    def momenta(self, step: int, n: int) -> np.ndarray | None:
        high, low = self.max_momentum, self.min_momentum
        return None if high is None else self._at(np.arange(step, step + n), high, low, high)

    def _at(self, step: Any, side: Any, middle: Any, end: Any) -> Any:
        half = (1 - self.last_share) * self.total_steps / 2
        turns = np.array([0, half, 2 * half, self.total_steps])
        values = np.array([side, middle, side, end], np.float64)
        stretches = 3 if self.last_share else 2
        step = np.clip(np.asarray(step, np.float64), 0, turns[stretches])
        i = np.minimum(np.searchsorted(turns, step, side="right") - 1, stretches - 1)
        share = (step - turns[i]) / (turns[i + 1] - turns[i])
        share = 0.5 - 0.5 * np.cos(math.pi * share) if self.cosine else share
        return (1 - share) * values[i] + share * values[i + 1]


def _half_cosine(share: Any, alpha: float, height: Any = 1.0) -> Any:
    return (1 - alpha) * 0.5 * height * (1 + np.cos(math.pi * share)) + alpha


def _check(where: str, label: str, value: Any, above: float) -> None:
    if isinstance(value, (bool, str)) or not isinstance(value, (int, float, np.number)):
        raise TypeError(f"[{where}] expected {label} to be a number, received {value!r}.")
    if not above < value < math.inf:
        limit = "a number above 0" if above == 0 else "a finite number"
        raise ValueError(f"[{where}] expected {label} to be {limit}, received {value}.")


_TABLE: Table[LearningRateSchedule] = Table(
    "learning rate schedule",
    LearningRateSchedule,
    {
        "exponential_decay": ExponentialDecay,
        "inverse_time_decay": InverseTimeDecay,
        "power_decay": PowerDecay,
        "polynomial_decay": PolynomialDecay,
        "piecewise_constant_decay": PiecewiseConstantDecay,
        "cosine_decay": CosineDecay,
        "cosine_decay_restarts": CosineDecayRestarts,
        "one_cycle": OneCycle,
    },
)
find = _TABLE.find


def deserialize(config: Mapping[str, Any]) -> LearningRateSchedule:
    """The schedule that `serialize` described."""
    return _TABLE.from_dict(config)
