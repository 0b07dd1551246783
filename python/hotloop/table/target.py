"""The column to be predicted: classes or a number, told from its values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .columns import labels_of, numbers_of

if TYPE_CHECKING:
    import pandas as pd

_FEW = 20  # different whole numbers up to which a target is taken for classes
_DTYPES = ("object", "bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
           "float32", "float64")  # fmt: skip
TASKS = ("auto", "classification", "regression")


def task_of(series: pd.Series) -> str:
    """ "classification" for texts, truth values and at most 20 different whole numbers, else "regression"."""
    from pandas.api import types

    if types.is_bool_dtype(series) or not types.is_numeric_dtype(series):
        return "classification"
    values = numbers_of(series, "target")
    different = np.unique(values[~np.isnan(values)])
    return "classification" if len(different) <= _FEW and (different == np.round(different)).all() else "regression"


def refuse_missing(series: pd.Series) -> None:
    """A target must have a value in every row."""
    missing = series.isna().to_numpy(dtype=bool)
    if missing.any():
        raise ValueError(
            f"[target '{series.name}'] expected a value in every row, received none in row {int(np.argmax(missing))} "
            f"and {int(missing.sum())} rows in all. Remove these rows."
        )


@dataclass(frozen=True)
class ClassTarget:
    """A target of classes.

    Attributes
    ----------
    name : str
    classes : tuple of str
        Labels, in the order of the network's outputs.
    dtype : str
        Of the column, and of the labels that `decode` gives: "int64", "bool", ...; "object" for texts.
    """

    name: str
    classes: tuple[str, ...]
    dtype: str = "object"

    def __post_init__(self) -> None:
        if self.dtype not in _DTYPES:
            known = ", ".join(_DTYPES)
            raise ValueError(f"[target '{self.name}'] expected a dtype among {known}, received {self.dtype!r:.40}.")
        self._labels()

    @classmethod
    def learn(cls, series: pd.Series) -> ClassTarget:
        """Learn the labels of the training rows.

        Raises
        ------
        ValueError
            If there are fewer than two.
        """
        refuse_missing(series)
        classes = sorted(set(labels_of(series)), key=_natural)
        if len(classes) < 2:
            raise ValueError(f"[target '{series.name}'] expected at least two classes, received {classes}.")
        return cls(str(series.name), tuple(classes), _dtype_of(series))

    @property
    def outputs(self) -> int:
        """Units of the last layer."""
        return len(self.classes)

    def encode(self, series: pd.Series) -> np.ndarray:
        """(n,) int32 places of the labels of a column without gaps.

        Raises
        ------
        ValueError
            If a label was not among the training rows.
        """
        codes = self.places(series)
        if (codes < 0).any():
            row = int(np.argmax(codes < 0))
            raise ValueError(
                f"[target '{self.name}'] expected one of {', '.join(self.classes)[:200]}, received "
                f"{str(series.iloc[row])!r} in row {row}."
            )
        return codes

    def places(self, series: pd.Series) -> np.ndarray:
        """(n,) int32 places of the labels; -1 for one that was not learnt."""
        places = {label: place for place, label in enumerate(self.classes)}
        return np.array([places.get(label, -1) for label in labels_of(series)], np.int32)

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """(n,) labels for (n, classes) probabilities, in the target's own dtype."""
        return self._labels()[np.argmax(outputs, axis=1)]

    def _labels(self) -> np.ndarray:
        try:
            return np.array([_value(label, self.dtype) for label in self.classes], dtype=self.dtype)
        except (ValueError, OverflowError):
            raise ValueError(
                f"[target '{self.name}'] expected classes of dtype {self.dtype}, received others."
            ) from None


def _value(label: str, dtype: str) -> Any:
    if dtype == "object":
        return label
    if dtype == "bool":
        return bool(("False", "True").index(label))
    return float(label) if dtype.startswith("float") else int(label)


def _dtype_of(series: pd.Series) -> str:
    """NumPy's name for the column's dtype, where its values are numbers or truth values."""
    dtype = getattr(series.dtype, "categories", series).dtype
    name = str(getattr(dtype, "numpy_dtype", dtype))
    return name if name in _DTYPES else "object"


def _natural(label: str) -> tuple[int, float, str]:
    """Numbers in the order of their values, then texts."""
    try:
        return (0, float(label), label)
    except ValueError:
        return (1, 0.0, label)


@dataclass(frozen=True)
class NumberTarget:
    """A target of numbers, standardised for the network.

    Attributes
    ----------
    name : str
    mean, scale : float
    low, high : float
        Range of the training rows; no prediction leaves it.
    """

    name: str
    mean: float
    scale: float
    low: float
    high: float

    @classmethod
    def learn(cls, series: pd.Series) -> NumberTarget:
        """Learn mean, scale and range of the training rows.

        Raises
        ------
        ValueError
            If a value is missing or no number.
        """
        refuse_missing(series)
        values = numbers_of(series, "target")
        low, high = float(values.min()), float(values.max())
        return cls(str(series.name), float(values.mean()), float(values.std()) or 1.0, low, high)

    @property
    def outputs(self) -> int:
        """Units of the last layer."""
        return 1

    def encode(self, series: pd.Series) -> np.ndarray:
        """(n,) float32 standardised values of a column without gaps."""
        return ((numbers_of(series, "target") - self.mean) / self.scale).astype(np.float32)

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """(n,) values for (n, 1) outputs of the network."""
        return np.clip(outputs[:, 0].astype(np.float64) * self.scale + self.mean, self.low, self.high)
