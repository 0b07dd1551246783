"""Pretraining: what a network can learn of data without labels, or from labels that are cheap."""

from __future__ import annotations

from .autoencoders import Autoencoder
from .corruption import Corrupted, corrupt, corruption_task
from .gan import GAN
from .pairs import Pairs, Triplets
from .rbm import RBM
from .siamese import siamese, triplet_network
from .start import pretrain

__all__ = [
    "GAN", "RBM", "Autoencoder", "Corrupted", "Pairs", "Triplets", "corrupt", "corruption_task", "pretrain", "siamese",
    "triplet_network",
]  # fmt: skip

MODELS = ("Autoencoder", "RBM")  # that files may name
