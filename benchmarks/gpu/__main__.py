"""hotloop on a GPU beside PyTorch (eager, compiled, CUDA graphs) and JAX: what `tools/gpu_check.sh measure` runs.

python -m benchmarks.gpu --out build/gpu_check
python -m benchmarks.gpu --device cuda_emulated --tiny --out /tmp/try

Every result is a file under OUT/measured; what is there is not measured again. Exit status 1: something failed, or is
left.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.fit import peers, run, workloads
from benchmarks.fit.workloads import Workload
from benchmarks.gpu import kernels, report

ROUNDS, WINDOW, ACCURACY, RUNS = 5, 0.3, 0.98, 3
TINY_ROUNDS, TINY_WINDOW, TINY_ACCURACY = 2, 0.05, 0.9
SLOW_TO_START = ("torch_reduce_overhead", "torch_max_autotune")
SLOWEST = 150  # seconds that one result may take, all peers compiling

Part = Callable[[], dict[str, Any]]


def names(tiny: bool) -> list[str]:
    """The peers that are installed."""
    return [name for name in peers.ON_DEVICE if peers.installed(name) and not (tiny and name in SLOW_TO_START)]


def compare(workload: Workload, device: str, tiny: bool) -> dict[str, Any]:
    """A row of the table."""
    return run.compare(workload, names(tiny), TINY_ROUNDS if tiny else ROUNDS, TINY_WINDOW if tiny else WINDOW, device)


def to_accuracy(device: str, tiny: bool) -> dict[str, Any]:
    """Seconds of training until so many test images are right, by turns."""
    goal, runs = (TINY_ACCURACY, 1) if tiny else (ACCURACY, RUNS)
    workload = workloads.TINY_TO_ACCURACY if tiny else workloads.TO_ACCURACY
    processes, absent = run.start(workload, names(tiny), device)
    found: dict[str, list[dict[str, Any]]] = {p.peer: [] for p in processes}
    try:
        for _ in range(runs):
            for process in processes:
                found[process.peer].append(process.ask(accuracy=goal))
    finally:
        for process in processes:
            process.close()
    return {"accuracy": goal, "peers": found, "absent": absent}


def in_own_process(kind: str, device: str, tiny: bool) -> dict[str, Any]:
    """A part whose memory goes with its process."""
    code = "import json, sys; from benchmarks.gpu import kernels; "
    code += "print(json.dumps(kernels.measure(sys.argv[1], sys.argv[2], sys.argv[3] == 'True')))"
    command = [sys.executable, "-c", code, kind, device, str(tiny)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout.splitlines()[-1])


def parts(device: str, tiny: bool) -> dict[str, Part]:
    """By name, the quickest first."""
    found: dict[str, Part] = {
        kind: lambda kind=kind: in_own_process(kind, device, tiny) for kind in kernels.kinds(device)
    }
    found["mnist"] = lambda: to_accuracy(device, tiny)
    for workload in (workloads.TINY_WORKLOADS if tiny else workloads.DEVICE_WORKLOADS).values():
        found[workload.name] = lambda workload=workload: compare(workload, device, tiny)
    return found


def describe() -> dict[str, Any]:
    """The machine and its GPU."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        gpu = subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        gpu = "none"
    return {"gpu": gpu, **machine.describe()}


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", help="of hotloop.devices() (default cuda)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results and the report")
    parser.add_argument("--seconds", type=float, default=520, help="begin nothing that may end later (default 520)")
    parser.add_argument("--tiny", action="store_true", help="small sizes, to try it")
    options = parser.parse_args()
    folder = options.out / "measured"
    folder.mkdir(parents=True, exist_ok=True)
    start, left = time.monotonic(), []
    for name, part in parts(options.device, options.tiny).items():
        path = folder / (re.sub(r"\W+", "_", name) + ".json")
        if path.exists():
            continue
        if not options.tiny and time.monotonic() - start > options.seconds - SLOWEST:
            left.append(name)
            continue
        begin = time.monotonic()
        try:
            result = part()
        except Exception:
            traceback.print_exc()
            left.append(name)
            continue
        path.write_text(json.dumps({"name": name, **result}, indent=1) + "\n")
        print(f"{name}: {time.monotonic() - begin:.0f} s", flush=True)
    results = report.read(folder)
    stages = {k: v for k, v in report.read(options.out).items() if k in report.STAGES}
    report.write(options.out, describe(), stages, results)
    print((options.out / "gpu.md").read_text())
    if left:
        print("left, or failed: " + "; ".join(left) + ". Run it again for what is left.")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
