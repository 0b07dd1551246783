"""One peer with one workload in its own process; the driver talks to it over pipes, a line of JSON each way.

It answers its first line when the network is built and warm, then each ``{"epochs": n}`` with the seconds those took,
and each ``{"accuracy": share}`` with the seconds that training anew took until so many test images are right.
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
MOST_EPOCHS = 20  # to an accuracy


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


def make(name: str, workload: Workload, x: np.ndarray, y: np.ndarray, device: str) -> Any:
    """The peer for this workload."""
    if device != "cpu":
        os.environ.update(JAX_PLATFORMS="cuda", XLA_PYTHON_CLIENT_PREALLOCATE="false")
        return peers.load(name).Peer(workload, x, y, device)
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


def seconds_to(accuracy: float, peer: Any) -> dict[str, float]:
    """Train anew, an epoch at a time; only training counts."""
    x, y = workloads.mnist("test", workloads.MNIST_ROWS)
    peer.restart()
    seconds = reached = 0.0
    epochs = 0
    while reached < accuracy and epochs < MOST_EPOCHS:
        start = time.perf_counter()
        peer.epochs(1)
        seconds += time.perf_counter() - start
        reached, epochs = peer.accuracy(x, y), epochs + 1
    return {"seconds": seconds, "epochs": epochs, "accuracy": reached}


def main() -> None:
    """Run as a command: ``python -m benchmarks.fit.worker PEER WORKLOAD DEVICE``."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print must not reach the driver

    def answer(**values: Any) -> None:
        answers.write(json.dumps(values) + "\n")

    workload = workloads.ALL[sys.argv[2]]
    try:
        x, y = workload.data()
        peer = make(sys.argv[1], workload, x, y, sys.argv[3])
    except NotImplementedError as error:
        answer(absent=str(error))
        return
    peer.epochs(WARM_EPOCHS)
    answer(loss=peer.loss())
    for line in sys.stdin:
        asked = json.loads(line)
        if "accuracy" in asked:
            answer(**seconds_to(asked["accuracy"], peer))
            continue
        epochs = asked["epochs"]
        start = time.perf_counter()
        peer.epochs(epochs)
        answer(seconds=time.perf_counter() - start)


if __name__ == "__main__":
    main()
