"""Pruning: weights that are zero, and stay so; and layers that multiply only by those that are not."""

from .compressing import compress, compressed_layer
from .magnitude import BLOCK, is_pruned, prune, release
from .report import LayerSparsity, Sparsity, sparsity
from .schedules import ConstantSparsity, PolynomialDecay, PruningSchedule

__all__ = [
    "BLOCK", "ConstantSparsity", "LayerSparsity", "PolynomialDecay", "PruningSchedule", "Sparsity", "compress",
    "compressed_layer", "is_pruned", "prune", "release", "sparsity",
]  # fmt: skip
