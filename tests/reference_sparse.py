"""The float64 oracle of weights that are stored as blocks: 16 columns of a row each."""

from __future__ import annotations

import numpy as np

__all__ = ["sparse_dense", "sparse_dense_gradient"]


def unblocked(values, units, indices, offsets, features):
    """w (features, units)"""
    w = np.zeros((features, 16 * (len(offsets) - 1)))
    for panel, first in enumerate(offsets[:-1]):
        for i in range(first, offsets[panel + 1]):
            w[indices[i], 16 * panel : 16 * panel + 16] = values[16 * i : 16 * i + 16]
    return w[:, :units]


def sparse_dense(x, values, b=None, units=1, indices=(), offsets=(), activation="identity", alpha=0.0):
    from reference import dense

    return dense(x, unblocked(values, units, indices, offsets, x.shape[-1]), b, activation, alpha)


def sparse_dense_gradient(dy, x, values, b=None, units=1, indices=(), offsets=(), activation="identity", alpha=0.0):
    from reference import dense_gradient

    w = unblocked(values, units, indices, offsets, x.shape[-1])
    dx, dw, *db = dense_gradient(dy, x, w, b, activation, alpha)
    dw = np.pad(dw, ((0, 0), (0, 16 * (len(offsets) - 1) - units)))  # what stands beyond the last unit is zero
    panels = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    blocks = [dw[k, 16 * p : 16 * p + 16] for k, p in zip(indices, panels, strict=True)]
    return [dx, np.concatenate([*blocks, np.zeros(0)]), *db]
