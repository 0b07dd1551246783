"""PyTorch through `torch.compile`: forward with loss (and so backward), and the optimizer."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.fit.peers.torch_common import TorchPeer


class Peer(TorchPeer):
    """See :mod:`benchmarks.fit.peers`."""

    MODE: str | None = None

    def make_step(self) -> Callable[[torch.Tensor, torch.Tensor], None]:
        """The function that trains on one batch."""

        value = torch.compile(self.value, mode=self.MODE)

        def step(x: torch.Tensor, y: torch.Tensor) -> None:
            self.optimizer.zero_grad(set_to_none=True)
            value(x, y).backward()
            self.optimizer.step()  # the fused optimizer is one compiled kernel already

        return step
