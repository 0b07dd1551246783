"""Where data sets are kept, and how they get there."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..home import home
from ..saving.atomic import atomic_path

STORAGE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_TIMEOUT = 30.0  # seconds without a byte
_CHUNK = 1 << 18


def folder() -> Path:
    """``$HOTLOOP_HOME/datasets``; ``~/.hotloop/datasets`` when the variable is not set."""
    return home() / "datasets"


def _download(url: str, sha256: str, target: Path) -> None:
    import hashlib
    import urllib.request

    from tqdm import tqdm

    digest = hashlib.sha256()
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as response, atomic_path(target) as scratch:
        total = response.headers.get("Content-Length")
        bar = tqdm(total=int(total) if total else None, unit="B", unit_scale=True, desc=target.name, disable=None)
        with open(scratch, "wb") as stream, bar:
            while chunk := response.read(_CHUNK):
                digest.update(chunk)
                stream.write(chunk)
                bar.update(len(chunk))
        if digest.hexdigest() != sha256:
            raise OSError(f"SHA-256 {digest.hexdigest()} where {sha256} was expected")


def fetch(path: str | os.PathLike[str], url: str, sha256: str) -> Path:
    """The file at `path` (relative to `folder()`), downloaded from `url` if it is not there yet.

    A download is checked against `sha256` and takes its name only when it is complete and right.

    Raises
    ------
    ConnectionError
        If the file is not there and cannot be downloaded; the message names the path and the address.
    """
    target = folder() / path
    if target.exists():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _download(url, sha256, target)
    except OSError as error:
        reason = getattr(error, "reason", None) or error
        raise ConnectionError(
            f"[datasets] expected the file '{target}', or a network to download {url}; received: {reason}. "
            f"Put the file there, or set HOTLOOP_HOME to a folder whose 'datasets' holds it."
        ) from error
    return target


def read_npz(path: Path, names: tuple[str, ...]) -> list[np.ndarray]:
    """The named arrays of an .npz file; never unpickles.

    Raises
    ------
    ValueError
        If the file is damaged or lacks an array.
    """
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return [arrays[name] for name in names]
    except Exception as error:  # zipfile, zlib, numpy and struct all raise kinds of their own
        raise ValueError(
            f"[datasets] expected the arrays {', '.join(names)} in '{path}', received: {error}. "
            f"Remove the file; it is downloaded again."
        ) from error
