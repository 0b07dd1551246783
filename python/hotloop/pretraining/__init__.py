"""Unsupervised pretraining: what a network can learn of data without labels."""

from __future__ import annotations

from .autoencoders import Autoencoder
from .rbm import RBM
from .start import pretrain

__all__ = ["RBM", "Autoencoder", "pretrain"]

MODELS = ("Autoencoder", "RBM")  # that files may name
