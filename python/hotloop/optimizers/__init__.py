"""Optimizers and learning-rate schedules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..identifiers import Table
from ..identifiers import serialize as serialize
from . import schedules
from .adadelta import Adadelta
from .adagrad import Adagrad
from .adam import Adam, AdamW
from .adamax import Adamax
from .ftrl import Ftrl
from .lamb import Lamb
from .lion import Lion
from .muon import Muon
from .nadam import Nadam
from .optimizer import Optimizer
from .rmsprop import RMSprop
from .schedule_free_adamw import ScheduleFreeAdamW
from .sgd import SGD

__all__ = [
    "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lamb", "Lion", "Muon", "Nadam", "Optimizer",
    "RMSprop", "ScheduleFreeAdamW", "deserialize", "find", "get", "schedules", "serialize",
]  # fmt: skip

_CLASSES = (SGD, Adadelta, Adagrad, Adam, AdamW, Adamax, Ftrl, Lamb, Lion, Muon, Nadam, RMSprop, ScheduleFreeAdamW)
_TABLE: Table[Optimizer] = Table("optimizer", Optimizer, {c.__name__.lower(): c for c in _CLASSES}, fold_case=True)
find = _TABLE.find


def get(identifier: Any) -> Any:
    """The optimizer of a name (in any case), a dict or an instance. None stays None.

    Raises
    ------
    ValueError
        For an unknown name (with a suggestion), a class, or anything else.

    Examples
    --------
    >>> get("SGD")
    <SGD learning_rate=0.01, iterations=0>
    """
    if identifier is None:
        return None
    if isinstance(identifier, type):
        raise ValueError(
            f"[optimizer] expected a name or an instance, received the class {identifier.__name__}. "
            f"Write {identifier.__name__}()."
        )
    return _TABLE.get(identifier)


def deserialize(config: Mapping[str, Any]) -> Optimizer:
    """The optimizer that `serialize` described."""
    return _TABLE.from_dict(config)
