"""Max-norm regularisation: 784-300-50-10 with ReLU, momentum 0.9, rate 0.01, 20 epochs in batches of 50.

The documents' code clips the weights along their second axis, so that the weights that leave a neuron have at most
norm 1, and gets 0.9832. Their text, and the default of `max_norm`, constrain the weights that enter a neuron. Both
are here.

    python -m examples.chapter.max_norm
"""

import hotloop as keras

from .common import Data, Figures, Section, network, train


def build(constraint: object) -> keras.Model:
    hidden = [keras.layers.Dense(n, activation="relu", kernel_constraint=constraint) for n in (300, 50)]
    return network(*hidden, keras.layers.Dense(10))


def run(data: Data) -> Figures:
    figures = {}
    for name, constraint in (
        ("norm 1, weights that leave a neuron", keras.constraints.max_norm(1.0, axis=1)),
        ("norm 1, weights that enter a neuron", keras.constraints.max_norm(1.0)),
        ("no constraint", None),
    ):
        optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
        figures[name] = train(build(constraint), data, optimizer, epochs=20, batch=50)
    return figures


SECTION = Section("Max-norm: test accuracy, 20 epochs", run, {"norm 1, weights that leave a neuron": 0.9832})

if __name__ == "__main__":
    SECTION.main()
