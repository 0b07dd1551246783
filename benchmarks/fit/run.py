"""Runs the peers of one workload in turn, and turns their times into ratios."""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from benchmarks import roofline
from benchmarks.fit.workloads import Workload
from benchmarks.roofline import Roofline

SETTLE_SECONDS = 0.25  # the last peer's threads stop spinning meanwhile
ROOFLINE_SECONDS = 0.03  # for each of its numbers, in every round: the speed of a shared machine changes


class Process:
    """A peer in its own process. Once it is ready, `absent` says why it cannot run this workload, or is None."""

    def __init__(self, peer: str, workload: Workload, device: str = "cpu") -> None:
        self.peer, self.workload = peer, workload
        self.epochs = 1
        self.microseconds: list[float] = []
        self.absent: str | None = None
        self.loss = math.nan
        self.errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115, it lives as long as the process
        command = [sys.executable, "-m", "benchmarks.fit.worker", peer, workload.name, device]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True
        )

    def ready(self) -> None:
        """Wait until it is built and warm."""
        first = self._answer()
        self.absent = first.get("absent")
        self.loss = first.get("loss", math.nan)

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise RuntimeError(f"{self.peer} on '{self.workload.name}' died:\n{self.errors.read()}")
        return json.loads(line)

    def ask(self, **wish: float) -> dict[str, Any]:
        """The answer to a line of JSON (benchmarks/fit/worker.py)."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(wish) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def seconds(self, epochs: int) -> float:
        """Time of that many epochs."""
        return float(self.ask(epochs=epochs)["seconds"])

    def calibrate(self, window: float) -> None:
        """Choose the number of epochs that takes about `window` seconds."""
        self.epochs = max(1, round(window / self.seconds(1)))

    def measure(self) -> None:
        """Add one time per step to the list."""
        time.sleep(SETTLE_SECONDS)
        self.microseconds.append(1e6 * self.seconds(self.epochs) / (self.epochs * self.workload.steps))

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()


def start(workload: Workload, names: list[str], device: str) -> tuple[list[Process], dict[str, str]]:
    """The peers that are ready, and why others are not.

    On the processor one starts after the other; on a device, where getting ready is mostly compiling, all at once, and
    one that dies is absent.
    """
    made = (Process(name, workload, device) for name in names)
    processes, absent = [], {}
    for process in made if device == "cpu" else list(made):
        try:
            process.ready()
        except RuntimeError as error:
            if device == "cpu":
                raise
            process.absent = "died: " + str(error).strip().splitlines()[-1]
        if process.absent is None:
            processes.append(process)
        else:
            absent[process.peer] = process.absent
            process.close()
    return processes, absent


def spread(values: list[float]) -> dict[str, float]:
    """Median and quartiles."""
    if len(values) < 2:
        return {"median": values[0], "low": values[0], "high": values[0]}
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": median, "low": low, "high": high}


def compare(workload: Workload, names: list[str], rounds: int, window: float, device: str = "cpu") -> dict[str, Any]:
    """Time every peer in turn, `rounds` times over, starting each round with another one.

    Returns a dict: for each peer the times of its steps in microseconds with median and quartiles, its loss after the
    warm-up, and the ratio of its time to hotloop's, paired round by round; and, on the processor, hotloop's share of
    the roofline, which is measured anew in every round.
    """
    peaks: list[Roofline] = []
    processes, absent = start(workload, names, device)
    try:
        for process in processes:
            process.calibrate(window)
        for i in range(rounds if processes else 0):
            first = i % len(processes)
            if device == "cpu":
                peaks.append(roofline.measure(seconds=ROOFLINE_SECONDS))
            for process in processes[first:] + processes[:first]:
                process.measure()
    finally:
        for process in processes:
            process.close()
    result: dict[str, Any] = {"absent": absent, "peers": _results(processes)}
    ours = next((p.microseconds for p in processes if p.peer == "hotloop"), [])
    shares = [roofline_share(workload, peak, us) for peak, us in zip(peaks, ours, strict=False)]
    if shares:
        result["roofline_share"] = spread(shares)
        result["peak_gflops"] = [peak.gflops for peak in peaks]
    return result


def _results(processes: list[Process]) -> dict[str, Any]:
    ours = next((p.microseconds for p in processes if p.peer == "hotloop"), None)
    results = {}
    for p in processes:
        results[p.peer] = {"loss": p.loss, "us": spread(p.microseconds), "rounds_us": p.microseconds}
        if ours is not None:
            results[p.peer]["ratio"] = spread([a / b for a, b in zip(p.microseconds, ours, strict=True)])
    return results


def roofline_share(workload: Workload, peak: Roofline, microseconds: float) -> float:
    """Least time this machine needs for a step's products and its update, over the measured time."""
    level = workload.working_set()
    gathered = (1.0 if workload.images else 4.0) * workload.batch * workload.widths[0]
    products = peak.seconds(workload.flops(), 0, 0, level)
    update = peak.seconds(0, 0, workload.bytes_updated(), level)
    gather = peak.seconds(0, gathered, 0, 4.0 * workload.rows * workload.widths[0])
    if workload.batch == 1:  # every weight is read for two operations: bytes decide
        products = max(products, peak.seconds(0, 4.0 * workload.parameters, 0, level))
    return 1e6 * (products + update + gather) / microseconds
