"""Does the engine cut products well? Random shapes: its own tiles and blocks against every other choice.

    python -m benchmarks.tiles [--shapes 100] [--json FILE]

A product y = x w is cut into tiles of some rows, blocks of k and blocks of rows, or, for a few rows, into chains side
by side; a weight gradient dw = x^T dz into tiles and blocks of m. All choices are searched by a C++ program that
compiles the kernels of the row in use (``tiles.cpp``), float32, on one thread; then the best of them and the library's
own take turns. A choice is good if it costs at most 10 % more than the best. The cut of k is chosen from K and N alone,
so that a row's bits do not depend on the batch; the search is free of that.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import machine, native
from hotloop import _core

SOURCE = Path(__file__).with_name("tiles.cpp")
GOOD = 1.10
LARGEST_DIFFERENCE = 1e-4  # of sums in another order


@dataclass(frozen=True)
class Result:
    """One shape: microseconds by the rule and by the best other choice, and that choice."""

    kind: str
    M: int
    K: int
    N: int
    rule: float
    best: float
    tile: int
    block: int
    rows: int
    chains: int
    choices: int
    difference: float

    @property
    def ratio(self) -> float:
        """What the rule costs: 1 where no other choice is faster."""
        return max(1.0, self.rule / self.best)

    def __str__(self) -> str:
        found = (
            f"{self.chains} chain(s), blocks of {self.block}"
            if self.chains
            else f"tiles of {self.tile}, blocks of {self.block}"
        )
        if self.kind == "product" and not self.chains:
            found += f" x {self.rows} rows"
        mark = "" if self.ratio <= GOOD else "  <<<"
        return (
            f"{self.kind:9}{self.M:5} x{self.K:5} x{self.N:5}: {self.rule:10.2f} us; best of {self.choices:3}: "
            f"{self.best:10.2f} us, {found}; {self.ratio:.2f}{mark}"
        )


def shapes(count: int, seed: int) -> list[tuple[str, int, int, int]]:
    """Sizes of layers and batches, log-uniform; products and gradients by turns."""
    rng = random.Random(seed)

    def size(low: int, high: int) -> int:
        return round(low * (high / low) ** rng.random())

    return [(("product", "gradient")[i % 2], size(1, 512), size(8, 2000), size(2, 1000)) for i in range(count)]


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tiles", description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the results and the machine's description here")
    options = parser.parse_args()
    row = _core.row("float32")
    print(f"row {row}", flush=True)
    program = native.program(SOURCE, *native.row_flags(row))
    results = []
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for kind, m, k, n in shapes(options.shapes, options.seed):
            process.stdin.write(f"{kind} {m} {k} {n}\n")
            rule, best, *numbers, difference = process.stdout.readline().split()
            result = Result(kind, m, k, n, float(rule), float(best), *map(int, numbers), float(difference))
            if result.difference > LARGEST_DIFFERENCE:
                raise SystemExit(f"{result}: the results differ by {difference}")
            print(result, flush=True)
            results.append(result)
        process.stdin.close()
    for kind in ("product", "gradient"):
        ratios = sorted(r.ratio for r in results if r.kind == kind)
        good = sum(ratio <= GOOD for ratio in ratios)
        print(f"{kind}: {good} of {len(ratios)} within {GOOD} of the best; at worst {ratios[-1]:.2f}")
    if options.json:
        output = {"machine": machine.describe(), "row": row, "shapes": [asdict(r) for r in results]}
        options.json.write_text(json.dumps(output, indent=1) + "\n")


if __name__ == "__main__":
    main()
