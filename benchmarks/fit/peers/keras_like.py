"""The network in Keras's words, for Keras and for hotloop."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from benchmarks.fit.workloads import Workload


def build(keras: ModuleType, workload: Workload) -> Any:
    """A compiled Sequential model."""
    layers = keras.layers
    model = keras.Sequential([keras.Input((workload.widths[0],))])
    if workload.images:
        model.add(layers.Rescaling(1 / 255))
    for units in workload.widths[1:-1]:
        if workload.batch_norm:
            model.add(layers.Dense(units, use_bias=False))
            model.add(layers.BatchNormalization())
            model.add(layers.Activation(workload.activation))
        else:
            model.add(layers.Dense(units, activation=workload.activation))
        if workload.dropout:
            model.add(layers.Dropout(workload.dropout))
    model.add(layers.Dense(workload.widths[-1]))
    optimizers = keras.optimizers
    optimizer = {
        "sgd": lambda: optimizers.SGD(workload.rate),
        "momentum": lambda: optimizers.SGD(workload.rate, momentum=0.9),
        "adam": lambda: optimizers.Adam(workload.rate),
    }[workload.optimizer]()
    losses = keras.losses
    loss = (
        losses.MeanSquaredError() if workload.loss == "mse" else losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    model.compile(optimizer=optimizer, loss=loss)
    return model
