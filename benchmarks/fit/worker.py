"""One peer with one workload in its own process; the driver talks to it over pipes, a line of JSON each way.

It answers its first line when the network is built and warm, then each ``{"epochs": n}`` with the seconds those took.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.fit import peers, workloads
from benchmarks.fit.workloads import Workload

WARM_EPOCHS = 2


class Calls:
    """A peer that predicts: an epoch is `workload.steps` calls."""

    def __init__(self, predict: Callable[[np.ndarray], np.ndarray], workload: Workload, x: np.ndarray) -> None:
        self.predict, self.steps, self.x = predict, workload.steps, x

    def epochs(self, n: int) -> None:
        """Predict the same rows again and again."""
        for _ in range(n * self.steps):
            self.predict(self.x)

    def loss(self) -> float:
        """Mean square of the outputs: nobody wins by skipping work."""
        return float(np.mean(np.square(self.predict(self.x))))


def make(name: str, workload: Workload, x: np.ndarray, y: np.ndarray) -> Any:
    """The peer for this workload."""
    module = peers.load(name)
    if workload.images and not name.startswith("hotloop"):
        raise NotImplementedError("compares hotloop with itself")
    if name == "hotloop_float32" and not workload.images:
        raise NotImplementedError("only for images")
    if not workload.predict:
        if not hasattr(module, "Peer"):
            raise NotImplementedError("does not train")
        return module.Peer(workload, x, y)
    if not hasattr(module, "predictor"):
        raise NotImplementedError("no prediction of its own")
    return Calls(module.predictor(workload, x), workload, x)


def main() -> None:
    """Run as a command: ``python -m benchmarks.fit.worker PEER WORKLOAD``."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print must not reach the driver

    def answer(**values: Any) -> None:
        answers.write(json.dumps(values) + "\n")

    workload = workloads.WORKLOADS[sys.argv[2]]
    x, y = workload.data()
    try:
        peer = make(sys.argv[1], workload, x, y)
    except NotImplementedError as error:
        answer(absent=str(error))
        return
    peer.epochs(WARM_EPOCHS)
    answer(loss=peer.loss())
    for line in sys.stdin:
        epochs = json.loads(line)["epochs"]
        start = time.perf_counter()
        peer.epochs(epochs)
        answer(seconds=time.perf_counter() - start)


if __name__ == "__main__":
    main()
