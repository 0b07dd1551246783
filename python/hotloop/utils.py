"""`keras.utils`: seeds, labels, data sets that load batch by batch, the progress bar."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from . import config
from .data import unpack
from .identifiers import custom_object_scope, get_custom_objects, register_keras_serializable
from .naming import reset_names
from .progress import Progbar

__all__ = [
    "Progbar", "PyDataset", "Sequence", "clear_session", "custom_object_scope", "get_custom_objects", "normalize",
    "pack_x_y_sample_weight", "register_keras_serializable", "set_random_seed", "to_categorical",
    "unpack_x_y_sample_weight",
]  # fmt: skip


def set_random_seed(seed: int) -> None:
    """Seed Python's `random`, NumPy, and everything random in this package.

    Two runs that build and train the same network after it give the same bits, for any number of threads.

    Parameters
    ----------
    seed : int
        From 0 to 2**32 - 1, as NumPy wants it.

    Raises
    ------
    ValueError
        For anything else.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise ValueError(f"[set_random_seed] expected an integer from 0 to 2**32 - 1, received {seed!r}.")
    random.seed(int(seed))
    np.random.seed(int(seed))  # noqa: NPY002 - users draw from the global generator
    config.set_seed(int(seed))


def clear_session(free_memory: bool = True) -> None:
    """Start the numbers in names of layers and models again.

    Parameters
    ----------
    free_memory : bool
        Has no effect: a model's memory is freed with the model.
    """
    reset_names()


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """One-hot vectors of class numbers.

    Parameters
    ----------
    x : array_like of whole numbers
        An axis of size 1 at the end is dropped.
    num_classes : int, optional
        The largest number plus 1 unless told.

    Returns
    -------
    ndarray of float64, shape ``(*x.shape, num_classes)``

    Raises
    ------
    ValueError
        If a number is negative, not whole, or not below `num_classes`.

    Examples
    --------
    >>> to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    numbers = np.asarray(x)
    if numbers.dtype.kind not in "iubf" or numbers.size == 0 or not np.all(numbers == np.floor(numbers)):
        raise ValueError(
            f"[to_categorical] expected whole class numbers, received shape {numbers.shape}, dtype {numbers.dtype}."
        )
    if numbers.ndim > 1 and numbers.shape[-1] == 1:
        numbers = numbers[..., 0]
    labels = numbers.astype(np.int64)
    low, high = int(labels.min()), int(labels.max())
    classes = high + 1 if num_classes is None else int(num_classes)
    if low < 0 or high >= classes:
        raise ValueError(
            f"[to_categorical] expected class numbers in [0, {classes}), received {low if low < 0 else high}."
        )
    one_hot = np.zeros((labels.size, classes))
    one_hot[np.arange(labels.size), labels.reshape(-1)] = 1
    return one_hot.reshape(*labels.shape, classes)


def normalize(x: Any, axis: int = -1, order: int | float = 2) -> np.ndarray:
    """Divide by the norm along an axis; a norm of 0 counts as 1.

    Parameters
    ----------
    x : array_like
    axis : int
    order : number
        Of the norm, as `numpy.linalg.norm` takes it.

    Examples
    --------
    >>> normalize([[3.0, 4.0]])
    array([[0.6, 0.8]])
    """
    x = np.asarray(x)
    norm = np.linalg.norm(x, order, axis, keepdims=True)
    return x / np.where(norm == 0, 1, norm)


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """x, y and sample weights, None where they are not there, of what a model's own `train_step` is given.

    Raises
    ------
    ValueError
        For a tuple of another length than 1 to 3.

    Examples
    --------
    >>> unpack_x_y_sample_weight(("x", "y"))
    ('x', 'y', None)
    """
    return unpack(data)


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """The same the other way: x, (x, y) or (x, y, sample_weight).

    Examples
    --------
    >>> pack_x_y_sample_weight("x", "y")
    ('x', 'y')
    """
    if sample_weight is not None:
        return x, y, sample_weight
    if y is not None:
        return x, y
    return (x,) if isinstance(x, (tuple, list)) else x


class PyDataset:
    """Base class of data that is loaded batch by batch.

    A subclass implements `__len__`, the number of batches, and `__getitem__(i)`, which returns batch i as `(x, y)` or
    `(x, y, sample_weight)`; and, if it likes, `on_epoch_begin` and `on_epoch_end`.

    Parameters
    ----------
    workers : int
        Kept for subclasses written for Keras; batches are loaded one after the other, in the calling thread.
    use_multiprocessing : bool
        The same.
    max_queue_size : int
        The same.

    Examples
    --------
    >>> class Halves(PyDataset):
    ...     def __init__(self, x, y, **kwargs):
    ...         super().__init__(**kwargs)
    ...         self.x, self.y, self.half = x, y, len(x) // 2
    ...     def __len__(self):
    ...         return 2
    ...     def __getitem__(self, i):
    ...         rows = slice(i * self.half, (i + 1) * self.half)
    ...         return self.x[rows], self.y[rows]
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must override `__getitem__`.")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must override `__len__`.")

    @property
    def num_batches(self) -> int:
        """The number of batches."""
        return len(self)

    def on_epoch_begin(self) -> None:
        """Called at the start of every epoch."""

    def on_epoch_end(self) -> None:
        """Called at the end of every epoch."""


Sequence = PyDataset
