"""Devices: where models compute. `keras.device` is the context manager of the same name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from . import _core


def devices() -> list[str]:
    """The devices of this machine that this build has kernels for: "cpu", and "cuda" where there is an NVIDIA GPU.

    "cuda_tf32" and "cuda_bf16" are the same GPU with the products of dense layers on its tensor cores: float32 weights
    and sums, factors rounded to 11 or 8 binary digits. float64 is not rounded.

    Examples
    --------
    >>> devices()[0]
    'cpu'
    """
    return _core.devices()


def get_device() -> str:
    """The device of models that have not computed anything yet."""
    return _core.device()


def set_device(name: str) -> None:
    """Choose the device of models that have not computed anything yet; a model stays where it began.

    Parameters
    ----------
    name : str
        One of `devices()`.

    Raises
    ------
    DeviceError
        If there is no such device, or the build has no kernels for it. Nothing falls back to the processor.

    Examples
    --------
    >>> set_device("cpu"); get_device()
    'cpu'
    """
    if not isinstance(name, str):
        raise TypeError(f"[set_device] expected a name such as 'cpu' or 'cuda', received {type(name).__name__}.")
    _core.set_device(name)


@contextmanager
def device(name: str) -> Iterator[None]:
    """Inside, models begin on this device.

    Parameters
    ----------
    name : str
        As for `set_device`.

    Examples
    --------
    >>> with device("cpu"):
    ...     get_device()
    'cpu'
    """
    before = _core.device()
    _core.set_device(name)
    try:
        yield
    finally:
        _core.set_device(before)
