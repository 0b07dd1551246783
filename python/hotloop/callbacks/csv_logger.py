"""CSVLogger: every epoch's logs as a line of a file."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping
from typing import IO, Any

from .callback import Callback


class CSVLogger(Callback):
    """Writes every epoch's logs as a line of a CSV file.

    Parameters
    ----------
    filename : str
    separator : str
    append : bool
        Whether lines are added to a file that is there.

    Notes
    -----
    The columns are "epoch" (from 0) and the keys of the first epoch, sorted; if none of them begins with ``val_``,
    those of a validation follow. Numbers that are missing are written as NA. Every line reaches the file at once.

    Examples
    --------
    >>> log = CSVLogger("training.csv")
    """

    writes = True

    def __init__(self, filename: Any, separator: str = ",", append: bool = False) -> None:
        if not isinstance(separator, str) or len(separator) != 1:
            raise ValueError(f"[CSVLogger] expected separator to be one character, received {separator!r}.")
        self.filename, self.separator, self.append = os.fspath(filename), separator, append
        self._file: IO[str] | None = None
        self._columns: list[str] | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        self._close()
        self._columns = None
        there = self.append and os.path.exists(self.filename) and os.path.getsize(self.filename) > 0
        self._header = not there
        self._mode = "a" if self.append else "w"

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = logs or {}
        if self._file is None:
            self._file = open(self.filename, self._mode, newline="", encoding="utf-8")  # noqa: SIM115
        writer = csv.writer(self._file, delimiter=self.separator, lineterminator="\n")
        if self._columns is None:
            self._columns = sorted(logs)
            if not any(key.startswith("val_") for key in self._columns):
                self._columns += [f"val_{key}" for key in self._columns]
            if self._header:
                writer.writerow(["epoch", *self._columns])
        writer.writerow([epoch, *(_cell(logs.get(key, "NA")) for key in self._columns)])
        self._file.flush()

    def on_train_end(self, logs: Any = None) -> None:
        self._close()

    def get_state(self) -> dict[str, Any]:
        return {"columns": self._columns, "bytes": None if self._file is None else self._file.tell()}

    def set_state(self, state: Mapping[str, Any]) -> None:
        at = state["bytes"]
        if at is not None and os.path.exists(self.filename) and os.path.getsize(self.filename) >= at:
            os.truncate(self.filename, at)  # lines of epochs that are to be trained again
            self._columns, self._mode = state["columns"], "a"

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}


def _cell(value: Any) -> Any:
    listed = isinstance(value, Iterable) and not isinstance(value, str) and getattr(value, "ndim", 1) > 0
    return f"[{', '.join(str(item) for item in value)}]" if listed else value
