"""The network and the loop in PyTorch, on the processor or on a GPU."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from benchmarks import machine
from benchmarks.fit.workloads import Workload


class TorchPeer:
    """Tensors on the device, a shuffled index, a hand-written loop: the fastest way PyTorch documents."""

    def __init__(self, workload: Workload, x: np.ndarray, y: np.ndarray, device: str = "cpu") -> None:
        torch.manual_seed(0)
        torch.set_float32_matmul_precision("highest" if workload.precision == "float32" else "high")
        self.batch, self.device = workload.batch, torch.device(device)
        self.half = workload.precision == "bfloat16"
        self.x = torch.from_numpy(x).to(self.device)
        self.y = torch.from_numpy(y.astype(np.int64) if workload.loss == "classes" else y).to(self.device)
        self.net = network(workload).to(self.device)
        self.start = copy.deepcopy(self.net.state_dict())
        self.criterion = nn.MSELoss() if workload.loss == "mse" else nn.CrossEntropyLoss()
        self.optimizer = optimizer(workload, self.net)
        self.step = self.make_step()
        if device == "cpu":
            self.choose_threads()

    def value(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Loss of a batch in the workload's precision."""
        if not self.half:
            return self.criterion(self.net(x), y)
        with torch.autocast(self.device.type, torch.bfloat16):
            return self.criterion(self.net(x), y)

    def make_step(self) -> Callable[[torch.Tensor, torch.Tensor], None]:
        """The function that trains on one batch."""

        def step(x: torch.Tensor, y: torch.Tensor) -> None:
            self.optimizer.zero_grad(set_to_none=True)
            self.value(x, y).backward()
            self.optimizer.step()

        return step

    def finish(self) -> None:
        """Wait for the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def restart(self) -> None:
        """Initial weights, no state, in place: recorded graphs keep their addresses."""
        self.net.load_state_dict(self.start)
        for state in self.optimizer.state.values():
            for tensor in state.values():
                tensor.zero_()
        self.finish()

    def choose_threads(self) -> None:
        """Keep the number of threads that trains some steps fastest, and the initial weights."""
        before = copy.deepcopy((self.net.state_dict(), self.optimizer.state_dict()))
        x, y = self.x[: self.batch].contiguous(), self.y[: self.batch].contiguous()
        timings = {}
        for threads in {1, machine.cores()}:
            torch.set_num_threads(threads)
            for seconds in (0.3, 0.5):  # the first one warms up
                count, start = 0, time.perf_counter()
                while time.perf_counter() - start < seconds:
                    self.step(x, y)
                    count += 1
                timings[threads] = (time.perf_counter() - start) / count
        torch.set_num_threads(min(timings, key=timings.__getitem__))
        self.net.load_state_dict(before[0])
        self.optimizer.load_state_dict(before[1])

    def epochs(self, n: int) -> None:
        """Train."""
        self.net.train()
        for _ in range(n):
            for index in torch.randperm(len(self.x), device=self.device).split(self.batch):
                self.step(self.x[index], self.y[index])
        self.finish()

    def loss(self) -> float:
        """Training loss."""
        self.net.eval()
        with torch.no_grad():
            return float(self.criterion(self.net(self.x), self.y))

    def accuracy(self, x: np.ndarray, y: np.ndarray) -> float:
        """Share of right answers."""
        self.net.eval()
        with torch.no_grad():
            answers = self.net(torch.from_numpy(x).to(self.device)).argmax(1).cpu().numpy()
        return float(np.mean(answers == y))


def network(workload: Workload) -> nn.Sequential:
    """Dense layers with Glorot's initial values, as the other peers have."""
    parts: list[nn.Module] = []
    last = len(workload.layers) - 1
    for i, (k, n) in enumerate(workload.layers):
        dense = nn.Linear(k, n, bias=not (workload.batch_norm and i < last))
        nn.init.xavier_uniform_(dense.weight)
        if dense.bias is not None:
            nn.init.zeros_(dense.bias)
        parts.append(dense)
        if i == last:
            break
        if workload.batch_norm:
            parts.append(nn.BatchNorm1d(n, eps=1e-3, momentum=0.01))
        parts.append(nn.ELU() if workload.activation == "elu" else nn.ReLU())
        if workload.dropout:
            parts.append(nn.Dropout(workload.dropout))
    return nn.Sequential(*parts)


def optimizer(workload: Workload, net: nn.Module) -> torch.optim.Optimizer:
    """The fused kinds: one call for all the tensors."""
    if workload.optimizer == "adam":
        on_gpu = next(net.parameters()).is_cuda  # and its step number too: graphs hold no numbers of the processor
        return torch.optim.Adam(net.parameters(), lr=workload.rate, eps=1e-7, fused=True, capturable=on_gpu)
    momentum = 0.9 if workload.optimizer == "momentum" else 0.0
    return torch.optim.SGD(net.parameters(), lr=workload.rate, momentum=momentum, fused=True)
