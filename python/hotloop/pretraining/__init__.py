"""Unsupervised pretraining: what a network can learn of data without labels."""

from __future__ import annotations

from .rbm import RBM

__all__ = ["RBM"]

MODELS = ("RBM",)  # that files may name
