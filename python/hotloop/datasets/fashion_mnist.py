"""Fashion-MNIST: 70,000 pictures of clothes, 28x28 pixels, in ten classes."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from ..saving.atomic import atomic_path
from .cache import STORAGE, fetch, folder, read_npz
from .digits import Split

_NAMES = ("x_train", "y_train", "x_test", "y_test")
_SOURCES = (
    ("train-images-idx3-ubyte.gz", "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
    ("train-labels-idx1-ubyte.gz", "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
    ("t10k-images-idx3-ubyte.gz", "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
    ("t10k-labels-idx1-ubyte.gz", "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
)


def _read_idx(path: Path) -> np.ndarray:
    """An array of bytes in LeCun's IDX format: 0, 0, type 8, rank, big-endian sizes, values."""
    try:
        data = gzip.decompress(path.read_bytes())
        sizes = np.frombuffer(data, ">u4", count=data[3], offset=4)
        return np.frombuffer(data, np.uint8, offset=4 + 4 * len(sizes)).reshape(sizes)
    except (OSError, EOFError, zlib.error, ValueError, IndexError) as error:
        raise ValueError(f"[datasets] expected an IDX file at '{path}', received: {error}. Remove the file.") from error


def _assemble(target: Path) -> None:
    """Download the four files of the original and keep them as one .npz."""
    arrays = [_read_idx(fetch(Path("fashion-mnist", name), STORAGE + name, sha256)) for name, sha256 in _SOURCES]
    with atomic_path(target) as scratch, open(scratch, "wb") as stream:
        x_train, y_train, x_test, y_test = arrays
        np.savez_compressed(stream, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)


def load_data() -> Split:
    """Load Fashion-MNIST, from the cache or over the network.

    The labels are 0 T-shirt/top, 1 Trouser, 2 Pullover, 3 Dress, 4 Coat, 5 Sandal, 6 Shirt, 7 Sneaker, 8 Bag,
    9 Ankle boot.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray
        x: (60000, 28, 28) and (10000, 28, 28) uint8, 0 to 255. y: (60000,) and (10000,) uint8, the class.

    Raises
    ------
    ConnectionError
        If the data are neither in the cache nor to be had.

    References
    ----------
    H. Xiao, K. Rasul, R. Vollgraf (2017), Fashion-MNIST, arXiv:1708.07747. Copyright Zalando SE, MIT licence.

    Examples
    --------
    >>> (x_train, y_train), (x_test, y_test) = load_data()  # doctest: +SKIP
    """
    file = folder() / "fashion_mnist.npz"
    if not file.exists():
        try:
            _assemble(file)
        except ConnectionError as error:
            raise ConnectionError(f"[datasets] expected the file '{file}', or its sources. {error}") from error
    x_train, y_train, x_test, y_test = read_npz(file, _NAMES)
    return (x_train, y_train), (x_test, y_test)
