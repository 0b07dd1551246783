"""What `fit(cache_frozen=True)` leaves of the cost of frozen layers: its epochs beside those of the upper layers alone.

784-300-300 frozen under 100-10, 20,000 images of MNIST, Adam. The upper layers get the same 300 columns as an array.
Ratios of the time of an epoch after the first, paired round by round, with the spread; then whether the weights are
those of a training without the cache.

    python -m benchmarks.frozen [--rounds 6]
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import hotloop as keras
from benchmarks.fit.run import spread

EPOCHS = 8


def network() -> keras.Sequential:
    """Two frozen layers under two that are trained."""
    keras.utils.set_random_seed(0)
    dense = keras.layers.Dense
    model = keras.Sequential(
        [
            keras.Input((784,)),
            keras.layers.Rescaling(1 / 255),
            dense(300, "relu"),
            dense(300, "relu"),
            dense(100, "relu"),
            dense(10, "softmax"),
        ]
    )
    for layer in model.layers[:3]:
        layer.trainable = False
    compiled(model)
    return model


def compiled(model: keras.Sequential) -> None:
    """Ready to train."""
    model.compile("adam", "sparse_categorical_crossentropy")


def epoch_seconds(model: keras.Sequential, x: np.ndarray, y: np.ndarray, **options: bool) -> float:
    """Time of one epoch, without what a call of fit costs but once."""

    def seconds(epochs: int) -> float:
        start = time.perf_counter()
        model.fit(x, y, epochs=epochs, verbose=0, **options)
        return time.perf_counter() - start

    return (seconds(1 + EPOCHS) - seconds(1)) / EPOCHS


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.frozen", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=6)
    rounds = parser.parse_args().rounds
    (x, y), _ = keras.datasets.mnist.load_data()
    x, y = x.reshape(-1, 784)[:20_000], y[:20_000]
    whole, source = network(), network()
    below = keras.Sequential([keras.Input((784,)), *source.layers[:3]])
    upper = keras.Sequential([keras.Input((300,)), *source.layers[3:]])
    compiled(upper)
    features = below.predict(x, verbose=0)
    pairs = [(epoch_seconds(whole, x, y, cache_frozen=True), epoch_seconds(upper, features, y)) for _ in range(rounds)]
    ratio = spread([cached / alone for cached, alone in pairs])
    milliseconds = 1e3 * spread([cached for cached, _ in pairs])["median"]
    print(
        f"cached: {milliseconds:.1f} ms an epoch, {ratio['median']:.2f} of the upper layers' alone "
        f"[{ratio['low']:.2f} .. {ratio['high']:.2f}]"
    )
    weights = []
    for cache in (True, False):
        model = network()
        model.fit(x, y, epochs=2, cache_frozen=cache, verbose=0)
        weights.append(b"".join(w.tobytes() for w in model.get_weights()))
    print("the same weights with and without:", weights[0] == weights[1])


if __name__ == "__main__":
    main()
