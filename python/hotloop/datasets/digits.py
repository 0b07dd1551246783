"""The UCI handwritten digits: 1,797 images of 8x8 pixels, shipped with the package (see digits.txt)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .cache import read_npz

Split = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def load_data() -> Split:
    """Load the embedded digits; needs no network and no cache.

    Every fifth image of the source file (rows 4, 9, 14, ...) is a test image, the others are for training: the split
    never changes.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray
        x: (1438, 8, 8) and (359, 8, 8) uint8, the number of set pixels (0 to 16) in each 4x4 block of a 32x32 scan.
        y: (1438,) and (359,) uint8, the digit.

    References
    ----------
    E. Alpaydin, C. Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning Repository,
    https://doi.org/10.24432/C50P49 (CC BY 4.0).

    Examples
    --------
    >>> (x_train, y_train), (x_test, y_test) = load_data()
    >>> x_train.shape, int(x_train.max()), y_test[:5].tolist()
    ((1438, 8, 8), 16, [4, 9, 4, 9, 4])
    """
    x, y = read_npz(Path(__file__).with_name("digits.npz"), ("x", "y"))
    test = np.arange(len(x)) % 5 == 4
    return (x[~test], y[~test]), (x[test], y[test])
