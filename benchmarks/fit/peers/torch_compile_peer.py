"""PyTorch through `torch.compile`: forward with loss (and so backward), and the optimizer."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.fit.peers.torch_common import TorchPeer


class Peer(TorchPeer):
    """See :mod:`benchmarks.fit.peers`."""

    def make_step(self) -> Callable[[torch.Tensor, torch.Tensor], None]:
        """The function that trains on one batch."""

        @torch.compile
        def value(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return self.criterion(self.net(x), y)

        def step(x: torch.Tensor, y: torch.Tensor) -> None:
            self.optimizer.zero_grad(set_to_none=True)
            value(x, y).backward()
            self.optimizer.step()  # the fused optimizer is one compiled kernel already

        return step
