"""Nonsaturating activations: ten hidden layers of 100 neurons, five epochs with momentum.

The documents give no figure but an order: ELU > leaky ReLU (and its variants) > ReLU > tanh > logistic. Every
activation has the initialisation that the documents name for it.

    python -m examples.chapter.activations
"""

import hotloop as keras

from .common import Data, Figures, Section, network, train

CASES = {
    "logistic": (lambda: keras.layers.Activation("sigmoid"), "glorot_normal"),
    "tanh": (lambda: keras.layers.Activation("tanh"), "glorot_normal"),
    "ReLU": (keras.layers.ReLU, "he_normal"),
    "leaky ReLU 0.01": (lambda: keras.layers.LeakyReLU(negative_slope=0.01), "he_normal"),
    "leaky ReLU 0.2": (lambda: keras.layers.LeakyReLU(negative_slope=0.2), "he_normal"),
    "RReLU": (keras.layers.RReLU, "he_normal"),
    "PReLU": (keras.layers.PReLU, "he_normal"),
    "ELU": (keras.layers.ELU, "he_normal"),
    "SELU": (lambda: keras.layers.Activation("selu"), "lecun_normal"),
}


def run(data: Data) -> Figures:
    figures = {}
    for name, (activation, initializer) in CASES.items():
        layers = []
        for _ in range(10):
            layers += [keras.layers.Dense(100, kernel_initializer=initializer), activation()]
        if name == "SELU":  # its inputs are to be standardised
            normalization = keras.layers.Normalization(axis=None)
            normalization.adapt(data.train[0].reshape(-1, 784) / 255.0)
            layers.insert(0, normalization)
        model = network(*layers, keras.layers.Dense(10))
        figures[name] = train(model, data, keras.optimizers.SGD(0.01, momentum=0.9), epochs=5, batch=50)
    return figures


SECTION = Section("Activations: test accuracy, 10 x 100 neurons, 5 epochs", run, {}, seeds=3)

if __name__ == "__main__":
    SECTION.main()
