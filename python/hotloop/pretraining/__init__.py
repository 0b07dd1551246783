"""Unsupervised pretraining: what a network can learn of data without labels."""

from __future__ import annotations

from .autoencoders import Autoencoder
from .gan import GAN
from .rbm import RBM
from .start import pretrain

__all__ = ["GAN", "RBM", "Autoencoder", "pretrain"]

MODELS = ("Autoencoder", "RBM")  # that files may name
