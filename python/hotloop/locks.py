"""Locks that a forked child never waits for."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

_holders: dict[int, tuple[weakref.ref[Any], tuple[str, ...]]] = {}  # by id: some objects have no hash


def add_locks(holder: Any, *names: str) -> None:
    """Give an object or a class re-entrant locks under these names.

    A child forked while another thread holds one would wait for it for ever, because that thread is not there: it finds
    a new lock instead.
    """
    for name in names:
        setattr(holder, name, threading.RLock())
    key = id(holder)
    _holders[key] = (weakref.ref(holder, lambda _: _holders.pop(key, None)), names)


def _replace_held_locks() -> None:
    for reference, names in list(_holders.values()):
        holder = reference()
        for name in names if holder is not None else ():
            lock = getattr(holder, name)
            if lock.acquire(blocking=False):  # free, or the forking thread's own, which lets it go as it would have
                lock.release()
            else:
                setattr(holder, name, threading.RLock())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_replace_held_locks)
