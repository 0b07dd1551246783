"""Ways to store a network for predictions: MNIST, 784-300-100-10, with and without batch normalisation.

Trains, then times one row and 256 rows in each way: medians of ratios to float32 without batch normalisation, paired
round by round, with the spread; sizes of weights and of files; test accuracy.

    python -m benchmarks.inference [--rounds 15] [--epochs 10]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

import hotloop as keras
from benchmarks.fit.run import spread


def network(batch_norm: bool) -> keras.Sequential:
    """Two hidden layers."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((784,))])
    for units in (300, 100):
        model.add(keras.layers.Dense(units))
        if batch_norm:
            model.add(keras.layers.BatchNormalization())
        model.add(keras.layers.ReLU())
    model.add(keras.layers.Dense(10, "softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def seconds(model: keras.Model, x: np.ndarray, calls: int) -> float:
    """Of one call."""
    start = time.perf_counter()
    for _ in range(calls):
        model(x)
    return (time.perf_counter() - start) / calls


def stored(model: keras.Model, mode: str | None) -> keras.Model:
    """A copy in that way."""
    copy = model.fold()
    if mode:
        copy.quantize(mode)
    return copy


def file_bytes(model: keras.Model) -> int:
    """Of the weights alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model.save_weights(path)
        return path.stat().st_size


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inference", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    (x, y), (test, labels) = keras.datasets.mnist.load_data()
    x, test = (images.reshape(-1, 784) / np.float32(255) for images in (x, test))
    plain, normalised = network(False), network(True)
    for model in (plain, normalised):
        model.fit(x, y, batch_size=64, epochs=options.epochs, verbose=0)
    ways: dict[str, keras.Model] = {"float32": plain}
    ways.update((mode, stored(plain, mode)) for mode in ("float16", "bfloat16", "int8"))
    ways.update({"batch norm": normalised, "batch norm, folded": stored(normalised, None)})
    for name, model in ways.items():
        accuracy = 100 * np.mean(model.predict(test, verbose=0).argmax(axis=1) == labels)
        print(f"{name:20} {accuracy:6.2f} %   {file_bytes(model):8} bytes in a file")
    for rows, calls in ((1, 1000), (256, 20)):
        found: dict[str, list[float]] = {name: [] for name in ways}
        for model in ways.values():
            seconds(model, test[:rows], calls)  # not counted: warming up
        for _ in range(options.rounds):
            for name, model in ways.items():
                found[name].append(seconds(model, test[:rows], calls))
        for name, times in found.items():
            ratio = spread([a / b for a, b in zip(found["float32"], times, strict=True)])
            us = 1e6 * spread(times)["median"]
            low, high = ratio["low"], ratio["high"]
            print(
                f"{rows:4} rows  {name:20} {us:8.1f} us   {ratio['median']:.2f} times as fast [{low:.2f} .. {high:.2f}]"
            )


if __name__ == "__main__":
    main()
