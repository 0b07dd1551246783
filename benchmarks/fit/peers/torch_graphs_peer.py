"""PyTorch with CUDA graphs: several whole steps, gathers included, recorded once and replayed."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.fit.peers.torch_common import TorchPeer
from benchmarks.fit.workloads import Workload

MOST_STEPS = 25  # of a graph
WARM_STEPS = 3


class Peer(TorchPeer):
    """See :mod:`benchmarks.fit.peers`."""

    def __init__(self, workload: Workload, x: np.ndarray, y: np.ndarray, device: str = "cpu") -> None:
        if device != "cuda":
            raise NotImplementedError("CUDA graphs are of NVIDIA GPUs")
        super().__init__(workload, x, y, device)
        steps = max(n for n in range(1, MOST_STEPS + 1) if workload.steps % n == 0)
        self.rows = torch.zeros((steps, self.batch), dtype=torch.int64, device=self.device)
        self.net.train()
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(WARM_STEPS):
                self.step(self.x[self.rows[0]], self.y[self.rows[0]])
        torch.cuda.current_stream().wait_stream(beside)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            for index in self.rows:
                self.step(self.x[index], self.y[index])
        self.restart()

    def epochs(self, n: int) -> None:
        """Train."""
        for _ in range(n):
            order = torch.randperm(len(self.x), device=self.device)
            for rows in order.view(-1, *self.rows.shape):
                self.rows.copy_(rows)
                self.graph.replay()
        self.finish()
