"""From the results of one machine to a report: JSON, and a table in Markdown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# What is aimed at: the fastest peer's time over hotloop's, and microseconds a step at most.
AIMS: dict[str, tuple[float, float | None]] = {
    "784-300-100-10 b32 adam": (3, 15),
    "784-300-100-10 b128 adam": (3, 25),
    "784-64-64-10 b64 adam": (3, 10),
    "784-10x100-10 bn elu dropout b64 adam": (3, None),
    "784-3x1024-10 b1024 adam": (1.3, None),
    "784-3x1024-10 b1024 adam tf32": (1.3, None),
    "784-3x1024-10 b1024 adam bfloat16": (1.5, None),
    "784-4x4096-10 b8192 adam bfloat16": (1.05, None),
}
STAGES = ("build", "check", "sanitize")


def read(folder: Path) -> dict[str, Any]:
    """All results in a folder, by the file's name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def training_line(name: str, result: dict[str, Any]) -> str:
    """A row of the table of training steps."""
    peers = result.get("peers", {})
    others = {k: v for k, v in peers.items() if k != "hotloop"}
    best = min(others, key=lambda k: others[k]["us"]["median"]) if others else None
    ours = peers.get("hotloop")
    cells = [name, f"{ours['us']['median']:.1f}" if ours else "absent: " + result["absent"].get("hotloop", "?")]
    cells.append(f"{best} {others[best]['us']['median']:.1f}" if best else "none")
    ratio = others[best].get("ratio") if best else None
    cells.append(f"{ratio['median']:.2f} [{ratio['low']:.2f} .. {ratio['high']:.2f}]" if ratio else "-")
    aim, microseconds = AIMS.get(name, (None, None))
    wanted = f"{aim}x" + (f", {microseconds:g} us" if microseconds else "") if aim else "-"
    reached = bool(ratio and aim and ratio["median"] >= aim)
    reached = reached and (microseconds is None or ours["us"]["median"] <= microseconds)
    cells += [wanted, "yes" if reached else "no"]
    return "| " + " | ".join(cells) + " |"


def accuracy_lines(result: dict[str, Any]) -> list[str]:
    """Seconds to an accuracy on MNIST."""
    lines = ["", f"MNIST to {result['accuracy']} test accuracy, seconds of training (aim: 3x, 0.3 s):", ""]
    for name, runs in result["peers"].items():
        times = ", ".join(f"{r['seconds']:.3f} ({r['epochs']} epochs, {r['accuracy']:.4f})" for r in runs)
        lines.append(f"- {name}: {times}")
    return lines + [f"- {name}: absent: {why}" for name, why in result["absent"].items()]


def kernel_lines(results: dict[str, Any]) -> list[str]:
    """The optimizer's pass and the large product."""
    lines = [""]
    if one := results.get("optimizer pass"):
        lines.append(
            f"- Adam over {one['parameters']:,} parameters: {one['bytes_per_second'] / 1e9:.0f} GB/s, "
            f"{100 * one['ratio']:.0f} % of a copy's {one['copy_bytes_per_second'] / 1e9:.0f} (aim: 90 %)"
        )
    for precision in ("float32", "tf32", "bfloat16"):
        if one := results.get(f"{precision} product"):
            aim = " (aim: 1.3x)" if precision == "float32" else ""
            lines.append(
                f"- {precision} product, side {one['side']}: PyTorch {one['torch_flops'] / 1e12:.2f} TFLOP/s{aim}"
            )
            for kernel, k in one["kernels"].items():
                lines.append(f"  - {kernel}: {k['flops'] / 1e12:.2f} TFLOP/s, {k['ratio']:.2f}x")
    return lines


def stage_lines(stages: dict[str, Any]) -> list[str]:
    """What the other stages found."""
    lines = ["", "| stage | part | result | seconds | last line |", "|---|---|---|---|---|"]
    for stage in STAGES:
        for part in stages.get(stage, {}).get("parts", []):
            last = str(part["last"]).replace("|", "/")
            lines.append(f"| {stage} | {part['name']} | {part['status']} | {part['seconds']} | {last} |")
        if stage not in stages:
            lines.append(f"| {stage} | - | not run | - | - |")
    return lines


def markdown(machine: dict[str, Any], stages: dict[str, Any], results: dict[str, Any]) -> str:
    """The whole page."""
    lines = ["# hotloop on a GPU", "", "Made by `tools/gpu_check.sh`.", ""]
    lines += [f"- {key}: {value}" for key, value in machine.items()]
    lines += [
        "",
        "Microseconds a training step; ratio: the fastest peer's time over hotloop's, median and quartiles.",
        "",
    ]
    lines += ["| workload | hotloop | fastest peer | ratio | aim | reached |", "|---|---|---|---|---|---|"]
    training = {r["name"]: r for r in results.values() if "peers" in r and "accuracy" not in r}
    lines += [training_line(name, result) for name, result in training.items()]
    lines += [line for r in results.values() if "accuracy" in r for line in accuracy_lines(r)]
    lines += kernel_lines({r["name"]: r for r in results.values()})
    return "\n".join(lines + stage_lines(stages)) + "\n"


def write(folder: Path, machine: dict[str, Any], stages: dict[str, Any], results: dict[str, Any]) -> None:
    """gpu.json and gpu.md."""
    everything = {"machine": machine, "stages": stages, "results": list(results.values())}
    (folder / "gpu.json").write_text(json.dumps(everything, indent=1) + "\n")
    (folder / "gpu.md").write_text(markdown(machine, stages, results))
