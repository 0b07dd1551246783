"""Files that are either the old one or the new one, never half of one."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

_serial = itertools.count()


def sync_directory(folder: Path) -> None:
    if os.name == "nt":  # a directory cannot be opened there, and needs no flush
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_folder(path: str | os.PathLike[str], where: str) -> None:
    """Refuse a file in a folder that does not exist."""
    target = Path(os.fsdecode(path))
    if not target.resolve().parent.is_dir():
        raise FileNotFoundError(
            f"[{where} '{target}'] expected the folder '{target.parent}' to exist, received none. Make it first."
        )


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A new, empty file beside `path` to write into; it takes `path`'s place when the block ends well.

    A crash, a full disk or an exception leaves the old file as it was. The bytes reach the disk before the name does.

    Raises
    ------
    OSError
        If the folder is missing or not writable, or the disk refuses.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_path(f"{folder}/numbers.txt") as scratch:
    ...         n = scratch.write_text("1 2 3")
    ...     Path(f"{folder}/numbers.txt").read_text()
    '1 2 3'
    """
    if os.fspath(path) in ("", b""):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    target = Path(os.fsdecode(os.path.realpath(path)))
    check_folder(path, "write")
    scratch = target.with_name(f".{os.getpid()}.{next(_serial)}.tmp")  # short: names have limits
    with open(os.open(scratch, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666), "wb") as stream:
        mode = os.fstat(stream.fileno()).st_mode
    try:
        yield scratch
        os.chmod(scratch, mode)  # a library that wrote it may have put a private file in its place
        with open(scratch, "rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(scratch, target)
    except BaseException:
        with contextlib.suppress(OSError):
            scratch.unlink()
        raise
    sync_directory(target.parent)
