"""PyTorch, op by op."""

from benchmarks.fit.peers.torch_common import TorchPeer as Peer

__all__ = ["Peer"]
