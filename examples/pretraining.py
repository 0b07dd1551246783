"""A few hundred labels of MNIST and the rest without: does pretraining the lower layers help?

The same network, 784-256-128-10 of sigmoid units, learns from the labels alone, or begins with what RBMs or denoising
autoencoders made of the images without labels. All ways get the same labels, the same optimizer and the same epochs;
every seed draws other labels and other weights. The table has the mean accuracy on the test set with the 95% interval
of the mean (Student's t), and the same of the difference to no pretraining, seed by seed.

    python examples/pretraining.py             # five seeds, 200 and 500 labels
    python examples/pretraining.py --quick     # a minute: two seeds, fewer images
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

import hotloop as keras
from hotloop.pretraining import pretrain

T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}  # by seeds

Network = keras.Sequential


def network() -> Network:
    layers = [keras.layers.Dense(n, "sigmoid") for n in (256, 128)]
    return keras.Sequential([keras.Input((784,)), *layers, keras.layers.Dense(10)])


def ways(epochs: int) -> dict[str, Callable[[Network, np.ndarray], object]]:
    return {
        "no pretraining": lambda model, x: model,
        "RBMs": lambda model, x: pretrain(
            model, x, "rbm", epochs=epochs, batch_size=100, optimizer=keras.optimizers.SGD(0.1, momentum=0.5)
        ),
        "denoising autoencoders": lambda model, x: pretrain(
            model, x, epochs=epochs, batch_size=100, masking=0.25, output_activation="sigmoid"
        ),
    }


def accuracy(model: Network, labelled: tuple, test: tuple, epochs: int) -> float:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    model.fit(*labelled, epochs=epochs, batch_size=20, verbose=0)
    return float(model.evaluate(*test, verbose=0)[1])


def interval(values: np.ndarray) -> str:
    half = T_95[len(values)] * values.std(ddof=1) / np.sqrt(len(values))
    return f"{100 * values.mean():6.2f} ± {100 * half:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Few labels: pretraining against none.")
    parser.add_argument("--quick", action="store_true", help="two seeds and fewer images")
    parser.add_argument("--seeds", type=int, default=5, choices=sorted(T_95))
    parser.add_argument("--labels", type=int, nargs="+", default=[200, 500])
    args = parser.parse_args()
    seeds, images, epochs, tuning = (2, 5_000, 2, 20) if args.quick else (args.seeds, 60_000, 10, 60)

    (x, y), (x_test, y_test) = keras.datasets.mnist.load_data()
    x, x_test = (a.reshape(-1, 784).astype(np.float32) / 255 for a in (x, x_test))
    found: dict[tuple[int, str], list[float]] = {}
    start = time.perf_counter()
    for seed in range(seeds):
        rows = np.random.default_rng(seed).permutation(len(x))
        for name, way in ways(epochs).items():
            keras.utils.set_random_seed(seed)
            model = network()
            way(model, x[rows[:images]])
            begin = model.get_weights()
            for labels in args.labels:
                model.set_weights(begin)
                few = rows[:labels]
                result = accuracy(model, (x[few], y[few]), (x_test, y_test), tuning)
                found.setdefault((labels, name), []).append(result)
                print(f"seed {seed}, {labels} labels, {name}: {result:.4f}", flush=True)

    print(f"\nTest accuracy in percent, {seeds} seeds, {images} images, {time.perf_counter() - start:.0f} s.\n")
    print("| labels | pretraining | accuracy | difference |\n|---:|---|---:|---:|")
    for (labels, name), values in sorted(found.items(), key=lambda item: item[0][0]):
        base, mine = np.array(found[labels, "no pretraining"]), np.array(values)
        difference = "" if name == "no pretraining" else interval(mine - base)
        print(f"| {labels} | {name} | {interval(mine)} | {difference} |")


if __name__ == "__main__":
    main()
