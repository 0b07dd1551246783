"""The chapter's images, as many as a test can afford: real ones where they are, else enlarged digits."""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras

TRAIN, TEST = 8000, 1000
FILES = {"mnist.npz": "mnist", "fashion_mnist.npz": "fashion_mnist"}


def enlarged_digits():
    """Digits of 8x8 pixels and 17 shades as 28x28 pixels and 256 shades, again and again."""
    splits = []
    for (x, y), n in zip(keras.datasets.digits.load_data(), (TRAIN, TEST), strict=True):
        images = np.pad(np.kron(x, np.ones((1, 3, 3))), ((0, 0), (2, 2), (2, 2))) * (255 / 16)
        splits.append((np.resize(images.astype("uint8"), (n, 28, 28)), np.resize(y, n).astype("uint8")))
    return tuple(splits)


def sample(name: str, there: bool):
    """As `load_data` gives it."""
    if not there:
        return enlarged_digits()
    (x, y), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    return (x[:TRAIN], y[:TRAIN]), (x_test[:TEST], y_test[:TEST])


@pytest.fixture(scope="session")
def samples(data_folder):
    return {name: sample(name, (data_folder / file).is_file()) for file, name in FILES.items()}


@pytest.fixture(autouse=True)
def _small_data(samples, monkeypatch, tmp_path):
    """`load_data` gives copies of the sample: the chapter changes its arrays. Files go into a folder of their own."""
    for name, data in samples.items():
        copy = lambda data=data: tuple(tuple(a.copy() for a in split) for split in data)  # noqa: E731
        monkeypatch.setattr(getattr(keras.datasets, name), "load_data", copy)
    monkeypatch.chdir(tmp_path)
