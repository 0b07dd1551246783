"""hotloop: `Model.fit`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import hotloop as keras
from benchmarks.fit.peers.keras_like import build
from benchmarks.fit.workloads import Workload


class Peer:
    """See :mod:`benchmarks.fit.peers`."""

    def __init__(self, workload: Workload, x: np.ndarray, y: np.ndarray) -> None:
        self.model = build(keras, workload)
        self.x, self.y, self.batch = x, y, workload.batch

    def epochs(self, n: int) -> None:
        """Train."""
        self.model.fit(self.x, self.y, batch_size=self.batch, epochs=n, verbose=0)

    def loss(self) -> float:
        """Training loss."""
        return float(self.model.evaluate(self.x, self.y, batch_size=1000, verbose=0))


def predictor(workload: Workload, x: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """`predict_on_batch`, or `predict` for many rows."""
    model = build(keras, workload)
    if workload.batch > 1000:
        return lambda x: model.predict(x, batch_size=1000, verbose=0)
    return model.predict_on_batch
