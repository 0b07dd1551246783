"""What `import hotloop` costs on top of `import numpy`, in fresh interpreters by turns.

python -m benchmarks.import_time [--rounds 21] [--modules hotloop torch]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

TIMED = "import time; t = time.perf_counter(); import {0}; print(time.perf_counter() - t)"


def milliseconds(module: str) -> float:
    """Of one import in a fresh interpreter, without its start."""
    command = [sys.executable, "-c", TIMED.format(module)]
    return 1e3 * float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.import_time", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--modules", nargs="+", default=["hotloop"], help="modules to import (default hotloop)")
    options = parser.parse_args()
    modules = ["numpy", *options.modules]
    times: dict[str, list[float]] = {name: [] for name in modules}
    for name in modules:
        milliseconds(name)  # the first import writes bytecode and reads the disk
    for _ in range(options.rounds):
        for name in modules:
            times[name].append(milliseconds(name))
    for name in modules:
        extra = [a - b for a, b in zip(times[name], times["numpy"], strict=True)]
        low, median, high = statistics.quantiles(extra, n=4, method="inclusive")
        line = f"{name:12}{statistics.median(times[name]):8.1f} ms"
        print(line + ("" if name == "numpy" else f"   {median:+.1f} ms over numpy [{low:+.1f} .. {high:+.1f}]"))


if __name__ == "__main__":
    main()
