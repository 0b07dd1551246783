"""Does the trainer choose well? Random networks, its own number of workers against every number tried out.

    python -m benchmarks.choices [--networks 20]

Every network trains in one process per setting, in turns. A choice is good if it costs at most 10 % more than the best.
"""

from __future__ import annotations

import argparse
import random
import statistics

from benchmarks import machine
from benchmarks.threads import CHILD, Trainer

GOOD = 1.10


def network(rng: random.Random) -> tuple[tuple[int, ...], int]:
    """Widths and batch size, log-uniform."""

    def size(low: int, high: int) -> int:
        return round(low * (high / low) ** rng.random())

    hidden = [size(8, 512) for _ in range(rng.randint(1, 4))]
    return (size(8, 1000), *hidden, size(2, 20)), size(1, 256)


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.choices", description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--window", type=float, default=0.4, help="seconds of one measurement (default 0.4)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, good = random.Random(options.seed), 0
    settings = [None, *sorted({1, machine.cores()} | {2**i for i in range(1, 6) if 2**i < machine.cores()})]
    for _ in range(options.networks):
        widths, batch = network(rng)
        trainers = [Trainer(CHILD, [widths, batch], threads) for threads in settings]
        rounds = [[t.microseconds(options.window) for t in trainers] for _ in range(options.rounds)]
        for trainer in trainers:
            trainer.close()
        own, *forced = (statistics.median(times) for times in zip(*rounds, strict=True))
        ratio = max(statistics.median(times[0] / times[i] for times in rounds) for i in range(1, len(settings)))
        good += ratio <= GOOD
        tried = ", ".join(f"{n}: {us:.1f}" for n, us in zip(settings[1:], forced, strict=True))
        print(
            f"{'-'.join(map(str, widths))} b{batch}: {own:.1f} us/step; with workers {tried}; {ratio:.2f}", flush=True
        )
    print(f"{good} of {options.networks} within {GOOD} of the best")


if __name__ == "__main__":
    main()
