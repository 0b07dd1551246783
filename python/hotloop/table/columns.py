"""One column of a table: what was learnt from it, and the features it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

_CLIP = 6.0  # standard deviations: farther out an input tells a network nothing but how to diverge
_SKEWED = 1.0  # third standardised moment from which a logarithm is taken
MAX_CATEGORIES = 256
_IDENTIFIER = 0.5  # share of different values from which a column of many texts is one of identifiers


def numbers_of(series: pd.Series, where: str) -> np.ndarray:
    """The column as float64; missing values are NaN.

    Raises
    ------
    ValueError
        If a value is no number, or infinite; the message names the row.
    """
    import pandas as pd

    found = pd.to_numeric(series, errors="coerce")
    values = found.to_numpy(dtype=np.float64, na_value=np.nan)
    bad = (np.isnan(values) & ~series.isna().to_numpy(dtype=bool)) | np.isinf(values)
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"[{where} '{series.name}'] expected finite numbers, received {str(series.iloc[row])!r} in row {row}. "
            "Correct the value or leave it empty."
        )
    return values


def labels_of(series: pd.Series) -> np.ndarray:
    """The column as an object array of texts; missing values are None. A whole number has no decimal point."""
    missing = series.isna().to_numpy(dtype=bool)
    return np.array([None if gone else _label(value) for value, gone in zip(series, missing, strict=True)], object)


def _label(value: Any) -> str:
    return str(int(value)) if isinstance(value, (float, np.floating)) and float(value).is_integer() else str(value)


@dataclass(frozen=True)
class NumericColumn:
    """A column of numbers.

    Attributes
    ----------
    name : str
    median : float
        Stands for a missing value.
    logarithm : bool
        Whether log(1 + max(x, 0)) is standardised instead of x.
    mean, scale : float
        Of the standardisation.
    edges : tuple of float
        Of the bins of the piecewise-linear encoding, increasing; empty for none.
    indicator : bool
        Whether a feature says that the value is missing; only if that happened while learning.
    """

    name: str
    median: float
    logarithm: bool
    mean: float
    scale: float
    edges: tuple[float, ...]
    indicator: bool

    @classmethod
    def learn(cls, series: pd.Series, bins: int) -> NumericColumn | None:
        """Learn from training rows; None for a column that never changes."""
        values = numbers_of(series, "column")
        present = values[~np.isnan(values)]
        if present.size == 0 or present.min() == present.max():
            return None
        logarithm = bool(present.min() >= 0 and _skewness(present) > _SKEWED)
        flat = np.log1p(present) if logarithm else present
        edges = np.unique(np.quantile(present, np.linspace(0, 1, bins + 1))) if bins else np.empty(0)
        return cls(
            name=str(series.name),
            median=float(np.median(present)),
            logarithm=logarithm,
            mean=float(flat.mean()),
            scale=float(flat.std()) or 1.0,
            edges=tuple(edges.tolist()) if edges.size > 1 else (),
            indicator=present.size < values.size,
        )

    @property
    def width(self) -> int:
        """Number of features."""
        return 1 + max(len(self.edges) - 1, 0) + self.indicator

    def features(self, series: pd.Series) -> np.ndarray:
        """(n, width) float64: standardised value, bins, missing."""
        values = numbers_of(series, "column")
        missing = np.isnan(values)
        values = np.where(missing, self.median, values)
        flat = np.log1p(np.maximum(values, 0.0)) if self.logarithm else values
        columns = [np.clip((flat - self.mean) / self.scale, -_CLIP, _CLIP)[:, None]]
        if self.edges:
            low, high = np.array(self.edges[:-1]), np.array(self.edges[1:])
            columns.append(np.clip((values[:, None] - low) / (high - low), 0.0, 1.0))
        if self.indicator:
            columns.append(missing[:, None].astype(np.float64))
        return np.concatenate(columns, axis=1)


def _skewness(values: np.ndarray) -> float:
    centred = values - values.mean()
    return float(np.mean(centred**3) / np.mean(centred**2) ** 1.5)


@dataclass(frozen=True)
class CategoricalColumn:
    """A column of labels.

    Attributes
    ----------
    name : str
    categories : tuple of str
        The labels known, most frequent first.
    """

    name: str
    categories: tuple[str, ...]

    @classmethod
    def learn(cls, series: pd.Series) -> CategoricalColumn | None:
        """Learn from training rows; None for a column of identifiers, or one that never changes."""
        labels = labels_of(series)
        found, counts = np.unique([label for label in labels if label is not None], return_counts=True)
        if counts.max(initial=1) == 1 or (len(found) > MAX_CATEGORIES and len(found) > _IDENTIFIER * len(labels)):
            return None
        if len(found) + (None in labels) < 2:
            return None
        order = sorted(range(len(found)), key=lambda i: (-counts[i], found[i]))[:MAX_CATEGORIES]
        return cls(str(series.name), tuple(str(found[i]) for i in order))

    @property
    def width(self) -> int:
        """Number of features."""
        return 1 + len(self.categories)

    def unknown(self, series: pd.Series) -> list[str]:
        """The labels that have no place of their own, row by row; missing values are not among them."""
        known = {None, *self.categories}
        return [label for label in labels_of(series) if label not in known]

    def features(self, series: pd.Series) -> np.ndarray:
        """(n, width) float64: missing or unknown, then one place for each category."""
        places = {category: place for place, category in enumerate(self.categories, start=1)}
        codes = np.array([places.get(label, 0) for label in labels_of(series)], dtype=np.int64)
        indicators = np.zeros((len(codes), self.width))
        indicators[np.arange(len(codes)), codes] = 1.0
        return indicators
