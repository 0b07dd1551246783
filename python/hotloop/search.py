"""Hyper-parameter search over packs: random configurations, and successive halving of those that lag behind."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .data import positive
from .metrics import better
from .model import Model
from .pack import Pack


def _check_range(distribution: Any, above: float) -> None:
    low, high = distribution.low, distribution.high
    try:
        fits = bool(above < low <= high < np.inf)
    except TypeError:
        fits = False
    if not fits:
        limit = f" above {above}" if above > -np.inf else ""
        raise ValueError(
            f"[{type(distribution).__name__}] expected finite numbers{limit}, low up to high, received {low!r} and "
            f"{high!r}."
        )


@dataclass(frozen=True)
class Uniform:
    """Numbers from `low` to `high`, all alike.

    Examples
    --------
    >>> import numpy as np
    >>> 0.1 <= Uniform(0.1, 0.5).rvs(random_state=np.random.default_rng(0)) < 0.5
    True
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_range(self, -np.inf)

    def rvs(self, *, random_state: np.random.Generator) -> float:
        """Draw one."""
        return float(random_state.uniform(self.low, self.high))


@dataclass(frozen=True)
class LogUniform:
    """Positive numbers from `low` to `high` whose logarithms are all alike: rates, decays."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_range(self, 0)

    def rvs(self, *, random_state: np.random.Generator) -> float:
        """Draw one."""
        return float(np.exp(random_state.uniform(np.log(self.low), np.log(self.high))))


@dataclass(frozen=True)
class Integer:
    """Whole numbers from `low` to `high`, both included; with `log` those of a :class:`LogUniform`, rounded."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        _check_range(self, -1 if self.log else -np.inf)

    def rvs(self, *, random_state: np.random.Generator) -> int:
        """Draw one."""
        if self.log:
            drawn = LogUniform(self.low - 0.5 if self.low > 0 else 0.5, self.high + 0.5).rvs(random_state=random_state)
            return int(np.clip(round(drawn), self.low, self.high))
        return int(random_state.integers(self.low, self.high, endpoint=True))


@dataclass
class Trial:
    """One configuration and what became of it.

    Attributes
    ----------
    configuration : dict
        Arguments of `make`.
    model : Model
    score : float
        The objective after the last epoch.
    epochs : int
        It was trained for.
    history : dict
        Of names to values, one for each epoch.
    """

    configuration: dict[str, Any]
    model: Model
    score: float = float("nan")
    epochs: int = 0
    history: dict[str, list[float]] = field(default_factory=dict)


class Found:
    """What a search found.

    Attributes
    ----------
    trials : list of Trial
        The best first.
    """

    def __init__(self, trials: list[Trial]) -> None:
        self.trials = trials

    @property
    def best(self) -> Trial:
        """The trial with the best score."""
        return self.trials[0]

    def rows(self) -> list[dict[str, Any]]:
        """A dict for each trial, the best first: its configuration, score and epochs. `pandas.DataFrame` takes it."""
        return [{**t.configuration, "score": t.score, "epochs": t.epochs} for t in self.trials]

    def pack(self, size: int = 8) -> Pack:
        """The models of the best `size` trials, to make an ensemble of."""
        return Pack(t.model for t in self.trials[: positive(size, "search", "size")])


