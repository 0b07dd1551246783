"""Batch normalisation after or before the activation, in ten hidden layers of 100 ELU neurons, at two learning rates.

The documents give no figure: they say that normalised networks take much larger learning rates.

    python -m examples.chapter.batch_norm
"""

import hotloop as keras

from .common import Data, Figures, Section, network, train


def hidden(where: str) -> list[keras.Layer]:
    """One hidden layer, as the documents' cells arrange it."""
    if where == "none":
        return [keras.layers.Dense(100, activation="elu", kernel_initializer="he_normal")]
    normalization = keras.layers.BatchNormalization()
    if where == "after":
        return [keras.layers.Dense(100, activation="elu", kernel_initializer="he_normal"), normalization]
    dense = keras.layers.Dense(100, kernel_initializer="he_normal", use_bias=False)
    return [dense, normalization, keras.layers.Activation("elu")]


def run(data: Data) -> Figures:
    figures = {}
    for rate in (0.01, 0.3):
        for where in ("none", "after", "before"):
            layers = [keras.layers.BatchNormalization()] if where != "none" else []
            for _ in range(10):
                layers += hidden(where)
            model = network(*layers, keras.layers.Dense(10))
            name = "no normalisation" if where == "none" else f"normalised {where} the activation"
            figures[f"{name}, rate {rate}"] = train(model, data, keras.optimizers.SGD(rate), epochs=5, batch=50)
    return figures


SECTION = Section("Batch normalisation: test accuracy, 10 x 100 ELU neurons, 5 epochs", run, {}, seeds=3)

if __name__ == "__main__":
    SECTION.main()
