"""Where batches come from: arrays in memory (or mapped into it), and things that make them one by one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _core
from .arrays import is_arrays, is_readable
from .columns import rows_in
from .program import Columns, Program

_PART_ROWS = 4096  # of a data set that has to be copied
_END = object()  # of a stream


@dataclass(frozen=True, eq=False)
class Chunk:
    """Consecutive batches of one data set, which the engine runs without coming back to Python.

    Attributes
    ----------
    dataset : _core.Dataset
    first, count : int
        Batches first .. first + count - 1.
    batch_size : int
    n_rows : int
        Rows of the pass; batch j holds rows j * batch_size .. of it.
    index : _core.RowIndex or None
        Row i of the pass is this row of the data set.
    order : ndarray or None
        The same as an array.
    """

    dataset: Any
    first: int
    count: int
    batch_size: int
    n_rows: int
    index: Any = None
    order: Any = None

    def rows(self, batches: int) -> int:
        """Rows in the first `batches` of them."""
        return min((self.first + batches) * self.batch_size, self.n_rows) - self.first * self.batch_size

    def batches(self, rows: int) -> int:
        """How many of the batches hold the first `rows` rows."""
        return -(-rows // self.batch_size)


class ArraySource:
    """Checked columns, cut into batches.

    Parameters
    ----------
    columns : Columns
    batch_size : int
    shuffle : bool or "batch"
        A new order of the rows in every pass; "batch" only within each batch.
    seed : int
    passes : int
        Passes over data that the model has begun before; the order is a function of (seed, passes).
    """

    def __init__(
        self, columns: Columns, batch_size: int, shuffle: bool | str = False, seed: int = 0, passes: int = 0
    ) -> None:
        self.columns, self.shuffle, self.seed, self.passes = columns, shuffle, seed, passes
        self.whole = columns  # with the model's inputs, where `columns` start from outputs of its frozen layers
        self.n = rows_in(columns)
        self.batch_size = min(batch_size, self.n)
        self.steps: int | None = -(-self.n // batch_size)
        self._next = 0  # batch of the present pass
        self.mark()
        self._order: np.ndarray | None = None  # of the rows in the present pass
        self._index: Any = None  # the same, checked
        self._bound: tuple[Program, Columns, Any] | None = None
        self.in_parts = not all(is_readable(array) for array in columns.values())

    def has_more(self) -> bool:
        """Whether another epoch can begin."""
        return True

    def rewind(self) -> None:
        """The next batch is the first of a pass."""
        self._next = 0

    def mark(self) -> None:
        """An epoch begins."""
        self.begun = self._next  # batch of the pass, and the passes whose last batch was run before
        self._ended = self.passes - (self.begun > 0)

    def position(self, done: int) -> tuple[int, int]:
        """Passes begun, and batches of the last one, after `done` batches of the epoch."""
        ended, batch = divmod(self.begun + done, self.steps or 1)
        return self._ended + ended + (batch > 0), batch

    def seek(self, seed: int, passes: int, batch: int, begun: int, done: int) -> None:
        """Go on at this batch of the last of these passes, `done` after batch `begun` of another one."""
        self.seed, self.passes, self.begun = seed, passes, begun
        self._ended = passes - (batch > 0) - (begun + done) // (self.steps or 1)
        if batch:
            self.passes -= 1
            self._begin_pass()
        self._next = batch

    def prepare(self, program: Program, where: str) -> Any:
        """Check the columns against the program, before anything runs; once, as long as both are the same."""
        if self._bound is None or self._bound[0] is not program or self._bound[1] is not self.columns:
            if self.in_parts:
                for start in range(0, self.n, _PART_ROWS):
                    program.bind(self._rows(slice(start, start + _PART_ROWS)), where)
            self._bound = (program, self.columns, None if self.in_parts else program.bind(self.columns, where))
        return self._bound[2]

    def chunks(self, program: Program, where: str, limit: int | None = None, done: int = 0) -> Iterator[Chunk]:
        """The batches of an epoch after the first `done`: of one pass, or the next `limit` of an endless stream."""
        dataset = self.prepare(program, where)
        steps: int = self.steps  # type: ignore[assignment]
        left = (steps if limit is None else min(limit, steps)) - done
        while left > 0:
            if self._next == 0:
                self._begin_pass()
            count = min(left, steps - self._next)
            first, self._next = self._next, (self._next + count) % steps
            left -= count
            if self.in_parts:
                yield from self._parts(first, count, program, where)
            else:
                yield Chunk(dataset, first, count, self.batch_size, self.n, self._index, self._order)
        if limit is not None and limit > steps:
            warn_exhausted(limit, steps)

    def _parts(self, first: int, count: int, program: Program, where: str) -> Iterator[Chunk]:
        """Batches of a memory map in another layout or byte order, copied some batches at a time."""
        each = max(1, _PART_ROWS // self.batch_size)
        for batch in range(first, first + count, each):
            batches = min(each, first + count - batch)
            begin, end = batch * self.batch_size, min((batch + batches) * self.batch_size, self.n)
            rows = self._rows(slice(begin, end) if self._order is None else self._order[begin:end])
            yield Chunk(program.bind(rows, where), 0, batches, self.batch_size, end - begin)

    def _rows(self, rows: Any) -> Columns:
        return {key: array[rows] for key, array in self.columns.items()}

    def _begin_pass(self) -> None:
        if self.shuffle:
            order = _core.permutation(self.n, self.seed, self.passes)
            if self.shuffle == "batch":
                order = order[np.argsort(order // self.batch_size, kind="stable")]
            self._order, self._index = order, _core.RowIndex(order)
        self.passes += 1


class StreamSource:
    """Batches from a PyDataset, a generator or another iterable.

    Parameters
    ----------
    source : PyDataset or iterable
        Items are x, (x,), (x, y) or (x, y, sample_weight).
    to_columns : callable
        Turns such an item into checked columns.
    shuffle : bool
        A new order of a PyDataset's batches in every pass.
    seed, passes : int
        As for `ArraySource`.
    """

    def __init__(
        self, source: Any, to_columns: Callable[[Any], Columns], shuffle: bool = False, seed: int = 0, passes: int = 0
    ) -> None:
        self.source, self.to_columns = source, to_columns
        self.shuffle, self.seed, self.passes = shuffle, seed, passes
        self.indexed = hasattr(source, "__getitem__") and hasattr(source, "__len__")
        self.steps: int | None = len(source) if hasattr(source, "__len__") else None
        self.restarts = not hasattr(source, "__next__")
        self._items: Iterator[Any] | None = None
        self._looked_at: list[Any] = []
        self._taken = self._given = 0  # batches of the present pass; of the present epoch
        self.begun = 0  # batches of the pass when the epoch began
        if self.steps == 0:
            raise ValueError("[data] expected a data set with at least one batch, received one of length 0.")

    def has_more(self) -> bool:
        """Whether another epoch can begin; a generator may be exhausted."""
        if not self._looked_at:
            item = next(self._stream(), _END)
            if item is _END:
                self._items = None
                return False
            self._looked_at.append(item)
        return True

    def peek(self) -> Columns:
        """The first batch, which stays in line."""
        if not self.has_more():
            raise ValueError("[data] expected at least one batch, received none.")
        return self.to_columns(self._looked_at[0])

    def rewind(self) -> None:
        """The next batch is the first of a pass, where the source can start again."""
        if self.restarts:
            self._items, self._looked_at, self._taken = None, [], 0

    def mark(self) -> None:
        """An epoch begins."""
        self.begun, self._given = self._taken, 0

    def position(self, done: int) -> tuple[int, int]:
        """Passes of which batches were run, and batches of the last one, after `done` batches of the epoch."""
        batch = self._taken - (self._given - done)
        return self.passes - (batch == 0 and self._items is not None), batch

    def seek(self, seed: int, passes: int, batch: int, begun: int, done: int) -> None:
        """Go on at this batch of the last of these passes; the ones before it are read again."""
        self.seed, self.passes, self._items, self._looked_at = seed, passes, None, []
        self._taken, self._given, self.begun = batch, done, begun
        if batch:
            self.passes -= 1
            for _ in range(batch):
                next(self._stream(), _END)

    def prepare(self, program: Program, where: str) -> None:
        """Check the first batch against the program, before anything runs."""
        program.bind(self.peek(), where)

    def chunks(self, program: Program, where: str, limit: int | None = None, done: int = 0) -> Iterator[Chunk]:
        """One batch at a time: a pass, or the next `limit` batches of an endless stream, after the first `done`."""
        for columns in self.batches(limit, done):
            n = rows_in(columns)
            yield Chunk(program.bind(columns, where), 0, 1, n, n)

    def batches(self, limit: int | None = None, done: int = 0) -> Iterator[Columns]:
        """The same batches as columns."""
        while limit is None or done < limit:
            item = self._looked_at.pop() if self._looked_at else next(self._stream(), _END)
            if item is not _END:
                done += 1
                self._taken, self._given = self._taken + 1, done
                yield self.to_columns(item)
                continue
            empty, self._items, self._taken = self._taken == 0, None, 0
            if limit is None or not self.restarts or empty:
                break
        if limit is not None and done < limit:
            warn_exhausted(limit, done)

    def _stream(self) -> Iterator[Any]:
        if self._items is None:
            self._items = self._pass()
        return self._items

    def _pass(self) -> Iterator[Any]:
        order: Any = range(self.steps or 0)
        self.passes += 1
        if not self.indexed:
            yield from self.source
            return
        _call_if_there(self.source, "on_pass_begin", self.passes - 1)
        _call_if_there(self.source, "on_epoch_begin")
        if self.shuffle:
            order = _core.permutation(len(order), self.seed, self.passes - 1).tolist()
        for i in order:
            yield self.source[i]
        _call_if_there(self.source, "on_epoch_end")


def is_stream(x: Any) -> bool:
    """Whether `x` makes its batches one by one."""
    return not is_arrays(x)


def unpack(item: Any) -> tuple[Any, Any, Any]:
    """x, y and sample weights of a stream's item."""
    if item is None:
        raise ValueError("[data] expected batches of x, (x, y) or (x, y, sample_weight), received None.")
    if not isinstance(item, tuple):
        return item, None, None
    if not 1 <= len(item) <= 3:
        raise ValueError(
            f"[data] expected batches of x, (x, y) or (x, y, sample_weight), received a tuple of {len(item)}."
        )
    return (*item, None, None)[:3]


