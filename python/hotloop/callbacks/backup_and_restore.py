"""BackupAndRestore: training that was interrupted goes on by itself when it is started again."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from ..data import positive
from .callback import Callback


class BackupAndRestore(Callback):
    """Keeps the whole state of training in a folder; the same `fit`, started again, goes on from there.

    Parameters
    ----------
    backup_dir : str
        The folder; made if it is not there. Holds ``latest.safetensors``.
    save_freq : "epoch" or int
        An int counts batches, over epochs.
    double_checkpoint : bool
        Whether the state before the latest is kept too, as ``latest.bkp.safetensors``.
    delete_checkpoint : bool
        Whether the files are deleted when training has come to its end.

    Notes
    -----
    Training goes on behind the batch that the state was saved after, to the very bits of a run that was never
    interrupted; Keras starts the epoch again and forgets what other callbacks have counted. A crash while the file is
    written leaves the one before.

    Examples
    --------
    >>> backup = BackupAndRestore("backup", save_freq=100)
    """

    saves = True
    writes = True

    def __init__(
        self,
        backup_dir: Any,
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        if not os.fspath(backup_dir):
            raise ValueError("[BackupAndRestore] expected the name of a folder as backup_dir, received none.")
        self.backup_dir = os.fspath(backup_dir)
        self.double_checkpoint, self.delete_checkpoint = bool(double_checkpoint), bool(delete_checkpoint)
        self.save_freq, self._batches = save_freq, 0
        if save_freq != "epoch":
            positive(save_freq, "BackupAndRestore", "save_freq")
            self.on_train_batch_end = self._count  # type: ignore[method-assign]  # only then batches are hooked

    @property
    def path(self) -> Path:
        """The file of the latest state."""
        return Path(self.backup_dir) / "latest.safetensors"

    def on_train_begin(self, logs: Any = None) -> None:
        self._batches = 0
        if self.path.exists():
            self.model._running.resume_from = self.path

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.save_freq == "epoch":
            self._save()

    def on_train_end(self, logs: Any = None) -> None:
        if not self.delete_checkpoint:
            return
        folder = Path(self.backup_dir)
        if not folder.is_dir():
            return
        for file in (self.path, self._previous, *folder.glob(f".{self.path.name}.*.tmp")):
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # other files are in it
            folder.rmdir()

    def get_state(self) -> dict[str, Any]:
        return {"batches": self._batches}

    def set_state(self, state: Any) -> None:
        self._batches = state["batches"]

    @property
    def _previous(self) -> Path:
        return self.path.with_name("latest.bkp.safetensors")

    def _count(self, batch: int, logs: Any = None) -> None:
        self._batches += 1
        if self._batches % self.save_freq == 0:  # type: ignore[operator]
            self._save()

    def _save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.double_checkpoint and self.path.exists():
            self._previous.unlink(missing_ok=True)
            os.link(self.path, self._previous)  # the latest stays in its place until the new one takes it
        self.model.save(self.path)
