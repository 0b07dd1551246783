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
from .tree import flatten, map_structure

__all__ = [
    "Progbar", "PyDataset", "Sequence", "clear_session", "custom_object_scope", "get_custom_objects", "normalize",
    "pack_x_y_sample_weight", "pad_sequences", "register_keras_serializable", "set_random_seed", "split_dataset",
    "to_categorical", "unpack_x_y_sample_weight",
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


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Sequences of several lengths as one array.

    Parameters
    ----------
    sequences : sequence of sequences
        Of numbers, or of arrays of one shape; of strings with ``dtype=object``.
    maxlen : int, optional
        The length they get; that of the longest unless told.
    dtype : dtype
    padding, truncating : {"pre", "post"}
        Whether short ones get `value` at their beginning or end, and long ones lose elements there.
    value : number or str

    Returns
    -------
    ndarray, shape ``(len(sequences), maxlen, ..)``

    Examples
    --------
    >>> pad_sequences([[1], [2, 3, 4, 5]], maxlen=3)
    array([[0, 0, 1],
           [3, 4, 5]], dtype=int32)
    """
    for name, choice in (("padding", padding), ("truncating", truncating)):
        if choice not in ("pre", "post"):
            raise ValueError(f"[pad_sequences] expected {name} to be 'pre' or 'post', received {choice!r}.")
    if isinstance(value, str) and np.dtype(dtype).kind not in "OSU":
        raise ValueError(f"[pad_sequences] expected dtype=object for the value {value!r}, received {dtype!r}.")
    if not hasattr(sequences, "__len__") or not all(hasattr(one, "__len__") for one in sequences):
        raise ValueError("[pad_sequences] expected a list of lists or arrays, received elements without a length.")
    shape = next((np.shape(one)[1:] for one in sequences if len(one)), ())
    size = max((len(one) for one in sequences), default=0) if maxlen is None else int(maxlen)
    result = np.full((len(sequences), size, *shape), value, dtype)
    for row, one in zip(result, sequences, strict=True):
        kept = np.asarray(one[max(0, len(one) - size) :] if truncating == "pre" else one[:size], dtype)
        if len(kept) and kept.shape[1:] != shape:
            raise ValueError(f"[pad_sequences] expected elements of shape {shape}, received {kept.shape[1:]}.")
        if len(kept):
            row[slice(len(kept)) if padding == "post" else slice(size - len(kept), None)] = kept
    return result


def split_dataset(
    dataset: Any,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Any, Any]:
    """The first and the last rows of arrays, such as those to train and those to test with.

    Parameters
    ----------
    dataset : array, or tuple, list or dict of arrays
        With as many rows each.
    left_size, right_size : float or int, optional
        A share of the rows in (0, 1), or how many. All others unless told; one of the two is.
    shuffle : bool
        Mix the rows first, those of all arrays alike.
    seed : int, optional
        Of that order.
    preferred_backend : None
        Kept for programs written for Keras.

    Returns
    -------
    two of what `dataset` is
        Keras makes data sets of TensorFlow or PyTorch instead. Without `shuffle` they are views of the arrays.

    Examples
    --------
    >>> (x, y), (x_test, y_test) = split_dataset((np.zeros((10, 3)), np.arange(10)), left_size=0.8)
    >>> x.shape, y_test
    ((8, 3), array([8, 9]))
    """
    arrays = [np.asarray(leaf) for leaf in flatten(dataset)]
    rows = {array.shape[0] if array.ndim else None for array in arrays}
    if len(rows) != 1 or None in rows or any(array.dtype == object for array in arrays):
        raise TypeError(
            "[split_dataset] expected an array, or a tuple, list or dict of arrays with as many rows, received "
            f"{type(dataset).__name__} with {sorted(map(str, rows))} rows."
        )
    n: int = arrays[0].shape[0]
    if left_size is None and right_size is None:
        raise ValueError("[split_dataset] expected left_size, right_size or both, received neither.")
    left, right = (_rows_of(name, size, n) for name, size in (("left_size", left_size), ("right_size", right_size)))
    left, right = n - (right or 0) if left is None else left, n - (left or 0) if right is None else right
    if left + right > n or min(left, right) < 1:
        raise ValueError(
            f"[split_dataset] expected at least one and together at most {n} rows, received {left} and {right}."
        )
    order = np.random.default_rng(seed).permutation(n) if shuffle else None

    def part(first: int, count: int) -> Any:
        taken = slice(first, first + count) if order is None else order[first : first + count]
        return map_structure(lambda leaf: np.asarray(leaf)[taken], dataset)

    return part(0, left), part(n - right, right)


def _rows_of(name: str, size: Any, n: int) -> int | None:
    """A share or a number of n rows as a number."""
    if size is None:
        return None
    if isinstance(size, bool) or not isinstance(size, (int, float, np.integer, np.floating)):
        raise TypeError(f"[split_dataset] expected {name} to be a number, received {size!r}.")
    whole = isinstance(size, (int, np.integer))
    if not 0 < size < (n if whole else 1):
        raise ValueError(
            f"[split_dataset] expected {name} between 0 and 1, or a whole number from 1 to {n - 1}, received {size}."
        )
    return int(size) if whole else round(size * n)


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
    `(x, y, sample_weight)`; and, if it likes, `on_epoch_begin` and `on_epoch_end`, and `on_pass_begin(n)`, which is
    told how many passes over data the model has begun before, also by training that is resumed.

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
