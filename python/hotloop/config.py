"""Settings of the whole process: the default float type, epsilon, threads, and the stream that seeds come from."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from .locks import add_locks

if TYPE_CHECKING:
    import threading

_FLOATS = ("float32", "float64")
_FORMATS = ("channels_last", "channels_first")
_MASK = 2**64 - 1

_settings: dict[str, Any] = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last"}


def floatx() -> str:
    """The float type of new layers and of losses and metrics on arrays: "float32" or "float64"."""
    return _settings["floatx"]


def set_floatx(value: str) -> None:
    """Set the default float type.

    Parameters
    ----------
    value : {"float32", "float64"}

    Raises
    ------
    ValueError
        For any other type: the engine has kernels for these two.

    Examples
    --------
    >>> set_floatx("float64"); floatx()
    'float64'
    >>> set_floatx("float32")
    """
    if value not in _FLOATS:
        raise ValueError(f"[set_floatx] expected 'float32' or 'float64', received {value!r}.")
    _settings["floatx"] = value


def epsilon() -> float:
    """The small number of `Adam(epsilon=None)`; 1e-7 unless set."""
    return _settings["epsilon"]


def set_epsilon(value: float) -> None:
    """Set the small number. Losses on probabilities always clip at 1e-7.

    Raises
    ------
    ValueError
        If it is negative or not finite.
    """
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"[set_epsilon] expected a finite number of at least 0, received {value!r}.")
    _settings["epsilon"] = float(value)


def image_data_format() -> str:
    """Where images hold their channels: "channels_last" or "channels_first"."""
    return _settings["image_data_format"]


def set_image_data_format(data_format: str) -> None:
    """Set where images hold their channels."""
    if data_format not in _FORMATS:
        raise ValueError(
            f"[set_image_data_format] expected 'channels_last' or 'channels_first', received {data_format!r}."
        )
    _settings["image_data_format"] = data_format


def num_threads() -> int:
    """The most threads that training and predicting may use now.

    What `set_num_threads` asked for, else the environment variable HOTLOOP_NUM_THREADS, else the least of the cores
    that this process may use, the quota of its cgroup, and OpenMP's limit (OMP_NUM_THREADS, threadpoolctl).
    """
    return _core.threads()


def set_num_threads(n_threads: int | None) -> None:
    """Set the number of threads that networks train and predict with. Results do not depend on it, only the time.

    Parameters
    ----------
    n_threads : int or None
        From 1 to 4096; it holds from the next batches on. Networks too small for two threads still use one. None takes
        the wish back: then the times of the batches decide, up to the machine's own limits.

    Raises
    ------
    ValueError
        For another number.
    TypeError
        For anything else.

    Examples
    --------
    >>> set_num_threads(1); num_threads()
    1
    >>> set_num_threads(None)
    """
    if n_threads is not None and (isinstance(n_threads, bool) or not isinstance(n_threads, (int, np.integer))):
        raise TypeError(f"[set_num_threads] expected an integer or None, received {n_threads!r}.")
    _core.set_threads(n_threads)


def _mix(z: int) -> int:
    """The output function of splitmix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


class _SeedStream:
    """Numbers that seeds are taken from, one after the other."""

    _lock: threading.RLock

    def __init__(self) -> None:
        add_locks(self, "_lock")
        self._state: int | None = None

    def restart(self, seed: int) -> None:
        with self._lock:
            self._state = _mix(seed & _MASK)

    def next(self) -> int:
        with self._lock:
            if self._state is None:
                self._state = int.from_bytes(os.urandom(8), "little")
            self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
            return _mix(self._state) >> 1


_seeds = _SeedStream()


def set_seed(seed: int) -> None:
    """Restart the stream of seeds; `utils.set_random_seed` is what users call."""
    _seeds.restart(seed)


def next_seed() -> int:
    """A seed below 2**63 for something random that was given none.

    Without `utils.set_random_seed` the stream starts from the operating system's entropy.
    """
    return _seeds.next()
