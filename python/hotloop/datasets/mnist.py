"""MNIST: 70,000 handwritten digits of 28x28 pixels."""

from __future__ import annotations

import os

from .cache import STORAGE, fetch, read_npz
from .digits import Split

_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"


def load_data(path: str | os.PathLike[str] = "mnist.npz") -> Split:
    """Load MNIST, from the cache or over the network.

    Parameters
    ----------
    path : str
        File in the cache, relative to ``$HOTLOOP_HOME/datasets``.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray
        x: (60000, 28, 28) and (10000, 28, 28) uint8, 0 to 255. y: (60000,) and (10000,) uint8, the digit.

    Raises
    ------
    ConnectionError
        If the file is neither in the cache nor to be had.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner (1998), Gradient-based learning applied to document recognition.
    Copyright Yann LeCun and Corinna Cortes, CC BY-SA 3.0.

    Examples
    --------
    >>> (x_train, y_train), (x_test, y_test) = load_data()  # doctest: +SKIP
    """
    file = fetch(path, STORAGE + "mnist.npz", _SHA256)
    x_train, y_train, x_test, y_test = read_npz(file, ("x_train", "y_train", "x_test", "y_test"))
    return (x_train, y_train), (x_test, y_test)
