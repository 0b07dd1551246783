"""What a result file says about the machine it was measured on."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

PEERS = ("hotloop", "numpy", "torch", "jax", "keras", "scikit-learn", "onnxruntime")
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
KIB = 1024


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_model() -> str:
    """Name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def caches() -> dict[int, int]:
    """Bytes of the data caches that core 0 reads through, by level."""
    sizes = {}
    for index in sorted(CACHES.glob("index*")):
        if (index / "type").read_text().strip() != "Instruction":
            sizes[int((index / "level").read_text())] = int((index / "size").read_text().strip().rstrip("K")) * KIB
    return sizes or {1: 32 * KIB, 2: 512 * KIB, 3: 8 * KIB * KIB}


def versions() -> dict[str, str]:
    """Versions of hotloop and of the peers that are installed."""
    found = {}
    for name in PEERS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def describe() -> dict[str, object]:
    """The machine, as a JSON-ready dict."""
    return {
        "cpu": cpu_model(),
        "cores": cores(),
        "caches": {f"L{level}": size for level, size in caches().items()},
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions(),
        "load_average": [round(x, 2) for x in os.getloadavg()],
    }
