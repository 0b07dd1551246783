"""PyTorch, op by op."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from benchmarks import machine
from benchmarks.fit.peers.torch_common import TorchPeer as Peer
from benchmarks.fit.peers.torch_common import network
from benchmarks.fit.workloads import Workload

__all__ = ["Peer", "predictor"]


def predictor(workload: Workload, x: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """`inference_mode`, with the number of threads it is fastest with."""
    net = network(workload).eval()

    def predict(x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return net(torch.from_numpy(x)).numpy()

    timings = {}
    for threads in {1, machine.cores()}:
        torch.set_num_threads(threads)
        calls = 5 if workload.batch > 1 else 500
        for _ in range(2):  # the first one warms up
            start = time.perf_counter()
            for _ in range(calls):
                predict(x)
        timings[threads] = time.perf_counter() - start
    torch.set_num_threads(min(timings, key=timings.__getitem__))
    return predict
