"""The progress bar, in Keras's wording, and the one place that prints to the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

_PLAIN = str.maketrans("━└─│┏┳┓┃┡╇┩├┼┤┴┘", "=`-|+++|++++++++")
_BOLD, _GREEN, _WHITE, _OFF = "\x1b[1m", "\x1b[32m", "\x1b[37m", "\x1b[0m"


def is_interactive() -> bool:
    """Whether someone watches standard output: a terminal or a notebook."""
    isatty = getattr(sys.stdout, "isatty", None)
    return bool(isatty and isatty()) or "ipykernel" in sys.modules


def say(text: str) -> None:
    """Write to standard output; lines are drawn in ASCII where it has no other characters."""
    stream = sys.stdout
    if stream is None:
        return
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.translate(_PLAIN).encode(encoding, "replace").decode(encoding))
    stream.flush()


def resolve_verbose(verbose: Any) -> int:
    """0, 1 or 2; "auto" is 1 where someone watches and 0 elsewhere.

    Raises
    ------
    ValueError
        For anything else.
    """
    if isinstance(verbose, str) and verbose == "auto":
        return int(is_interactive())
    if isinstance(verbose, (bool, int)) and verbose in (0, 1, 2):
        return int(verbose)
    raise ValueError(f"[verbose] expected 'auto', 0, 1 or 2, received {verbose!r}.")


class Progbar:
    """A progress bar.

    Parameters
    ----------
    target : int or None
        Steps expected; None if unknown.
    width : int
        Of the bar, in characters.
    verbose : int
        0 silent, 1 a bar, 2 one line at the end.
    interval : float
        Seconds between two looks of the bar, at least.
    stateful_metrics, stateless_metrics : iterable of str, optional
        Values shown as they are, or averaged over the steps; one of the two. All are averaged unless told.
    unit_name : str

    Notes
    -----
    Where nobody watches (a file, a pipe), only the line at the end is written.

    Examples
    --------
    >>> bar = Progbar(2, verbose=0)
    >>> bar.add(1, [("loss", 0.5)]); bar.add(1, [("loss", 0.25)])
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError("[Progbar] expected stateful_metrics or stateless_metrics, received both.")
        self.target, self.width, self.verbose = target, width, verbose
        self.interval, self.unit_name = interval, unit_name
        self._shown_as_is = set(stateful_metrics or ())
        self._averaged = None if stateless_metrics is None else set(stateless_metrics)
        self._values: dict[str, tuple[Any, float]] = {}  # name -> (sum, steps)
        self._seen = 0
        self._dynamic = is_interactive()
        self._start = time.monotonic()
        self._after_first: float | None = None
        self._last_look = -float("inf")
        self._last_width = 0

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """`n` more steps are done."""
        self.update(self._seen + n, values)

    def update(
        self, current: int, values: Iterable[tuple[str, Any]] | None = None, finalize: bool | None = None
    ) -> None:
        """`current` steps are done.

        Parameters
        ----------
        current : int
        values : iterable of (name, value), optional
        finalize : bool, optional
            Whether this is the end; when the target is reached unless told.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        for name, value in values or ():
            self._take(name, value, max(current - self._seen, 1), finalize)
        self._seen = current
        now = time.monotonic()
        per_step = self._step_time(current, now)
        if self.verbose == 1:
            self._draw(current, now, per_step, finalize)
        elif self.verbose == 2 and finalize and self.target:
            say(f"{self._count(current)} - {now - self._start:.0f}s -{self._speed(per_step)}{self._numbers()}\n")

    def _take(self, name: str, value: Any, steps: int, finalize: bool) -> None:
        averaged = name in self._averaged if self._averaged is not None else name not in self._shown_as_is
        total, count = self._values.get(name, (0.0, 0))
        if averaged and not finalize:
            self._values[name] = (total + value * steps, count + steps)
        else:
            self._values[name] = (value, 1)

    def _step_time(self, current: int, now: float) -> float:
        """Seconds a step takes; the first one, which prepares everything, is left out as soon as there are more."""
        if not current:
            return 0.0
        if self._after_first is not None and current > 1:
            return (now - self._after_first) / (current - 1)
        if current == 1:
            self._after_first = now
        return (now - self._start) / current

    def _draw(self, current: int, now: float, per_step: float, finalize: bool) -> None:
        if not finalize and (not self._dynamic or now - self._last_look < self.interval):
            return
        self._last_look = now
        if self.target and not finalize:
            clock = _duration(per_step * (self.target - current))
        else:
            clock = f"{now - self._start:.0f}s"
        rest = f"{self._speed(per_step)}{self._numbers()}"
        width = len(self._count(current)) + self.width * bool(self.target) + len(clock) + len(rest) + 2
        blank = " " * max(0, self._last_width - width)
        self._last_width = width
        text = f"{self._bar(current)} {self._style(_BOLD, clock)}{rest}{blank}"
        say(("\r" if self._dynamic else "") + text + ("\n" if finalize else ""))

    def _bar(self, current: int) -> str:
        count = self._style(_BOLD, self._count(current))
        if not self.target:
            return count
        done = min(self.width, int(self.width * current / self.target))
        return f"{count} {self._style(_GREEN, '━' * done)}{self._style(_WHITE, '━' * (self.width - done))}"

    def _count(self, current: int) -> str:
        if not self.target:
            return f"{current:7d}/Unknown"
        return f"{current:{len(str(self.target))}d}/{self.target}"

    def _style(self, code: str, text: str) -> str:
        return f"{code}{text}{_OFF}" if self._dynamic and text else text

    def _speed(self, seconds: float) -> str:
        if seconds >= 1 or seconds == 0:
            return f" {seconds:.0f}s/{self.unit_name}"
        if seconds >= 1e-3:
            return f" {seconds * 1e3:.0f}ms/{self.unit_name}"
        return f" {seconds * 1e6:.0f}us/{self.unit_name}"

    def _numbers(self) -> str:
        return "".join(f" - {name}: {_number(total, count)}" for name, (total, count) in self._values.items())


def _number(total: Any, count: float) -> str:
    mean = float(np.mean(total)) / max(1, count)
    return f"{mean:.4f}" if abs(mean) > 1e-3 else f"{mean:.4e}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    if seconds > 3600:
        return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
    return f"{minutes}:{rest:02d}" if seconds > 60 else f"{rest}s"
