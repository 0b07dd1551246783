"""What threads cost on a busy machine: training beside other processes, on one thread and as the trainer likes.

    python -m benchmarks.threads [--busy 2] [--rounds 7]

Prints the ratio of the default's time to that of one thread, paired round by round, on a quiet machine and with
`--busy` other processes that do nothing but compute; then the default's time per step before, beside and after them.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.fit.run import spread

NETWORKS = {"784-300-100-10 b32": ((784, 300, 100, 10), 32), "784-64-64-10 b64": ((784, 64, 64, 10), 64)}
LOOP = """
print("ready", flush=True)
for line in sys.stdin:
    seconds, epochs, start = float(line), 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        model.fit(x, y, batch_size=batch, verbose=0)
        epochs += 1
    print(1e6 * (time.perf_counter() - start) / (epochs * (len(x) // batch)), flush=True)
"""  # of a child that has made model, x, y and batch
CHILD = """
import json, sys, time
import numpy as np
import hotloop as keras
widths, batch = json.loads(sys.argv[1])
x = np.random.default_rng(0).random((4096, widths[0]), dtype=np.float32)
y = np.arange(4096) % widths[-1]
layers = [keras.layers.Dense(n, activation="relu") for n in widths[1:-1]] + [keras.layers.Dense(widths[-1])]
model = keras.Sequential([keras.Input((widths[0],)), *layers])
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.fit(x, y, batch_size=batch, epochs=2, verbose=0)
"""


def compute() -> None:
    """A process that wants a core."""
    while True:
        sum(range(10_000))


class Busy:
    """`count` processes that compute, while it lasts."""

    def __init__(self, count: int) -> None:
        self.processes = [multiprocessing.Process(target=compute, daemon=True) for _ in range(count)]

    def __enter__(self) -> None:
        for process in self.processes:
            process.start()
        time.sleep(0.2)

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()
            process.join()
        time.sleep(0.2)


class Trainer:
    """A process that runs `code` with `arguments` and then `LOOP`. `threads`: None for the default."""

    def __init__(self, code: str, arguments: Sequence[Any], threads: int | None) -> None:
        environment = {k: v for k, v in os.environ.items() if k != "HOTLOOP_NUM_THREADS"}
        if threads is not None:
            environment["HOTLOOP_NUM_THREADS"] = str(threads)
        command = [sys.executable, "-c", code + LOOP, json.dumps(arguments)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self._line()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def microseconds(self, seconds: float) -> float:
        """Time of a step, over that many seconds of training."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        return float(self._line())

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.threads", description=__doc__.splitlines()[0])
    parser.add_argument("--busy", type=int, default=2, help="other processes (default 2)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--window", type=float, default=1.0, help="seconds of one measurement (default 1)")
    options = parser.parse_args()
    for name, (widths, batch) in NETWORKS.items():
        one, default = (Trainer(CHILD, [widths, batch], threads) for threads in (1, None))
        for others in (0, options.busy):
            with Busy(others):
                pairs = [
                    (default.microseconds(options.window), one.microseconds(options.window))
                    for _ in range(options.rounds)
                ]
            ratio, us = spread([a / b for a, b in pairs]), spread([a for a, _ in pairs])
            print(
                f"{name}, {others} other processes: default {us['median']:.0f} us/step, "
                f"{ratio['median']:.2f} of one thread's [{ratio['low']:.2f} .. {ratio['high']:.2f}]",
                flush=True,
            )
        before = default.microseconds(options.window)
        with Busy(options.busy):
            beside = default.microseconds(2 * options.window)
        after = [default.microseconds(options.window) for _ in range(3)]
        times = ", ".join(f"{us:.0f}" for us in after)
        print(f"{name}: {before:.0f} us/step alone, {beside:.0f} disturbed, then {times}", flush=True)


if __name__ == "__main__":
    main()
