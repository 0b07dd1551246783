"""Sparse models, 784-300-50-10 with ReLU, ten epochs in batches of 50, in the three ways of the documents.

The documents give no figure. The ways: train and set tiny weights to zero; l1 regularisation, then the same; l1 in
Ftrl, which makes weights exactly zero by itself (its accumulator starts small, for the first step shrinks the initial
weights the more the larger it is). Printed are the share of the kernels' weights that are zero and the test accuracy.

    python -m examples.chapter.sparse
"""

import numpy as np

import hotloop as keras

from .common import Data, Figures, Section, network, train

TINY = 0.01


def build(regularizer: object = None) -> keras.Model:
    hidden = [keras.layers.Dense(n, activation="relu", kernel_regularizer=regularizer) for n in (300, 50)]
    return network(*hidden, keras.layers.Dense(10, kernel_regularizer=regularizer))


def cut(model: keras.Model) -> None:
    """Set the kernels' tiny weights to zero."""
    model.set_weights([np.where((w.ndim == 2) & (np.abs(w) < TINY), 0, w) for w in model.get_weights()])


def run(data: Data) -> Figures:
    figures = {}
    ftrl = keras.optimizers.Ftrl(0.1, initial_accumulator_value=0.001, l1_regularization_strength=0.001)
    for name, regularizer, optimizer in (
        ("tiny weights cut", None, keras.optimizers.Adam()),
        ("l1 of 0.0001, tiny weights cut", keras.regularizers.l1(1e-4), keras.optimizers.Adam()),
        ("Ftrl with l1", None, ftrl),
    ):
        model = build(regularizer)
        figures[f"{name}: accuracy as trained"] = train(model, data, optimizer, epochs=10, batch=50)
        if "cut" in name:
            cut(model)
            figures[f"{name}: accuracy"] = model.evaluate(*data.test, verbose=0)[1]
        figures[f"{name}: share of zeros"] = keras.pruning.sparsity(model).zeros
    return figures


SECTION = Section("Sparse models", run, {}, seeds=3)

if __name__ == "__main__":
    SECTION.main()
