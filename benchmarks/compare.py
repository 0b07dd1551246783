"""Two result files of the same benchmark side by side.

    python -m benchmarks.compare OLD.json NEW.json

For ``benchmarks.fit`` files, hotloop's time per step relative to the same file's fastest peer, so that two noisy days
can be compared; for ``benchmarks.ops`` files, the time of each kernel. Ratios above 1 mean that NEW is faster.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

Results = dict[str, Any]


def fit_numbers(results: Results) -> dict[str, tuple[float, float, float]]:
    """By workload: median, lower and upper quartile of the ratio of the fastest peer to hotloop."""
    found = {}
    for name, workload in results["workloads"].items():
        peers = [p for key, p in workload["peers"].items() if key != "hotloop" and "ratio" in p]
        if peers:
            ratio = min(peers, key=lambda p: p["us"]["median"])["ratio"]
            found[name] = (ratio["median"], ratio["low"], ratio["high"])
    return found


def op_numbers(results: Results) -> dict[str, tuple[float, float, float]]:
    """By kernel and case: runs a second."""
    return {f"{k['kernel']} {k['case']}": (1e6 / k["us"],) * 3 for k in results["kernels"]}


def table(old: Results, new: Results) -> str:
    """One line for each thing that both files have."""
    kinds = ["kernels" if "kernels" in r else "workloads" for r in (old, new)]
    if kinds[0] != kinds[1]:
        raise SystemExit("These are files of two different benchmarks.")
    numbers = op_numbers if kinds[0] == "kernels" else fit_numbers
    before, after = numbers(old), numbers(new)
    lines = []
    for name in (n for n in before if n in after):
        (a, a_low, a_high), (b, b_low, b_high) = before[name], after[name]
        verdict = "" if a_low <= b_high and b_low <= a_high else "   faster" if b > a else "   slower"
        spread = "" if a_low == a_high else f"  [{a_low:.2f} .. {a_high:.2f}] -> [{b_low:.2f} .. {b_high:.2f}]"
        lines.append(f"{name:60} {a:10.4g} -> {b:10.4g}  {b / a:6.2f}x{spread}{verdict}")
    return "\n".join(lines)


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    options = parser.parse_args()
    print(table(json.loads(options.old.read_text()), json.loads(options.new.read_text())))


if __name__ == "__main__":
    main()
