"""What the chapter's scripts share: the data, the head of every network, and medians over seeds."""

from __future__ import annotations

import argparse
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import hotloop as keras

Images = tuple[np.ndarray, np.ndarray]
Figures = dict[str, float]
Values = dict[str, list[float | None]]  # a value a seed; None: diverged


@dataclass
class Data:
    """The source's split: of the 60,000 images the first 5,000 validate and 55,000 are learned from; 10,000 test."""

    train: Images
    valid: Images
    test: Images
    short: bool

    def epochs(self, n: int) -> int:
        """How many to train for: n, or one in short mode."""
        return 1 if self.short else n


def load(name: str, short: bool = False) -> Data:
    """A data set of `keras.datasets`; in short mode 2,000, 500 and 500 images of it."""
    (x, y), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    train, valid, test = (2000, 500, 500) if short else (55_000, 5000, 10_000)
    return Data((x[5000:][:train], y[5000:][:train]), (x[:valid], y[:valid]), (x_test[:test], y_test[:test]), short)


def network(*layers: keras.Layer) -> keras.Model:
    """Images of 0 to 255 become 784 numbers of 0 to 1, then come the layers."""
    return keras.Sequential([keras.Input((28, 28)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), *layers])


def train(model: keras.Model, data: Data, optimizer: keras.Optimizer, epochs: int, batch: int, **options) -> float:
    """Compile for integer classes, on logits; fit; return the accuracy on the test images, NaN if the loss diverged."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*the loss became NaN or Inf", RuntimeWarning)
        history = model.fit(*data.train, batch_size=batch, epochs=data.epochs(epochs), verbose=0, **options)
    if not np.isfinite(history.history["loss"]).all():
        return float("nan")
    return model.evaluate(*data.test, verbose=0, return_dict=True)["accuracy"]


def shown(value: float | None) -> str:
    """As the tables print it."""
    return "diverged" if value is None else f"{value:.4f}" if 0.001 <= abs(value) < 1000 else f"{value:.1e}"


@dataclass
class Section:
    """One section of the chapter: what it measures on which data, and what the source documents print."""

    title: str
    run: Callable[[Data], Figures]
    documents: Figures  # by the name of our figure
    data: str = "mnist"
    seeds: int = 5

    def measure(self, seeds: int | None = None, short: bool = False) -> Values:
        """Every figure, a value a seed."""
        data = load(self.data, short)
        values: Values = {}
        for seed in range(seeds or self.seeds):
            keras.utils.set_random_seed(seed)
            for name, value in self.run(data).items():
                values.setdefault(name, []).append(float(value) if math.isfinite(value) else None)
        return values

    def rows(self, values: Values) -> list[tuple[str, str, str, str]]:
        """Figure, the documents' value, our median (of an even number the lower), our range."""
        rows = []
        for name, all_of_it in values.items():
            ordered = sorted(all_of_it, key=lambda v: -math.inf if v is None else v)
            median = ordered[(len(ordered) - 1) // 2]
            theirs = shown(self.documents[name]) if name in self.documents else ""
            rows.append((name, theirs, shown(median), f"{shown(ordered[0])} to {shown(ordered[-1])}"))
        return rows

    def main(self) -> None:
        """The script as a command."""
        parser = argparse.ArgumentParser(description=f"The chapter's section: {self.title}.")
        parser.add_argument("--seeds", type=int, help=f"how many runs to take medians of (default {self.seeds})")
        parser.add_argument("--short", action="store_true", help="one epoch on 2,000 images: does it run?")
        options = parser.parse_args()
        values = self.measure(options.seeds, options.short)
        width = max(map(len, values))
        print(
            f"{'figure':{width}}  {'documents':>9}  {'median':>8}  range over {len(next(iter(values.values())))} seeds"
        )
        for name, theirs, ours, spread in self.rows(values):
            print(f"{name:{width}}  {theirs:>9}  {ours:>8}  {spread}")
