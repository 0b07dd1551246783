"""A few hundred labels of MNIST and the rest without: does pretraining the lower layers help?

The same network, 784-256-128-10 of sigmoid units, learns from the labels alone, or begins with what RBMs or denoising
autoencoders made of the images without labels. All ways get the same labels, the same optimizer and the same epochs;
every seed draws other labels and other weights. The table has the mean accuracy on the test set with the 95% interval
of the mean (Student's t), and the same of the difference to no pretraining, seed by seed.

    python examples/pretraining.py             # five seeds, 200 and 500 labels
    python examples/pretraining.py --quick     # a minute: two seeds, fewer images
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import hotloop as keras
from hotloop.pretraining import pretrain
from paired import Comparison, arguments

Network = keras.Sequential


def network() -> Network:
    layers = [keras.layers.Dense(n, "sigmoid") for n in (256, 128)]
    return keras.Sequential([keras.Input((784,)), *layers, keras.layers.Dense(10)])


def ways(epochs: int) -> dict[str, Callable[[Network, np.ndarray], object]]:
    return {
        "none": lambda model, x: model,
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


def main() -> None:
    parser = arguments("Few labels: pretraining against none.")
    parser.add_argument("--labels", type=int, nargs="+", default=[200, 500])
    options = parser.parse_args()
    seeds, images, epochs, tuning = (2, 5_000, 2, 20) if options.quick else (options.seeds, 60_000, 10, 60)

    (x, y), (x_test, y_test) = keras.datasets.mnist.load_data()
    x, x_test = (a.reshape(-1, 784).astype(np.float32) / 255 for a in (x, x_test))
    comparison = Comparison(("task", "pretraining"))
    for seed in range(seeds):
        rows = np.random.default_rng(seed).permutation(len(x))
        for name, way in ways(epochs).items():
            keras.utils.set_random_seed(seed)
            model = network()
            way(model, x[rows[:images]])
            begin = model.get_weights()
            for labels in options.labels:
                model.set_weights(begin)
                few = rows[:labels]
                result = accuracy(model, (x[few], y[few]), (x_test, y_test), tuning)
                comparison.add(seed, f"{labels} labels", name, result)
    comparison.finish("pretraining", options)


if __name__ == "__main__":
    main()
