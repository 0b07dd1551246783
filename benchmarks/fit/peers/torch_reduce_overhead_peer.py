"""PyTorch through `torch.compile`, which records CUDA graphs."""

from __future__ import annotations

from benchmarks.fit.peers.torch_compile_peer import Peer as Compiled


class Peer(Compiled):
    """See :mod:`benchmarks.fit.peers`."""

    MODE = "reduce-overhead"
