"""California housing: 20,640 districts of the 1990 census and the median value of their houses."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np

from .cache import STORAGE, fetch, folder, read_npz
from .digits import Split

_SHA256 = "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f"
_TABLE_URL = "https://raw.githubusercontent.com/ageron/handson-ml2/master/datasets/housing/housing.csv"
_TABLE_SHA256 = "8a3727f4cf54ac1a327f69b1d5b4db54c5834ea81c6e4efc0d163300022a685e"
_SMALL = 600
_RAW = (
    "longitude",
    "latitude",
    "housing_median_age",
    "total_rooms",
    "total_bedrooms",
    "population",
    "households",
    "median_income",
    "median_house_value",
)


def table_path() -> Path:
    """The census table as a CSV file with its ten raw columns: eight numbers, ``ocean_proximity``, the target
    ``median_house_value``; 207 values of ``total_bedrooms`` are missing.

    Raises
    ------
    ConnectionError
        If it is neither in the cache (``california_housing.csv``) nor to be had.
    """
    return fetch("california_housing.csv", _TABLE_URL, _TABLE_SHA256)


def _from_table(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The eight features of `load_data` out of the raw columns; the median stands for missing bedrooms."""
    try:
        with open(path, newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        columns = {name: np.array([float(row[name] or "nan") for row in rows]) for name in _RAW}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"[datasets] expected the columns {', '.join(_RAW)} in '{path}', received: {error!r}. Remove the file."
        ) from error
    households = columns["households"]
    bedrooms = columns["total_bedrooms"] / households
    features = (
        columns["median_income"],
        columns["housing_median_age"],
        columns["total_rooms"] / households,
        np.where(np.isnan(bedrooms), np.nanmedian(bedrooms), bedrooms),
        columns["population"],
        columns["population"] / households,
        columns["latitude"],
        columns["longitude"],
    )
    return np.stack(features, axis=1).astype(np.float32), columns["median_house_value"].astype(np.float32)


def _read(path: str | os.PathLike[str]) -> tuple[np.ndarray, np.ndarray]:
    table = folder() / "california_housing.csv"
    if not (folder() / path).exists() and table.exists():
        return _from_table(table)
    x, y = read_npz(fetch(path, STORAGE + "california_housing.npz", _SHA256), ("x", "y"))
    return x, y


def load_data(
    version: str = "large",
    path: str | os.PathLike[str] = "california_housing.npz",
    test_split: float = 0.2,
    seed: int = 113,
) -> Split:
    """Load the California housing data, from the cache or over the network.

    The features are median income (ten thousands of dollars), median age of the houses, rooms per household, bedrooms
    per household, population, persons per household, latitude, longitude. They come from the .npz file, or, where the
    cache holds the census table (``california_housing.csv``) instead, are computed from that.

    Parameters
    ----------
    version : {"large", "small"}
        20,640 districts, or the first 600.
    path : str
        File in the cache, relative to ``$HOTLOOP_HOME/datasets``.
    test_split : float
        Fraction kept for testing, 0 <= test_split < 1.
    seed : int
        Of the shuffle before the split.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray
        x: (n, 8). y: (n,), the median value of a house in dollars.

    Raises
    ------
    ValueError
        For an unknown version or a split outside the range.
    ConnectionError
        If the data are neither in the cache nor to be had.

    References
    ----------
    R. K. Pace, R. Barry (1997), Sparse spatial autoregressions, Statistics and Probability Letters 33 (StatLib).

    Examples
    --------
    >>> (x_train, y_train), (x_test, y_test) = load_data(version="small")  # doctest: +SKIP
    """
    if version not in ("large", "small"):
        raise ValueError(f"[california_housing] expected version 'large' or 'small', received {version!r}.")
    if not 0 <= test_split < 1:
        raise ValueError(f"[california_housing] expected 0 <= test_split < 1, received {test_split!r}.")
    x, y = _read(path)
    if version == "small":
        x, y = x[:_SMALL], y[:_SMALL]
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)
    train, test = np.split(order, [int(len(x) * (1 - test_split))])
    return (x[train], y[train]), (x[test], y[test])