def search(
    make: Callable[..., Model],
    space: Mapping[str, Any],
    x: Any,
    y: Any = None,
    *,
    trials: int = 16,
    epochs: int = 10,
    objective: str = "val_loss",
    mode: str = "auto",
    reduction: int | None = None,
    least_epochs: int = 1,
    seed: int = 0,
    verbose: Any = "auto",
    **arguments: Any,
) -> Found:
    """Train networks of random configurations side by side, and rank them.

    Random search after Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization", JMLR 13, 2012. With a
    `reduction` eta the rungs of successive halving (Jamieson and Talwalkar, "Non-stochastic Best Arm Identification
    and Hyperparameter Optimization", AISTATS 2016): all networks are trained for `least_epochs`, the best one in eta
    goes on until it has eta times as many epochs, and so on up to `epochs`. Training that goes on has the bits of
    training that never stopped.

    Parameters
    ----------
    make : callable
        `make(**configuration)` returns a new compiled model. Seed it there (`keras.utils.set_random_seed`) for the
        same networks every time.
    space : dict
        For each argument of `make` a list of choices, or an object whose `rvs(random_state=generator)` draws a value:
        `Uniform`, `LogUniform`, `Integer`, or a distribution of `scipy.stats`.
    x, y
        As for `Model.fit`.
    trials : int
        Configurations to draw.
    epochs : int
        Of the longest training.
    objective : str
        A name in the history.
    mode : {"auto", "min", "max"}
        Whether it is to be low or high; "auto" knows by the name, as callbacks do.
    reduction : int, optional
        At least 2.
    least_epochs : int
        Of the shortest training.
    seed : int
        Of the configurations.
    **arguments
        Of `Model.fit`: validation_split, validation_data, batch_size, callbacks, ...

    Returns
    -------
    Found

    Raises
    ------
    ValueError
        For a space or numbers that make no sense, or an objective that is not in the history.

    Examples
    --------
    >>> import numpy as np
    >>> import hotloop as keras
    >>> from hotloop.search import Integer, LogUniform, search
    >>> def make(units, rate):
    ...     keras.utils.set_random_seed(0)
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(units, "tanh"), keras.layers.Dense(1)])
    ...     model.compile(keras.optimizers.Adam(rate), "mse")
    ...     return model
    >>> x = np.random.default_rng(0).random((200, 2))
    >>> space = {"units": Integer(4, 32), "rate": LogUniform(1e-4, 1e-1)}
    >>> found = search(make, space, x, x.prod(axis=1), trials=9, epochs=9, reduction=3, validation_split=0.2, verbose=0)
    >>> [trial.epochs for trial in found.trials]
    [9, 3, 3, 1, 1, 1, 1, 1, 1]
    """
    trials, epochs = positive(trials, "search", "trials"), positive(epochs, "search", "epochs")
    sign = -1.0 if _is_high(objective, mode) else 1.0
    if not isinstance(space, Mapping):
        raise TypeError(f"[search] expected space as a dict of choices, received {type(space).__name__}.")
    held_out = any(arguments.get(name) is not None for name in ("validation_data", "validation_split"))
    if objective == "val_loss" and not held_out:
        raise ValueError(
            "[search] expected validation_data or validation_split for the objective 'val_loss', received neither. "
            "Pass one, or another objective."
        )
    rungs = _rungs(epochs, reduction, least_epochs)
    rng = np.random.default_rng(seed)
    drawn = [{name: _draw(name, choices, rng) for name, choices in space.items()} for _ in range(trials)]
    running = [Trial(configuration, make(**configuration)) for configuration in drawn]
    behind: list[Trial] = []
    for since, until in itertools.pairwise([0, *rungs]):
        pack = Pack(trial.model for trial in running)
        histories = pack.fit(x, y, initial_epoch=since, epochs=until, verbose=verbose, **arguments)
        for trial, history in zip(running, histories, strict=True):
            _note(trial, history.history, objective)
        running.sort(key=lambda t: sign * t.score if t.score == t.score else np.inf)  # NaN comes last
        left = len(running) if until == epochs else max(1, len(running) // (reduction or 1))
        running, behind = running[:left], running[left:] + behind
    return Found(running + behind)


def _note(trial: Trial, history: dict[str, list[float]], objective: str) -> None:
    """Add the epochs of one `fit` to a trial."""
    if objective not in history:
        raise ValueError(
            f"[search] expected an objective that is logged, one of {', '.join(history)}, received {objective!r}. "
            "Pass validation_data or validation_split for names that begin with val_."
        )
    for name, values in history.items():
        trial.history.setdefault(name, []).extend(values)
    trial.epochs = len(trial.history[objective])
    trial.score = trial.history[objective][-1]


def _is_high(objective: str, mode: str) -> bool:
    if mode not in ("auto", "min", "max"):
        raise ValueError(f"[search] expected mode 'auto', 'min' or 'max', received {mode!r}.")
    direction = {"max": "up", "min": "down"}.get(mode) or better(objective, ())
    if direction is None:
        raise ValueError(
            f"[search] expected mode='min' or mode='max' for objective='{objective}', received 'auto', which cannot "
            "tell whether more is better."
        )
    return direction == "up"


def _rungs(epochs: int, reduction: int | None, least: int) -> list[int]:
    if reduction is None:
        return [epochs]
    reduction = positive(reduction, "search", "reduction", least=2)
    rungs, now = [], positive(least, "search", "least_epochs")
    while now < epochs:
        rungs.append(now)
        now *= reduction
    return [*rungs, epochs]


def _draw(name: str, choices: Any, rng: np.random.Generator) -> Any:
    if hasattr(choices, "rvs"):
        drawn = choices.rvs(random_state=rng)
        return drawn.item() if isinstance(drawn, np.generic) else drawn
    if isinstance(choices, (list, tuple, np.ndarray)) and len(choices):
        return choices[int(rng.integers(len(choices)))]
    raise ValueError(
        f"[search] expected a list of choices or a distribution with rvs for '{name}', received {choices!r}."
    )
