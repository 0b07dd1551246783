"""MNIST 784-300-100-10 pruned to 90 % zeros, in blocks of 16 and as single weights: accuracy, time and bytes.

For each seed the network is trained, then pruned on a schedule while it trains on. Accuracies are those of the test
images. Predictions of the compressed model (blocks) and the dense one are timed in turns, one row and 256 rows at a
time, on one worker: medians of ratios, with quartiles.

    python -m benchmarks.pruning [--seeds 5] [--epochs 20] [--sparsity 0.9] [--rounds 400]
    python -m benchmarks.pruning --products     dense over sparse time of single products, by the share of blocks left
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import hotloop as keras
from hotloop import pruning
from hotloop.layers.sparse_dense import blocks_of
from hotloop.pruning.compressing import product_timers

Data = tuple[np.ndarray, np.ndarray]

BATCH = 128
PRUNED_WHILE = 0.6  # of the epochs after the training
CALLS = {1: 50, 256: 2}  # of one round, by rows


def mnist() -> tuple[Data, Data]:
    train, test = keras.datasets.mnist.load_data()
    images = [x.reshape(-1, 784).astype(np.float32) / 255 for x, _ in (train, test)]
    return (images[0], train[1]), (images[1], test[1])


def network() -> Any:
    """l2 takes away weights that nothing holds, those of pixels that are always black."""
    model = keras.Sequential([keras.Input((784,))])
    for units in (300, 100):
        penalty = keras.regularizers.L2(3e-5)
        model.add(keras.layers.Dense(units, activation="relu", kernel_regularizer=penalty))
    model.add(keras.layers.Dense(10, activation="softmax"))
    return model


def train(model: Any, data: Data, epochs: int, callbacks: list[Any] | None = None) -> None:
    steps = epochs * -(-len(data[0]) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(1e-3, steps)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(*data, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=callbacks)


def pruned(model: Any, data: Data, epochs: int, sparsity: float, block_size: tuple[int, int]) -> Any:
    """Another model, trained on from this one's weights and pruned meanwhile."""
    other = keras.models.clone_model(model)
    other.set_weights(model.get_weights())
    steps = int(PRUNED_WHILE * epochs * -(-len(data[0]) // BATCH))
    ramp = pruning.PolynomialDecay(0.0, sparsity, 0, steps, frequency=50)
    train(other, data, epochs, [keras.callbacks.Pruning(ramp, block_size, "global")])
    return other


def accuracy(model: Any, data: Data) -> float:
    return float(model.evaluate(*data, batch_size=1000, verbose=0)[1])


def seconds(call: Callable[[np.ndarray], Any], x: np.ndarray, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        call(x)
    return (time.perf_counter() - start) / calls


def file_bytes(model: Any) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.safetensors"
        model.save_weights(path)
        return path.stat().st_size


def compare(names: tuple[str, str], calls: list[Callable[[np.ndarray], Any]], x: np.ndarray, rounds: int) -> None:
    """Print how many times as fast the second of two calls is."""
    times = [[seconds(call, x, CALLS[len(x)]) for call in calls] for _ in range(rounds + 1)][1:]
    low, ratio, high = np.quantile([first / second for first, second in times], [0.25, 0.5, 0.75])
    medians = [1e6 * statistics.median(side) for side in zip(*times, strict=True)]
    print(
        f"{len(x):4} rows   {names[0]} {medians[0]:7.2f} us   {names[1]} {medians[1]:7.2f} us   "
        f"{ratio:.2f}x ({low:.2f} to {high:.2f})"
    )


def products() -> None:
    """Print how many times as fast a product is with only a share of its blocks."""
    shares, rng = (0.05, 0.1, 0.3, 0.5, 0.7, 0.9), np.random.default_rng(0)
    print("rows  inputs x units  " + "".join(f"{share:8.0%}" for share in shares))
    for inputs, units in ((784, 300), (300, 100), (100, 10), (64, 64), (2048, 2048)):
        for rows in (1, 8, 256):
            ratios = []
            for share in shares:
                kept = (rng.random((inputs, -(-units // 16))) < share).repeat(16, axis=1)[:, :units]
                kernel = np.where(kept, rng.standard_normal((inputs, units)), 0).astype(np.float32)
                sparse, dense = product_timers(kernel, *blocks_of(kernel), rows)
                times = [(sparse(), dense()) for _ in range(3)]
                ratios.append(min(b for _, b in times) / min(a for a, _ in times))
            print(f"{rows:4}  {inputs:6} x {units:<6} " + "".join(f"{ratio:8.2f}" for ratio in ratios), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pruning", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20, help="of the training, and again of the pruning")
    parser.add_argument("--sparsity", type=float, default=0.9)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--products", action="store_true", help="time single products instead")
    options = parser.parse_args()
    if options.products:
        products()
        return
    data, test = mnist()
    losses: dict[str, list[float]] = {"blocks": [], "weights": []}
    for seed in range(options.seeds):
        keras.utils.set_random_seed(seed)
        dense = network()
        train(dense, data, options.epochs)
        found = {"dense": accuracy(dense, test)}
        models = {}
        for name, block_size in (("blocks", pruning.BLOCK), ("weights", (1, 1))):
            models[name] = pruned(dense, data, options.epochs, options.sparsity, block_size)
            found[name] = accuracy(models[name], test)
            losses[name].append(100 * (found["dense"] - found[name]))
        print(
            f"seed {seed}   " + "   ".join(f"{name} {100 * value:.2f} %" for name, value in found.items()), flush=True
        )
    for name, points in losses.items():
        print(f"{name}: {np.mean(points):.2f} points lost ({min(points):.2f} to {max(points):.2f})")

    for name, model in models.items():
        print(f"\n{name}, the last seed\n{pruning.sparsity(model)}")
    compressed = pruning.compress(models["blocks"])
    kinds = [type(layer).__name__ for layer in compressed.layers]
    print(f"\ncompressed: {', '.join(kinds)}; {accuracy(compressed, test):.4f}")
    sizes = [file_bytes(model) for model in (models["blocks"], compressed)]
    print(f"files: {sizes[0]} B dense, {sizes[1]} B compressed, {sizes[0] / sizes[1]:.1f} times as small")
    keras.config.set_num_threads(1)
    for rows in CALLS:
        x = np.ascontiguousarray(test[0][:rows])
        compare(("dense", "blocks"), [models["blocks"], compressed], x, options.rounds)


if __name__ == "__main__":
    main()
