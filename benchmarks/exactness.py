"""What the same bits for any team cost: training steps by the library's kernels, with that promise and without.

    python -m benchmarks.exactness [--threads N] [--rounds 9] [--json FILE]

A C++ program (``exactness.cpp``) compiles the kernels of the row in use and takes Adam steps with them, without Python,
the planner or the gather of rows. Its variants break the promise in two ways, one by one and together:

- rows: each worker takes its rows of the batch through the whole network and adds up a gradient of its own; the update
  adds those. Three meetings of the workers a step and no more, whatever the depth, but the bits depend on the team.
- fast-math: compiled with -ffast-math, so that the compiler may reorder every sum.

Each variant runs in its own process, in turns; a ratio above 1, paired round by round, is what exactness costs. Then
the library's exp, log and tanh next to loops over <cmath>: those of the C library, and those a compiler makes of them
under -ffast-math, with the largest relative error. What the promise that a row's bits do not depend on its batch costs
is part of ``benchmarks.tiles``.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
from pathlib import Path
from typing import Any

from benchmarks import machine, native
from benchmarks.fit.run import spread
from hotloop import _core

SOURCE = Path(__file__).with_name("exactness.cpp")
NETWORKS = {
    "8-64-64-10 b32": ((8, 64, 64, 10), 32),
    "784-64-64-10 b64": ((784, 64, 64, 10), 64),
    "784-300-100-10 b32": ((784, 300, 100, 10), 32),
    "784-300-100-10 b200": ((784, 300, 100, 10), 200),
    "784-10x100-10 b64": ((784, *[100] * 10, 10), 64),
    "784-3x1024-10 b1024": ((784, 1024, 1024, 1024, 10), 1024),
}
FAST = ("-ffast-math",)
VARIANTS = {  # name: is it compiled with FAST, how the step is split
    "library": (False, "outputs"),
    "rows": (False, "rows"),
    "fast-math": (True, "outputs"),
    "rows, fast-math": (True, "rows"),
}
SAME_LOSS = 1e-3  # relative: nobody wins by skipping work


class Steps:
    """A variant in its own process. `loss`: after the first steps."""

    def __init__(self, program: Path, how: str, threads: int, widths: tuple[int, ...], batch: int) -> None:
        command = [str(program), "step", how, str(threads), str(batch), *map(str, widths)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.loss = self._number()

    def _number(self) -> float:
        assert self.process.stdout is not None
        return float(self.process.stdout.readline())

    def microseconds(self, seconds: float) -> float:
        """Time of a step, over that many seconds."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        return self._number()

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)


def compare(programs: dict[bool, Path], threads: int, name: str, rounds: int, window: float) -> dict[str, Any]:
    """Median times of the variants and the library's time over theirs."""
    widths, batch = NETWORKS[name]
    steps = {v: Steps(programs[fast], how, threads, widths, batch) for v, (fast, how) in VARIANTS.items()}
    losses = {v: s.loss for v, s in steps.items()}
    if not all(math.isclose(loss, losses["library"], rel_tol=SAME_LOSS) for loss in losses.values()):
        raise SystemExit(f"{name}: the variants do not train alike: {losses}")
    times: dict[str, list[float]] = {v: [] for v in steps}
    for i in range(rounds):
        order = list(steps)[i % len(steps) :] + list(steps)[: i % len(steps)]
        for variant in order:
            times[variant].append(steps[variant].microseconds(window))
    for s in steps.values():
        s.close()
    results = {}
    for variant, us in times.items():
        ratio = spread([a / b for a, b in zip(times["library"], us, strict=True)])
        results[variant] = {"us": spread(us), "library_over": ratio, "loss": losses[variant]}
    return results


def functions(programs: dict[bool, Path]) -> dict[str, Any]:
    """Nanoseconds an element, and largest relative errors, by function."""
    outputs = {
        fast: subprocess.run([str(p), "functions"], check=True, capture_output=True, text=True).stdout.splitlines()
        for fast, p in programs.items()
    }
    results = {}
    for exact, fast in zip(outputs[False], outputs[True], strict=True):
        name, own, own_error, libm, libm_error = exact.split()
        _, _, _, vector, vector_error = fast.split()
        results[name] = {
            "library": {"ns": float(own), "error": float(own_error)},
            "libm": {"ns": float(libm), "error": float(libm_error)},
            "libm, fast-math": {"ns": float(vector), "error": float(vector_error)},
        }
    return results


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exactness", description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=machine.cores(), help="workers (default: all cores)")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--window", type=float, default=0.4, help="seconds of one measurement (default 0.4)")
    parser.add_argument("--match", default="", help="only networks whose name contains this")
    parser.add_argument("--json", type=Path, help="write the results and the machine's description here")
    options = parser.parse_args()
    row = _core.row("float32")
    flags = (*native.row_flags(row), "-pthread")
    programs = {fast: native.program(SOURCE, *flags, *(FAST if fast else ())) for fast in (False, True)}
    output: dict[str, Any] = {"machine": machine.describe(), "row": row, "threads": options.threads, "networks": {}}
    print(f"row {row}, {options.threads} worker(s)", flush=True)
    for name in NETWORKS:
        if options.match not in name:
            continue
        result = output["networks"][name] = compare(programs, options.threads, name, options.rounds, options.window)
        ratios = [
            f"over {variant} {r['library_over']['median']:.2f} "
            f"[{r['library_over']['low']:.2f} .. {r['library_over']['high']:.2f}]"
            for variant, r in result.items()
            if variant != "library"
        ]
        print(f"{name}: {result['library']['us']['median']:.1f} us/step; {', '.join(ratios)}", flush=True)
    output["functions"] = functions(programs)
    for name, ways in output["functions"].items():
        each = (f"{way} {found['ns']:.2f} ns, error {found['error']:.1e}" for way, found in ways.items())
        print(f"{name:5}" + "; ".join(each))
    if options.json:
        options.json.write_text(json.dumps(output, indent=1) + "\n")


if __name__ == "__main__":
    main()
