"""Every kernel of the row in use: time, speed, share of the roofline measured in the same run, and residual.

    python -m benchmarks.ops [--match dense] [--dtype float64] [--json FILE]

A line is one kernel on one worker, inside a plan with its neighbours, least of many runs. The residual is the largest
difference between float32 and float64 results of that pass, relative to the largest result. HOTLOOP_BACKEND chooses
the row.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine, roofline
from benchmarks.ops.cases import CASES, Case
from benchmarks.roofline import Roofline
from hotloop import _core
from hotloop.testing import OpRun, OpRunner

NEIGHBOURS = ("gather_rows", "scatter_rows")  # of the plan, not of the op


def run(case: Case, dtype: str) -> tuple[OpRunner, OpRun]:
    """The case forward and backward; random gradients come from above."""
    inputs, variables = case.arrays(dtype)
    runner = OpRunner(case.op, inputs, case.attrs, variables, dtype=dtype, training=True, n_threads=1)
    return runner, runner.run(inputs, upstream=upstream(case, runner) if runner.seeded else None)


def upstream(case: Case, runner: OpRunner) -> np.ndarray:
    """The same numbers in either precision."""
    shape = (case.inputs[0][0], *runner.output_shape)
    return np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32).astype(runner.dtype)


def seconds(case: Case, runner: OpRunner, repeats: int) -> list[float]:
    """Of each step of the plan."""
    inputs, _ = case.arrays(runner.dtype)
    if runner.seeded:
        inputs.append(upstream(case, runner))
    rows = len(inputs[0])
    outputs = [np.empty((rows, *runner.output_shape), runner.output_dtype)] if runner.has_output else []
    return runner.trainer.time_steps(runner.plan, _core.Dataset(inputs), rows, outputs, repeats)


def difference(a: list[Any], b: list[Any]) -> float:
    """Largest difference, relative to the largest magnitude of the array it stands in."""
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if x is not None]
    return max((float(np.abs(x - y).max() / max(np.abs(y).max(), 1e-300)) for x, y in pairs), default=0.0)


def residuals(case: Case, single: OpRun) -> dict[str, float]:
    """By pass: forward, backward."""
    _, exact = run(case, "float64")
    forward = [single.metrics[:, 2] if single.output is None else single.output]
    backward = [*single.input_gradients, *single.variable_gradients]
    return {
        "forward": difference(forward, [exact.metrics[:, 2] if exact.output is None else exact.output]),
        "backward": difference(backward, [*exact.input_gradients, *exact.variable_gradients]),
    }


def lines(case: Case, dtype: str, peak: Roofline, repeats: int) -> list[dict[str, Any]]:
    """One result per kernel of the op's own node."""
    runner, result = run(case, dtype)
    residual = residuals(case, result)
    flops_scale = {"float32": 1, "float64": 2}[dtype]
    found = []
    for step, least in zip(runner.plan.describe(), seconds(case, runner, repeats), strict=True):
        if step["node"] != "harness" or step["kernel"] in NEIGHBOURS:
            continue
        floor = peak.seconds(step["flops"] * flops_scale, step["bytes"], 0, step["bytes"])
        found.append(
            {
                "kernel": step["kernel"],
                "case": case.title,
                "us": 1e6 * least,
                "gflops": step["flops"] / least / 1e9,
                "gbytes": step["bytes"] / least / 1e9,
                "roofline_share": floor / least,
                "residual": residual["backward" if "backward" in step["kernel"] else "forward"],
            }
        )
    return found


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ops", description=__doc__.splitlines()[0])
    parser.add_argument("--match", default="", help="only kernels of ops whose name contains this")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--repeats", type=int, default=300, help="runs of each plan (default 300)")
    parser.add_argument("--json", type=Path, help="write the results and the machine's description here")
    options = parser.parse_args()
    peak = roofline.measure(threads=1)
    print(f"row {_core.row(options.dtype)}, {peak.gflops:.0f} GFLOP/s, {peak.read['L1']:.0f} GB/s from L1\n")
    print(f"{'kernel':26}{'case':34}{'us':>9}{'GFLOP/s':>9}{'GB/s':>8}{'roofline':>10}{'residual':>10}")
    results = []
    for case in CASES:
        if options.match not in case.op:
            continue
        for r in lines(case, options.dtype, peak, options.repeats):
            share = f"{100 * r['roofline_share']:.0f} %"
            flops = f"{r['gflops']:.1f}" if r["gflops"] else "-"
            speed = f"{r['us']:9.2f}{flops:>9}{r['gbytes']:8.1f}{share:>10}"
            print(f"{r['kernel']:26}{r['case']:34}{speed}{r['residual']:10.1e}", flush=True)
            results.append(r)
    if options.json:
        output = {"machine": machine.describe(), "row": _core.row(options.dtype), "roofline": asdict(peak)}
        options.json.write_text(json.dumps({**output, "kernels": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
