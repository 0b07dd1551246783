"""Measures what the machine can do at best: FMA peak, and bandwidth of every level of the memory.

    python -m benchmarks.roofline [--seconds 0.5] [--json FILE]

A few lines of C++ (``roofline.cpp``) are compiled with the system's compiler, for one core and for all of them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import machine, native

SOURCE = Path(__file__).with_name("roofline.cpp")


@dataclass(frozen=True)
class Roofline:
    """Best rates of `threads` threads together.

    Attributes
    ----------
    gflops : float
        float32 multiply-adds, two operations each, in 10^9 a second.
    read, update : dict of str to float
        10^9 bytes a second by level, "L1" to "DRAM"; an update reads and writes, and both count.
    sizes : dict of str to int
        Bytes each level holds, for all the threads; "DRAM" holds the rest.
    """

    threads: int
    gflops: float
    read: dict[str, float]
    update: dict[str, float]
    sizes: dict[str, int]

    def level(self, working_set: float) -> str:
        """The level that holds `working_set` bytes."""
        return next((name for name, size in self.sizes.items() if working_set <= size), "DRAM")

    def seconds(self, flops: float, bytes_read: float, bytes_updated: float, working_set: float) -> float:
        """Least time of work that does `flops` and moves those bytes at the level that holds `working_set` bytes."""
        level = self.level(working_set)
        moved = bytes_read / self.read[level] + bytes_updated / self.update[level]
        return max(flops / self.gflops, moved) / 1e9


def _rate(seconds: float, threads: int, *what: object) -> float:
    command = [
        str(native.program(SOURCE, "-O3", "-march=native", "-pthread")),
        str(seconds),
        str(threads),
        *map(str, what),
    ]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(threads: int | None = None, seconds: float = 0.3) -> Roofline:
    """Measure `threads` threads (all cores by default), `seconds` for each of nine numbers."""
    threads = threads or machine.cores()
    caches = machine.caches()
    last = max(caches)
    # Half a cache, so that everything stays in it; a shared last level is divided among the threads.
    spans = {f"L{n}": size // 2 // (threads if n == last and n > 2 else 1) for n, size in sorted(caches.items())}
    spans["DRAM"] = 4 * caches[last]
    sizes = {f"L{n}": size * (1 if n == last and n > 2 else threads) for n, size in sorted(caches.items())}
    return Roofline(
        threads=threads,
        gflops=_rate(seconds, threads, "flops"),
        read={level: _rate(seconds, threads, "read", span) for level, span in spans.items()},
        update={level: _rate(seconds, threads, "update", span) for level, span in spans.items()},
        sizes=sizes,
    )


def table(rooflines: list[Roofline]) -> str:
    """The results as text, one line a number, one column a thread count."""
    head = f"{'':14}" + "".join(f"{f'{r.threads} thread(s)':>14}" for r in rooflines)
    lines = [head, f"{'FMA GFLOP/s':14}" + "".join(f"{r.gflops:14.1f}" for r in rooflines)]
    for kind in ("read", "update"):
        for level in rooflines[0].read:
            rates = "".join(f"{getattr(r, kind)[level]:14.1f}" for r in rooflines)
            lines.append(f"{f'{level} {kind} GB/s':14}" + rates)
    return "\n".join(lines)


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.roofline", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="for each number (default 0.5)")
    parser.add_argument("--json", type=Path, help="write the numbers and the machine's description here")
    options = parser.parse_args()
    counts = sorted({1, machine.cores()})
    rooflines = [measure(count, options.seconds) for count in counts]
    print(table(rooflines))
    if options.json:
        result = {"machine": machine.describe(), "rooflines": [asdict(r) for r in rooflines]}
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
