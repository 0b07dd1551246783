"""Vanishing gradients: ten hidden layers of 100 neurons, with initialisations old and new.

The documents give no figure. Printed are the ratio of the gradient's norm in the first hidden layer to that in the
last, at the start, and the test accuracy after five epochs with the same optimizer.

    python -m examples.chapter.initialization
"""

import numpy as np

import hotloop as keras

from .common import Data, Figures, Section, network, train

DEPTH = 10
CASES = {
    "logistic, normal(0, 1)": ("sigmoid", keras.initializers.RandomNormal(stddev=1.0)),
    "logistic, Glorot": ("sigmoid", "glorot_normal"),
    "tanh, Glorot": ("tanh", "glorot_normal"),
    "ReLU, normal(0, 1)": ("relu", keras.initializers.RandomNormal(stddev=1.0)),
    "ReLU, He": ("relu", "he_normal"),
    "ELU, He": ("elu", "he_normal"),
}


def build(activation: str, initializer: object) -> keras.Model:
    hidden = [
        keras.layers.Dense(100, activation=activation, kernel_initializer=initializer, name=f"hidden{i}")
        for i in range(1, DEPTH + 1)
    ]
    return network(*hidden, keras.layers.Dense(10, name="outputs"))


def gradient_ratio(model: keras.Model, data: Data) -> float:
    """One step of plain gradient descent with rate 1 moves every weight by its gradient."""
    model.compile(keras.optimizers.SGD(1.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    start = model.get_weights()
    kernels = [model.get_layer(name).kernel for name in ("hidden1", f"hidden{DEPTH}")]
    before = [np.array(kernel) for kernel in kernels]
    model.train_on_batch(data.train[0][:500], data.train[1][:500])
    first, last = (np.linalg.norm(np.array(k) - b) for k, b in zip(kernels, before, strict=True))
    model.set_weights(start)
    return float(first / last) if last > 0 else float("nan")


def run(data: Data) -> Figures:
    figures = {}
    for name, (activation, initializer) in CASES.items():
        model = build(activation, initializer)
        figures[f"{name}: gradient, first / last hidden layer"] = gradient_ratio(model, data)
        optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
        figures[f"{name}: accuracy after 5 epochs"] = train(model, data, optimizer, epochs=5, batch=50)
    return figures


SECTION = Section("Vanishing gradients and initialisation", run, {}, seeds=3)

if __name__ == "__main__":
    SECTION.main()
