"""Fails if a hot kernel of the GPU rows keeps more than a few registers in memory, by what `ptxas -v` prints.

python tools/check_spills.py BUILD_LOG
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

# What most of a training's time goes to; others may keep any number.
_HOT = (
    "dense_",
    "panel_",
    "activation_",
    "optimizer_update",
    "gather_rows",
    "dropout_forward",
    "dropout_backward",
    "loss_",
)
_FEW = 16  # bytes; the switch over the optimizers keeps one register


def spills(log: str) -> dict[str, int]:
    """Bytes that each compiled kernel stores, by its mangled name."""
    found = re.findall(r"Function properties for (\S+)\s+\d+ bytes stack frame, (\d+) bytes spill stores", log)
    return {name: int(size) for name, size in found if "run_step" in name or "copy_next" in name}


def main() -> int:
    found = spills(Path(sys.argv[1]).read_text())
    if not found:
        print("the log names no kernel: was it made with -Xptxas=-v?")
        return 1
    hot = [name for name in found if "cuda_f64" not in name and any(part in name for part in _HOT)]
    bad = {name: found[name] for name in hot if found[name] > _FEW}
    for name, size in sorted(bad.items()):
        print(f"{size} bytes of registers in memory: {name}")
    print(f"{len(found)} kernels, {sum(size == 0 for size in found.values())} without a register in memory")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
