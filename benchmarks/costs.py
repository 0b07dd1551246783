"""What training costs beside the speed of a step: time by rows and epochs, memory by its account, float64.

    python -m benchmarks.costs [rows] [epochs] [memory] [float64] [--rounds 7] [--json FILE]

rows, epochs: time of 4 and 16 times as many, over 4 and 16 times that of one; a ratio of 1 is linear. memory: growth
of the peak of resident memory in `fit`, over what `Model.memory_usage` says after it and the order of the rows; for 1
and 4 epochs, each in a fresh process that has trained a tiny network before, so that code and threads are there.
float64: speed relative to float32. Times are measured in turns, ratios paired round by round.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import hotloop as keras
from benchmarks import machine
from benchmarks.fit.peers.keras_like import build
from benchmarks.fit.run import spread
from benchmarks.fit.workloads import WORKLOADS, Workload

FACTORS = (1, 4, 16)
NETWORK = Workload("784-300-100-10 b32 sgd", (784, 300, 100, 10), 32, "sgd")
LARGE = WORKLOADS["784-3x1024-10 b1024 adam"]
MEMORY = [
    LARGE,
    Workload("784-3x1024-10 b32 momentum", (784, 1024, 1024, 1024, 10), 32, "momentum"),
    Workload("784-4096-10 b256 sgd", (784, 4096, 10), 256, "sgd"),
    Workload("64-10x512-10 bn elu dropout b4096 adam", (64, *[512] * 10, 10), 4096, "adam", "elu", True, 0.2),
]
SHARE = 0.10  # by which memory may miss its account
SHUFFLED = 16  # bytes a row for the order of an epoch and that of the next


def model_of(workload: Workload, dtype: str = "float32") -> Any:
    """A compiled model."""
    keras.utils.set_random_seed(0)
    keras.config.set_floatx(dtype)
    model = build(keras, workload)
    keras.config.set_floatx("float32")
    return model


def seconds(call: Callable[[], Any]) -> float:
    """Time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def linear(what: str, rounds: int) -> dict[str, Any]:
    """`what`: "rows" or "epochs". Time of each factor over that of 1, divided by the factor."""
    model, n = model_of(NETWORK), 4096
    rng = np.random.default_rng(0)
    x = rng.random((n * max(FACTORS), NETWORK.widths[0]), dtype=np.float32)
    y = rng.integers(0, NETWORK.widths[-1], len(x)).astype(np.int32)

    def fit(factor: int) -> None:
        rows, epochs = (n * factor, 4) if what == "rows" else (n, factor)
        model.fit(x[:rows], y[:rows], batch_size=NETWORK.batch, epochs=epochs, verbose=0)

    fit(max(FACTORS))  # warm
    times = [[seconds(lambda f=f: fit(f)) / f for f in FACTORS] for _ in range(rounds)]
    result = {str(f): spread([t[i] / t[0] for t in times]) for i, f in enumerate(FACTORS) if f > 1}
    each = ", ".join(f"{f}x: {r['median']:.3f} [{r['low']:.3f} .. {r['high']:.3f}]" for f, r in result.items())
    print(f"{what:8} {NETWORK.name}, {n} rows{'' if what == 'rows' else ' an epoch'}: {each}", flush=True)
    return result


# Memory: measured in a child process, by this same module.


def status(field: str) -> int:
    """Bytes that /proc/self/status has for this process."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field + ":"))
    return 1024 * int(line.split()[1])


def measure_memory(name: str, epochs: int) -> None:
    """In the child: print growth of the peak, and the account, in bytes."""
    workload = next(w for w in MEMORY if w.name == name)
    tiny = Workload("", (16, 512, 10), 512, workload.optimizer, workload.activation, workload.batch_norm)
    rng = np.random.default_rng(0)
    for network in (tiny, workload):
        rows = 4 * network.batch
        x = rng.random((rows, network.widths[0]), dtype=np.float32)
        y = rng.integers(0, network.widths[-1], rows).astype(np.int32)
        model = model_of(network)
        Path("/proc/self/clear_refs").write_text("5")  # the peak is what is resident now
        before = status("VmRSS")
        model.fit(x, y, batch_size=network.batch, epochs=epochs, verbose=0)
        growth = status("VmHWM") - before
    parts = {**model.memory_usage(), "order": SHUFFLED * rows}
    print(json.dumps({"growth": growth, "parts": parts}))


def memory() -> dict[str, Any]:
    """Growth of the peak over the account, for every network."""
    results = {}
    for workload in MEMORY:
        for epochs in (1, 4):
            command = [sys.executable, "-m", "benchmarks.costs", "--child", workload.name, str(epochs)]
            found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
            account = sum(found["parts"].values())
            found["ratio"] = ratio = found["growth"] / account
            parts = ", ".join(f"{part} {size / 1e6:.1f}" for part, size in found["parts"].items())
            print(
                f"memory   {workload.name}, {epochs} epochs: {found['growth'] / 1e6:.1f} MB for {account / 1e6:.1f} by "
                f"the account ({parts}): {ratio:.3f}{'' if abs(ratio - 1) <= SHARE else '  <<<'}",
                flush=True,
            )
            results[f"{workload.name}, {epochs} epochs"] = found
    return results


def precision(rounds: int) -> dict[str, Any]:
    """Speed of float64 relative to float32, paired round by round."""
    results = {}
    for workload, n in ((NETWORK, 8192), (LARGE, 4096)):
        x, y = (array[:n] for array in workload.data())
        models = [(model_of(workload, dtype), x.astype(dtype)) for dtype in ("float32", "float64")]

        def fit(model: Any, x: np.ndarray, y: np.ndarray = y, batch: int = workload.batch) -> None:
            model.fit(x, y, batch_size=batch, verbose=0)

        for pair in models:
            fit(*pair)
        times = [[seconds(lambda pair=pair: fit(*pair)) for pair in models] for _ in range(rounds)]
        results[workload.name] = r = spread([single / double for single, double in times])
        print(
            f"float64  {workload.name}: {100 * r['median']:.0f} % of float32's speed "
            f"[{100 * r['low']:.0f} .. {100 * r['high']:.0f}]",
            flush=True,
        )
    return results


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.costs", description=__doc__.splitlines()[0])
    parts = ("rows", "epochs", "memory", "float64")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts)} (default all)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="write the results and the machine's description here")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        measure_memory(options.child[0], int(options.child[1]))
        return
    if unknown := set(options.parts) - set(parts):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    output: dict[str, Any] = {"machine": machine.describe()}
    for part in options.parts or parts:
        output[part] = {
            "rows": lambda: linear("rows", options.rounds),
            "epochs": lambda: linear("epochs", options.rounds),
            "memory": memory,
            "float64": lambda: precision(options.rounds),
        }[part]()
    if options.json:
        options.json.write_text(json.dumps(output, indent=1) + "\n")


if __name__ == "__main__":
    main()
