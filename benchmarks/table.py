"""Writes the README's table from a result file of ``benchmarks.fit``.

    python -m benchmarks.table benchmarks/results/fit.json [--write README.md]

Without --write the table is only printed. With it, the table below the comment ``<!-- table: ... -->`` is replaced.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

NAMES = {
    "torch_eager": "PyTorch",
    "torch_compile": "torch.compile",
    "jax_scan": "JAX lax.scan",
    "jax_step": "JAX jit",
    "keras": "Keras on JAX",
    "sklearn": "scikit-learn",
    "onnxruntime": "ONNX Runtime",
}
MARK = re.compile(r"(<!-- table: .* -->\n)(?:\n?\|.*\n)*(?:\n?Measured .*\n)?")


def table(results: dict[str, Any]) -> str:
    """One row a workload: hotloop's time, and how many times longer each peer took."""
    names = [name for name in NAMES if any(name in w["peers"] for w in results["workloads"].values())]
    lines = ["| network | hotloop | " + " | ".join(NAMES[name] for name in names) + " |"]
    lines.append("|---|---:|" + "---:|" * len(names))
    for title, workload in results["workloads"].items():
        peers = workload["peers"]
        if not set(peers) & set(names):  # hotloop with itself
            continue
        cells = [f"{peers[name]['ratio']['median']:.1f}x" if name in peers else "" for name in names]
        lines.append(f"| {title} | {peers['hotloop']['us']['median']:.4g} us | " + " | ".join(cells) + " |")
    machine, versions = results["machine"], results["machine"]["versions"]
    used = ", ".join(f"{name} {version}" for name, version in versions.items() if name not in ("hotloop", "numpy"))
    where = f"Measured on {machine['cores']} cores of {machine['cpu']}; {used}."
    what = "Time of a training step, or of a call that predicts, and for each peer the median ratio to it."
    return "\n".join([*lines, "", f"{where} {what}"]) + "\n"


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table", description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--write", type=Path, metavar="README.md")
    options = parser.parse_args()
    text = table(json.loads(options.results.read_text()))
    print(text, end="")
    if options.write:
        before = options.write.read_text()
        after, count = MARK.subn(lambda m: m.group(1) + "\n" + text, before)
        if count != 1:
            raise SystemExit(f"{options.write} needs one '<!-- table: ... -->' line, has {count}.")
        options.write.write_text(after)


if __name__ == "__main__":
    main()
