"""Ensembles: several trained models as one predictor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from .model import Model


class Ensemble:
    """The weighted mean, or the vote, of several models with one output of the same shape.

    Parameters
    ----------
    members : iterable of Model
    weights : array_like of shape (members,), optional
        Not negative; scaled to sum to 1. Alike unless given.

    Raises
    ------
    ValueError
        Without a member, or for weights that do not fit.
    TypeError
        If a member is no model.

    Examples
    --------
    >>> import numpy as np
    >>> import hotloop as keras
    >>> models = [keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "softmax")]) for _ in range(3)]
    >>> ensemble = keras.Ensemble(models)
    >>> ensemble.predict(np.zeros((4, 3))).tolist()[0], ensemble.vote(np.zeros((4, 3))).shape
    ([0.5, 0.5], (4,))
    """

    def __init__(self, members: Iterable[Model], weights: Any = None) -> None:
        self.members = models_of(members, "ensemble")
        try:
            raw = np.ones(len(self.members)) if weights is None else np.asarray(weights, np.float64)
        except (TypeError, ValueError):
            raw = np.zeros(0)
        if raw.shape != (len(self.members),) or not np.isfinite(raw).all() or (raw < 0).any() or not raw.any():
            raise ValueError(
                f"[ensemble] expected {len(self.members)} weights that are not negative, received {weights!r}."
            )
        self.weights: np.ndarray = raw / raw.sum()

    def predict(self, x: Any, **arguments: Any) -> np.ndarray:
        """The weighted mean of the members' predictions, which are added in their order.

        Parameters
        ----------
        x : array_like
            n rows.
        **arguments
            Of `Model.predict`.

        Returns
        -------
        ndarray of shape (n, ...)
        """
        total: Any = None
        for part, weight in self._parts(x, arguments):
            share = part * part.dtype.type(weight)
            total = share if total is None else total + share
        return total

    def vote(self, x: Any, **arguments: Any) -> np.ndarray:
        """The class that gets most of the members' weight; of a tie the lowest.

        Members with one output vote for class 1 above 0.5, others for their largest output.

        Returns
        -------
        ndarray of int64, of shape (n,)
        """
        ballots: Any = None
        for part, weight in self._parts(x, arguments):
            if part.ndim != 2:
                raise ValueError(f"[ensemble vote] expected outputs of shape (n, classes), received {part.shape}.")
            classes = max(2, part.shape[1])
            choice = part.argmax(axis=1) if part.shape[1] > 1 else (part[:, 0] > 0.5).astype(np.int64)
            ballot = weight * np.eye(classes)[choice]
            ballots = ballot if ballots is None else ballots + ballot
        return ballots.argmax(axis=1)

    def _parts(self, x: Any, arguments: dict[str, Any]) -> Iterator[tuple[np.ndarray, float]]:
        first: Any = None
        for i, (member, weight) in enumerate(zip(self.members, self.weights, strict=True)):
            part = member.predict(x, **{"verbose": 0, **arguments})
            first = part if first is None else first
            check_alike(first, part, i, "ensemble")
            yield part, weight


def models_of(members: Any, where: str) -> list[Model]:
    """The members of an ensemble or a pack as a list."""
    if isinstance(members, Model) or not isinstance(members, Iterable):
        raise TypeError(f"[{where}] expected a list of models, received {type(members).__name__}.")
    found = list(members)
    if not found:
        raise ValueError(f"[{where}] expected at least one member, received none.")
    for i, member in enumerate(found):
        if not isinstance(member, Model):
            raise TypeError(f"[{where}] expected models, received {type(member).__name__} as member {i}.")
    return found


def check_alike(first: Any, part: Any, place: int, where: str) -> None:
    """Refuse predictions that have no mean with those of the first member."""
    if not isinstance(part, np.ndarray):
        raise ValueError(
            f"[{where}] expected members with one output, received one with {len(part)} as member {place}."
        )
    if part.shape != first.shape:
        raise ValueError(
            f"[{where}] expected members with outputs of one shape, received {first.shape} of member 0 and "
            f"{part.shape} of member {place}."
        )


def greedy_selection(predictions: np.ndarray, score: Callable[[np.ndarray], float], size: int) -> list[int]:
    """How often each of `predictions`, of shape (members, n, ...), is chosen for a mean with a low score."""
    chosen = [0] * len(predictions)
    total = np.zeros_like(predictions[0])
    for taken in range(size):
        scores = [score((total + candidate) / (taken + 1)) for candidate in predictions]
        if np.isnan(scores).all():
            raise ValueError("[pack select] expected a member whose score is a number, received NaN for all of them.")
        best = int(np.nanargmin(scores))
        chosen[best] += 1
        total = total + predictions[best]
    return chosen
