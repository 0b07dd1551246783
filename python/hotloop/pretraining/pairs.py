"""Pairs and triplets of samples, drawn anew in every pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core, random
from ..data import positive
from ..random import pass_seed
from ..utils import PyDataset


class _Drawn(PyDataset):
    """Rows in a new order, and what is drawn for each of them, in every pass.

    Which rows a batch has is a function of the seed, the pass and the batch alone, so that `resume` goes on exactly.
    """

    def __init__(self, x: Any, batch_size: int, seed: int | None, resample: bool) -> None:
        super().__init__()
        self._where = type(self).__name__
        self.x = np.asarray(x)
        if self.x.ndim < 2 or not len(self.x):
            raise ValueError(
                f"[{self._where}] expected x of shape (samples, features) with samples, received {self.x.shape}."
            )
        self.batch_size = positive(batch_size, self._where, "batch_size")
        self.seed, self.resample = random.SeedGenerator(seed).seed, bool(resample)
        self._pass: int | None = None
        self._anchors = np.arange(len(self.x))

    def __len__(self) -> int:
        return -(-len(self._anchors) // self.batch_size)

    def on_pass_begin(self, number: int) -> None:
        """Draw for this pass over the data; `fit` says which it is."""
        number = number if self.resample else 0
        if number != self._pass:
            self._pass = number
            order = self._anchors[_core.permutation(len(self._anchors), self.seed & 0xFFFFFFFF, number)]
            self._draw(order, number)

    def _draw(self, order: np.ndarray, number: int) -> None:
        raise NotImplementedError

    def _rows(self, batch: int) -> slice:
        if not 0 <= batch < len(self):
            raise IndexError(f"[{self._where}] expected a batch below {len(self)}, received {batch}.")
        if self._pass is None:
            self.on_pass_begin(0)
        return slice(batch * self.batch_size, (batch + 1) * self.batch_size)


class _Labelled(_Drawn):
    """Samples with labels, sorted by them, so that partners are drawn without a loop."""

    def __init__(self, x: Any, labels: Any, batch_size: int, seed: int | None, resample: bool) -> None:
        super().__init__(x, batch_size, seed, resample)
        labels = np.asarray(labels)
        if labels.shape not in ((len(self.x),), (len(self.x), 1)):
            raise ValueError(
                f"[{self._where}] expected a label for each of the {len(self.x)} samples, received shape "
                f"{labels.shape}."
            )
        classes, number, counts = np.unique(labels.reshape(-1), return_inverse=True, return_counts=True)
        if len(classes) < 2 or counts.max() < 2:
            raise ValueError(
                f"[{self._where}] expected labels of at least two kinds, one of them twice, received {len(classes)} "
                f"kinds for {len(self.x)} samples."
            )
        self._sorted = np.argsort(number, kind="stable")
        self._count = counts[number]
        self._start = (np.cumsum(counts) - counts)[number]
        self._rank = np.empty(len(number), np.int64)
        self._rank[self._sorted] = np.arange(len(number))
        self._rank -= self._start

    def _same(self, rows: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Another sample of each row's kind, by a number in [0, 1)."""
        others = self._count[rows] - 1
        k = np.minimum((u * others).astype(np.int64), others - 1)
        return self._sorted[self._start[rows] + k + (k >= self._rank[rows])]

    def _different(self, rows: np.ndarray, u: np.ndarray) -> np.ndarray:
        """A sample of another kind."""
        others = len(self.x) - self._count[rows]
        k = np.minimum((u * others).astype(np.int64), others - 1)
        return self._sorted[k + np.where(k >= self._start[rows], self._count[rows], 0)]


class Pairs(_Labelled):
    """Pairs of samples and whether they are of one kind, as `fit` takes them: ``([left, right], same)``.

    Parameters
    ----------
    x : array_like, shape (samples, ...)
    labels : array_like, shape (samples,)
        Numbers or strings.
    batch_size : int
    seed : int, optional
        Drawn from the seed of `set_random_seed` unless told.
    same : float
        The share of pairs of one kind.
    resample : bool
        Whether every pass has other pairs. False for validation.

    Raises
    ------
    ValueError
        If shapes differ, all labels are the same or each is there once, or `same` is no share.

    Notes
    -----
    Every sample is on the left once in a pass. The other one is any of the same, or of another, kind, with equal
    chances; a sample that is the only one of its kind gets one of another kind. `same` of a batch has shape (batch, 1),
    1 for the same kind. Bromley et al., "Signature Verification using a Siamese Time Delay Neural Network", NIPS 1993.

    Examples
    --------
    >>> import numpy as np
    >>> pairs = Pairs(np.arange(8.0).reshape(4, 2), ["a", "b", "a", "b"], batch_size=2, seed=1)
    >>> (left, right), same = pairs[0]
    >>> len(pairs), left.shape, right.shape, same.shape
    (2, (2, 2), (2, 2), (2, 1))
    """

    def __init__(
        self,
        x: Any,
        labels: Any,
        batch_size: int = 32,
        seed: int | None = None,
        same: float = 0.5,
        resample: bool = True,
    ) -> None:
        super().__init__(x, labels, batch_size, seed, resample)
        if isinstance(same, (bool, str)) or not 0 <= same <= 1:
            raise ValueError(f"[Pairs] expected same as a share from 0 to 1, received {same!r}.")
        self.same = float(same)

    def _draw(self, order: np.ndarray, number: int) -> None:
        which, partner = random.uniform((2, len(order)), seed=pass_seed(self.seed, number), dtype="float64")
        same = (which < self.same) & (self._count[order] > 1)
        self._left = order
        self._right = self._different(order, partner)
        self._right[same] = self._same(order[same], partner[same])
        self._is_same = same.astype(np.float32)[:, None]

    def __getitem__(self, batch: int) -> Any:
        rows = self._rows(batch)
        return [self.x[self._left[rows]], self.x[self._right[rows]]], self._is_same[rows]


class Triplets(_Labelled):
    """Triplets of samples, as `fit` takes them: ``([anchor, same kind, other kind], zeros)``.

    Parameters
    ----------
    x, labels, batch_size, seed, resample
        As of `Pairs`.

    Notes
    -----
    Every sample that is not the only one of its kind is the anchor once in a pass. `losses.Triplet` does not look at
    the zeros. Schroff, Kalenichenko and Philbin, "FaceNet: A Unified Embedding for Face Recognition and Clustering",
    CVPR 2015.

    Examples
    --------
    >>> import numpy as np
    >>> triplets = Triplets(np.arange(8.0).reshape(4, 2), [0, 1, 0, 1], batch_size=4, seed=1)
    >>> (anchor, same, other), _ = triplets[0]
    >>> bool((abs(anchor - same) == 4).all()), bool((abs(anchor - other) % 4 == 2).all())
    (True, True)
    """

    def __init__(
        self, x: Any, labels: Any, batch_size: int = 32, seed: int | None = None, resample: bool = True
    ) -> None:
        super().__init__(x, labels, batch_size, seed, resample)
        self._anchors = self._anchors[self._count > 1]

    def _draw(self, order: np.ndarray, number: int) -> None:
        near, far = random.uniform((2, len(order)), seed=pass_seed(self.seed, number), dtype="float64")
        self._three = (order, self._same(order, near), self._different(order, far))

    def __getitem__(self, batch: int) -> Any:
        rows = self._rows(batch)
        three = [self.x[index[rows]] for index in self._three]
        return three, np.zeros((len(three[0]), 1), np.float32)
