"""What it brings to leave zeros out of products: single layers by the share of x that is not zero, and a whole network.

Times relative to the same layer with no zeros in x, forward and weight gradient, then a training step of 784-300-100-10
with Adam on MNIST's pixels beside numbers of which none is zero. One thread, medians, in turns.

    OMP_NUM_THREADS=1 python -m benchmarks.zeros
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import hotloop as keras
from hotloop import _core

SHARES = (1.0, 0.5, 0.3, 0.2, 0.1, 0.05)
SHAPES = ((32, 784, 300), (256, 784, 300), (32, 64, 100), (128, 1024, 1024), (1, 784, 300))


def layer(rows: int, features: int, units: int, rounds: int) -> np.ndarray:
    """Seconds of the product and of the weight gradient, (shares, 2)."""
    rng = np.random.default_rng(0)
    graph = _core.Graph("float32")
    x = graph.input((features,), "float32", "x")
    y = graph.add("dense", [x, graph.variable(0, (features, units), True, "w")], {}, "dense")
    target = graph.input((units,), "float32", "y")
    graph.add("loss", [y, target], {"kind": "mean_squared_error"}, "loss")
    trainer = _core.Trainer([("w", (features, units))], "float32", 1)
    trainer.set_optimizer({"kind": "sgd"})
    trainer.set(0, (rng.random((features, units), np.float32) - 0.5) / np.float32(features**0.5))
    plan = trainer.plan(graph, max(rows, 8), update=True)  # fewer rows are updated in place
    kernels = [step["kernel"] for step in plan.describe()]
    steps = [kernels.index("dense_forward"), kernels.index("dense_backward_params")]
    numbers = 1 + rng.random((rows, features), np.float32)
    data = [
        _core.Dataset([numbers * (rng.random(numbers.shape) < share), np.zeros((rows, units), np.float32)])
        for share in SHARES
    ]
    found = [[trainer.time_steps(plan, one, rows, [], 20) for one in data] for _ in range(rounds)]
    return np.median(found, axis=0)[:, steps]


def network(batch_size: int, rounds: int) -> tuple[float, float]:
    """Seconds of a step on MNIST and on numbers without a zero."""
    (x, y), _ = keras.datasets.mnist.load_data()
    pixels = x[:12800].reshape(-1, 784).astype(np.float32) / 255
    full = 0.5 + np.random.default_rng(0).random(pixels.shape, np.float32)
    model = keras.Sequential(
        [keras.Input((784,)), keras.layers.Dense(300, "relu"), keras.layers.Dense(100, "relu"), keras.layers.Dense(10)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss)
    seconds = []
    for _ in range(rounds + 1):
        seconds.append([])
        for data in (pixels, full):
            start = time.perf_counter()
            model.fit(data, y[: len(data)], batch_size=batch_size, epochs=1, verbose=0)
            seconds[-1].append((time.perf_counter() - start) * batch_size / len(data))
    return tuple(np.median(seconds[1:], axis=0))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zeros", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    print("rows x features x units    forward / weight gradient, times faster than without zeros")
    print(" " * 20 + "".join(f"{share:>14.0%}" for share in SHARES[1:]))
    for shape in SHAPES:
        seconds = layer(*shape, rounds)
        faster = seconds[0] / seconds[1:]
        print(f"{' x '.join(map(str, shape)):20}" + "".join(f"{a:>7.2f} /{b:5.2f}" for a, b in faster))
    for batch_size in (32, 128):
        mnist, full = network(batch_size, rounds)
        print(
            f"784-300-100-10, batches of {batch_size}: MNIST {1e6 * mnist:.0f} us a step, "
            f"no zeros {1e6 * full:.0f} us, {full / mnist:.2f}x"
        )


if __name__ == "__main__":
    main()
