"""hotloop: `Model.fit`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import hotloop as keras
from benchmarks.fit.peers.keras_like import build
from benchmarks.fit.workloads import Workload

DEVICES = {"float32": "", "tf32": "_tf32", "bfloat16": "_bf16"}  # the end of a device's name


class Peer:
    """See :mod:`benchmarks.fit.peers`."""

    def __init__(self, workload: Workload, x: np.ndarray, y: np.ndarray, device: str = "cpu") -> None:
        if device == "cpu" and workload.precision != "float32":
            raise NotImplementedError(f"has no kernels for {workload.precision}")
        if device != "cpu":
            keras.set_device(device + DEVICES[workload.precision])
        self.workload, self.model = workload, build(keras, workload)
        self.start = self.model.get_weights()
        self.x, self.y, self.batch = x, y, workload.batch

    def epochs(self, n: int) -> None:
        """Train."""
        self.model.fit(self.x, self.y, batch_size=self.batch, epochs=n, verbose=0)

    def loss(self) -> float:
        """Training loss."""
        return float(self.model.evaluate(self.x, self.y, batch_size=1000, verbose=0))

    def restart(self) -> None:
        """Initial weights and a new optimizer."""
        self.model = build(keras, self.workload)
        self.model.set_weights(self.start)

    def accuracy(self, x: np.ndarray, y: np.ndarray) -> float:
        """Share of right answers."""
        return float(np.mean(self.model.predict(x, batch_size=1000, verbose=0).argmax(1) == y))


def predictor(workload: Workload, x: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """`predict_on_batch`, or `predict` for many rows."""
    model = build(keras, workload)
    if workload.batch > 1000:
        return lambda x: model.predict(x, batch_size=1000, verbose=0)
    return model.predict_on_batch