def split(columns: Columns, share: Any, where: str) -> tuple[Columns, Columns]:
    """The first rows, and the last `share` of them for validation."""
    n = rows_in(columns)
    at = int(np.floor(n * (1.0 - share)))
    if not 0 < at < n:
        raise ValueError(
            f"[{where}] expected validation_split to leave rows on both sides, received {share} for {n} rows. "
            "Pass validation_data instead."
        )
    return {k: a[:at] for k, a in columns.items()}, {k: a[at:] for k, a in columns.items()}


def batch_size_of(batch_size: Any, n: int, steps: int | None, where: str, what: str = "batch_size") -> int:
    """32 unless told, or what makes `steps` batches of n rows."""
    if batch_size is None:
        return 32 if steps is None else max(1, -(-n // steps))
    return positive(batch_size, where, what)


def positive(value: Any, where: str, what: str, least: int = 1) -> int:
    """Refuse anything but an integer of at least 1 (or `least`)."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"[{where}] expected {what} to be an integer of at least {least}, received {value!r}.")
    return int(value)


def warn_exhausted(wanted: int, found: int) -> None:
    """Fewer batches came than were asked for."""
    warnings.warn(
        f"[data] ran out of data after {found} of {wanted} batches. Check steps_per_epoch, or let the generator go on.",
        RuntimeWarning,
        stacklevel=2,
    )


def warn_ended(epoch: int, epochs: int) -> None:
    """A source that cannot start again ended with an epoch (from 0), before the last one."""
    warnings.warn(
        f"[fit] expected data for {epochs} epochs, received a generator that ended after {epoch}; training stops "
        "here. Pass a PyDataset or a list of batches, which can start again, or let the generator go on and set "
        "steps_per_epoch.",
        RuntimeWarning,
        stacklevel=2,
    )


def _call_if_there(source: Any, method: str, *args: Any) -> None:
    function = getattr(source, method, None)
    if callable(function):
        function(*args)
