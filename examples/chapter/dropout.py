"""Dropout at the rate 0.5, and Monte Carlo dropout.

The documents train 784-300-50-10 with ReLU, momentum 0.9 and the rate 0.01 in batches of 50, dropping half of the
inputs and of both hidden layers, and get 0.9729 after 20 epochs. For Monte Carlo dropout they train nothing, so here
the network of their cell (ELU, rate 0.2) is trained in the same way; 100 samples are averaged.

    python -m examples.chapter.dropout
"""

import numpy as np

import hotloop as keras

from .common import Data, Figures, Section, network, train


def build(units: tuple[int, int], rate: float, **options) -> keras.Model:
    layers = []
    for n in units:
        layers += [keras.layers.Dropout(rate), keras.layers.Dense(n, **options)]
    return network(*layers, keras.layers.Dropout(rate), keras.layers.Dense(10))


def log_loss(logits_or_p: np.ndarray, y: np.ndarray) -> float:
    """Mean of minus the logarithm of the true class's probability."""
    return float(-np.mean(np.log(np.maximum(logits_or_p[np.arange(len(y)), y], 1e-12))))


def run(data: Data) -> Figures:
    figures = {}
    for name, rate in (("rate 0.5", 0.5), ("no dropout", 0.0)):
        model = build((300, 50), rate, activation="relu")
        optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
        figures[f"{name}, 20 epochs"] = train(model, data, optimizer, epochs=20, batch=50)

    model = build((300, 100), 0.2, activation="elu", kernel_initializer="he_normal")
    train(model, data, keras.optimizers.SGD(0.01, momentum=0.9), epochs=20, batch=50)
    model = keras.Sequential([*model.layers, keras.layers.Softmax()])
    x, y = data.test
    once, (mean, _) = model.predict(x, verbose=0), model.predict_mc(x, samples=100)
    for name, p in (("dropout off", once), ("mean of 100 samples", mean)):
        figures[f"rate 0.2, ELU, {name}"] = float(np.mean(p.argmax(axis=1) == y))
        figures[f"rate 0.2, ELU, {name}: log loss"] = log_loss(p, y)
    return figures


SECTION = Section("Dropout: test accuracy", run, {"rate 0.5, 20 epochs": 0.9729})

if __name__ == "__main__":
    SECTION.main()
