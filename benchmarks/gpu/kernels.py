"""Single kernels on a device: the optimizer's pass against a copy, a large product against PyTorch's (cuBLAS)."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.fit.peers.hotloop_peer import DEVICES
from hotloop import _core, devices, set_device

FLOAT = 4  # bytes
ROWS = 8  # of the batch whose update is timed: more than the few for which the update is part of the product
COPIES = 3 * 2  # weight and two slots, each read and written; the gradient is read besides


def hotloop_steps(layers: list[tuple[int, int]], rows: int, repeats: int) -> list[dict[str, Any]]:
    """Kernel, seconds, flops and bytes of every step of a training batch with Adam."""
    graph = _core.Graph("float32")
    value = graph.input((layers[0][0],), "float32", "x")
    for i, shape in enumerate(layers):
        value = graph.add("dense", [value, graph.variable(i, shape, True, "w")], {}, f"dense{i}")
    target = graph.input((layers[-1][1],), "float32", "y")
    graph.add("loss", [value, target], {"kind": "mean_squared_error"}, "loss")
    trainer = _core.Trainer([("w", shape) for shape in layers], "float32", 1)
    trainer.set_optimizer({"kind": "adam"})
    rng = np.random.default_rng(0)
    for i, (K, N) in enumerate(layers):
        trainer.set(i, (rng.random((K, N), dtype=np.float32) - 0.5) / np.float32(K**0.5))
    plan = trainer.plan(graph, rows, update=True)
    data = _core.Dataset([rng.random((rows, n), dtype=np.float32) - 0.5 for n in (layers[0][0], layers[-1][1])])
    seconds = trainer.time_steps(plan, data, rows, [], repeats)
    return [{**step, "seconds": s} for step, s in zip(plan.describe(), seconds, strict=True)]


def torch_seconds(device: str, call: Callable[[], Any], repeats: int) -> float:
    """Median time of a call."""
    import torch

    times = []
    for _ in range(repeats + 3):
        start = time.perf_counter()
        call()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times[3:])


def optimizer_pass(device: str, side: int, repeats: int) -> dict[str, float]:
    """Adam over side x side weights: bytes a second, and those of a copy in PyTorch."""
    import torch

    steps = hotloop_steps([(side, side)], ROWS, repeats)
    ours = sum(step["seconds"] for step in steps if step["kernel"].startswith("optimizer"))
    elements = side * side
    source = torch.rand(3 * elements, device=torch_device(device))
    sink = torch.empty_like(source)
    copy = torch_seconds(device, lambda: sink.copy_(source), repeats)
    rate, peak = (COPIES + 1) * FLOAT * elements / ours, 2 * FLOAT * source.numel() / copy
    return {"parameters": elements, "seconds": ours, "bytes_per_second": rate, "copy_bytes_per_second": peak,
            "ratio": rate / peak}  # fmt: skip


def product(device: str, precision: str, side: int, repeats: int) -> dict[str, Any]:
    """side x side x side: seconds of the three products of a layer, of float32 numbers, and of PyTorch's."""
    import torch

    set_device(device + DEVICES[precision])
    steps = hotloop_steps([(side, side), (side, side)], side, repeats)
    found: dict[str, list[float]] = {}
    for step in steps:
        if step["kernel"].startswith("dense"):
            found.setdefault(step["kernel"], []).append(step["seconds"])
    ours = {kernel: min(seconds) for kernel, seconds in found.items()}
    torch.set_float32_matmul_precision("highest" if precision == "float32" else "high")
    a, b = (torch.rand(side, side, device=torch_device(device)) - 0.5 for _ in range(2))
    if precision == "bfloat16":
        a, b = a.bfloat16(), b.bfloat16()
    out = torch.empty_like(a)
    theirs = torch_seconds(device, lambda: torch.matmul(a, b, out=out), repeats)
    flops = 2.0 * side**3
    kernels = {k: {"seconds": s, "flops": flops / s, "ratio": theirs / s} for k, s in ours.items()}
    return {"side": side, "torch_seconds": theirs, "torch_flops": flops / theirs, "kernels": kernels}


def torch_device(device: str) -> str:
    """PyTorch knows no emulated device."""
    return "cuda" if device == "cuda" else "cpu"


def measure(kind: str, device: str, tiny: bool) -> dict[str, Any]:
    """One of `kinds` on a device, or with tiny sizes, to try it."""
    set_device(device)
    repeats = 3 if tiny else 20
    if kind == "optimizer pass":
        return optimizer_pass(device, 64 if tiny else 10_000, repeats)
    return product(device, kind.split()[0], 64 if tiny else 4096, repeats)


def kinds(device: str) -> list[str]:
    """What can be measured: products in the precisions that a device has."""
    return ["optimizer pass", *(f"{name} product" for name, end in DEVICES.items() if device + end in devices())]
