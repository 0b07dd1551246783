"""TableSpec: a table to a float32 matrix and a target, learnt from training rows, kept in the model file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from ..identifiers import suggestion
from .columns import CategoricalColumn, NumericColumn
from .target import TASKS, ClassTarget, NumberTarget, refuse_missing, task_of

if TYPE_CHECKING:
    import pandas as pd

_MAX_BINS = 128  # of one column
_MAX_BIN_FEATURES = 4096  # of all columns together
_ROWS_PER_BIN = 100  # fewer, and the network learns the rows by heart
_KINDS: dict[str, type] = {
    "numeric": NumericColumn,
    "categorical": CategoricalColumn,
    "classification": ClassTarget,
    "regression": NumberTarget,
}


@dataclass(frozen=True)
class TableSpec:
    """What a network needs to know about a table.

    A number becomes its standardised value (of its logarithm, where the column is nonnegative and skewed), and its
    piecewise-linear encoding: bins between quantiles that fill up one after the other, so that a dense network sees
    thresholds, as trees do. A missing number becomes the median and sets an indicator. A category becomes an
    indicator vector whose first place stands for missing, rare and unknown values. Columns that never change, and
    texts that are all different (or nearly all of many), are left out.

    Attributes
    ----------
    columns : tuple of NumericColumn or CategoricalColumn
    target : ClassTarget or NumberTarget

    References
    ----------
    Y. Gorishniy, I. Rubachev, A. Babenko (2022), On embeddings for numerical features in tabular deep learning,
    arXiv:2203.05556, section 3.2.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"size": [1.0, 2.0, None, 4.0], "kind": ["a", "b", "a", None], "price": [1.5, 2, 3, 5]})
    >>> spec = TableSpec.learn(frame, "price", bins=2)
    >>> spec.transform(frame).round(1)
    array([[-1.1,  0. ,  0. ,  0. ,  0. ,  1. ,  0. ],
           [-0.3,  1. ,  0. ,  0. ,  0. ,  0. ,  1. ],
           [-0.3,  1. ,  0. ,  1. ,  0. ,  1. ,  0. ],
           [ 1.3,  1. ,  1. ,  0. ,  1. ,  0. ,  0. ]], dtype=float32)
    """

    columns: tuple[NumericColumn | CategoricalColumn, ...]
    target: ClassTarget | NumberTarget

    @classmethod
    def learn(cls, frame: pd.DataFrame, target: str, task: str = "auto", bins: int | None = None) -> TableSpec:
        """Learn from the training rows of a table.

        Parameters
        ----------
        frame : DataFrame
            One row a sample.
        target : str
            Name of the column to be predicted.
        task : {"auto", "classification", "regression"}
            "auto" tells it from the target: texts, truth values and few whole numbers are classes.
        bins : int, optional
            Of each number's piecewise-linear encoding at most, 0 for none; one for every hundred rows up to 128
            unless told.

        Raises
        ------
        ValueError
            If the table is empty, the target is not there or has gaps, or no column is of use.
        """
        if task not in TASKS:
            raise ValueError(f"[table] expected task to be one of {', '.join(TASKS)}, received {task!r}.")
        check_frame(frame, target)
        series = frame[target]
        kind = task_of(series) if task == "auto" else task
        learnt = (ClassTarget if kind == "classification" else NumberTarget).learn(series)
        inputs = [name for name in frame.columns if name != target]
        wanted = min(_MAX_BINS, len(frame) // _ROWS_PER_BIN) if bins is None else bins
        n_bins = min(wanted, _MAX_BIN_FEATURES // max(len(inputs), 1))
        columns = [_learn_column(frame[name], n_bins) for name in inputs]
        used = tuple(column for column in columns if column is not None)
        if not used:
            raise ValueError("[table] expected at least one column besides the target that is of use, received none.")
        return cls(used, learnt)

    @property
    def width(self) -> int:
        """Number of features."""
        return sum(column.width for column in self.columns)

    def transform(self, frame: pd.DataFrame) -> np.ndarray:
        """The features of raw rows; the target may be missing, other columns are ignored.

        Returns
        -------
        ndarray
            (n, width) float32.

        Raises
        ------
        ValueError
            If a column is not there, or holds something that is no number where numbers are expected.
        """
        for column in self.columns:
            if column.name not in frame.columns:
                raise ValueError(
                    f"[table] expected a column '{column.name}', received columns {', '.join(map(str, frame.columns))}."
                    f"{suggestion(column.name, map(str, frame.columns))}"
                )
        out = np.empty((len(frame), self.width), np.float32)
        at = 0
        for column in self.columns:
            out[:, at : at + column.width] = column.features(frame[column.name])
            at += column.width
        return out

    def unknown(self, frame: pd.DataFrame) -> dict[str, list[str]]:
        """The labels of raw rows that have no place of their own, by column; columns without such rows are left out."""
        columns = [column for column in self.columns if isinstance(column, CategoricalColumn)]
        found = {column.name: column.unknown(frame[column.name]) for column in columns if column.name in frame.columns}
        return {name: labels for name, labels in found.items() if labels}

    def encode_target(self, frame: pd.DataFrame) -> np.ndarray:
        """The target of raw rows, as the network learns it: int32 classes or float32 standardised values."""
        return self.target.encode(self.target_of(frame))

    def target_of(self, frame: pd.DataFrame) -> pd.Series:
        """The target's column, checked for gaps."""
        if self.target.name not in frame.columns:
            raise ValueError(
                f"[table] expected the target '{self.target.name}' among the columns "
                f"{', '.join(map(str, frame.columns))}."
            )
        series = frame[self.target.name]
        refuse_missing(series)
        return series

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, texts, lists and dicts, for the model file."""
        return {"columns": [_describe(column) for column in self.columns], "target": _describe(self.target)}

    @classmethod
    def from_dict(cls, description: Any) -> TableSpec:
        """What `to_dict` gave.

        Raises
        ------
        ValueError
            If a key is missing, unknown or of the wrong kind.
        """
        if not isinstance(description, Mapping) or set(description) != {"columns", "target"}:
            raise ValueError("[table] expected a description with 'columns' and 'target'.")
        if not isinstance(description["columns"], list) or not description["columns"]:
            raise ValueError("[table] expected a list of columns.")
        columns = tuple(_build(column, ("numeric", "categorical")) for column in description["columns"])
        target = _build(description["target"], ("classification", "regression"))
        names = [column.name for column in columns] + [target.name]
        if len(set(names)) != len(names):
            raise ValueError("[table] expected column names that differ.")
        return cls(columns, target)


def check_frame(frame: pd.DataFrame, target: str) -> None:
    """Refuse a table without rows, with column names that repeat, or without the target."""
    names = [str(name) for name in frame.columns]
    if names != list(frame.columns) or len(set(names)) != len(names):
        raise ValueError(f"[table] expected column names that are texts and differ, received {', '.join(names)}.")
    if target not in names:
        raise ValueError(
            f"[table] expected the target '{target}' among the columns {', '.join(names)}.{suggestion(target, names)}"
        )
    if len(frame) == 0:
        raise ValueError("[table] expected at least one row, received none.")


def _learn_column(series: pd.Series, bins: int) -> NumericColumn | CategoricalColumn | None:
    from pandas.api import types

    if types.is_numeric_dtype(series) and not types.is_bool_dtype(series):
        return NumericColumn.learn(series, bins)
    return CategoricalColumn.learn(series)


def _describe(part: Any) -> dict[str, Any]:
    kind = next(name for name, cls in _KINDS.items() if type(part) is cls)
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(part).items()}
    return {"kind": kind, **plain}


_CHECKS = {
    "str": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "float": lambda value: type(value) in (int, float) and math.isfinite(value),
    "tuple[str, ...]": lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
    "tuple[float, ...]": lambda value: isinstance(value, list) and all(type(item) in (int, float) for item in value),
}


def _build(description: Any, kinds: tuple[str, ...]) -> Any:
    """A column or target from its description, with every field's type checked against the class."""
    kind = description.get("kind") if isinstance(description, Mapping) else None
    if kind not in kinds:
        raise ValueError(f"[table] expected a description of kind {' or '.join(kinds)}, received {kind!r}.")
    cls = _KINDS[kind]
    wanted = {field.name: str(field.type) for field in fields(cls)}
    given = {key: value for key, value in description.items() if key != "kind"}
    if kind == "classification":
        given = {"dtype": "object", **given}  # files from before labels had one
    if set(given) != set(wanted):
        raise ValueError(f"[table] expected the keys {', '.join(wanted)}, received {', '.join(given)}.")
    for key, type_name in wanted.items():
        if not _CHECKS[type_name](given[key]):
            raise ValueError(f"[table] expected '{key}' to be of type {type_name}, received {given[key]!r:.80}.")
    built = cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in given.items()})
    _check_numbers(built)
    return built


def _check_numbers(part: Any) -> None:
    if getattr(part, "scale", 1.0) <= 0:
        raise ValueError(f"[table '{part.name}'] expected a positive scale, received {part.scale}.")
    edges = np.asarray(getattr(part, "edges", ()))
    if edges.size == 1 or not (np.diff(edges) > 0).all():
        raise ValueError(f"[table '{part.name}'] expected at least two increasing edges.")
    labels = getattr(part, "categories", getattr(part, "classes", ()))
    if len(set(labels)) != len(labels):
        raise ValueError(f"[table '{part.name}'] expected labels that differ.")
