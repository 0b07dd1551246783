"""PyTorch through `torch.compile`, which times kernels against each other and records CUDA graphs."""

from __future__ import annotations

from benchmarks.fit.peers.torch_compile_peer import Peer as Compiled


class Peer(Compiled):
    """See :mod:`benchmarks.fit.peers`."""

    MODE = "max-autotune"
