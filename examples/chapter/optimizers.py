"""Faster optimizers: 784-300-50-10 with ReLU, five epochs in batches of 50, rates as the documents print them.

The documents give no figure but a table of stars: every optimizer is said to converge faster than plain gradient
descent, and AdaGrad to stop too early.

    python -m examples.chapter.optimizers
"""

import hotloop as keras

from .common import Data, Figures, Section, network, train

CASES = {
    "SGD 0.01": lambda: keras.optimizers.SGD(0.01),
    "momentum 0.9": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    "Nesterov": lambda: keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
    "AdaGrad 0.01": lambda: keras.optimizers.Adagrad(0.01),
    "RMSProp": lambda: keras.optimizers.RMSprop(0.001, rho=0.9),
    "Adam": lambda: keras.optimizers.Adam(0.001, beta_1=0.9, beta_2=0.999),
    "AdaMax": lambda: keras.optimizers.Adamax(0.001),
    "Nadam": lambda: keras.optimizers.Nadam(0.001),
}


def build() -> keras.Model:
    return network(
        keras.layers.Dense(300, activation="relu", name="hidden1"),
        keras.layers.Dense(50, activation="relu", name="hidden2"),
        keras.layers.Dense(10, name="outputs"),
    )


def run(data: Data) -> Figures:
    return {name: train(build(), data, make(), epochs=5, batch=50) for name, make in CASES.items()}


SECTION = Section("Optimizers: test accuracy, 784-300-50-10, 5 epochs", run, {})

if __name__ == "__main__":
    SECTION.main()
