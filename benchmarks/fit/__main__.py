"""Time per training step of hotloop and its peers, interleaved, each in its own process.

python -m benchmarks.fit --all
python -m benchmarks.fit --match b32 --peers hotloop jax_scan torch_eager --rounds 9
python -m benchmarks.fit --device cuda --all
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import machine, roofline
from benchmarks.fit import peers, run
from benchmarks.fit.workloads import DEVICE_WORKLOADS, WORKLOADS, Workload


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit", description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="every workload")
    parser.add_argument("--match", nargs="+", default=[], help="workloads whose name contains one of these words")
    names = list(dict.fromkeys(peers.NAMES + peers.ON_DEVICE))
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where all train (default cpu)")
    parser.add_argument("--peers", nargs="+", choices=names, help="all of the device unless told")
    parser.add_argument("--rounds", type=int, default=9, help="times each peer is measured (default 9)")
    parser.add_argument("--window", type=float, default=0.5, help="seconds of one measurement (default 0.5)")
    parser.add_argument("--json", type=Path, help="write everything here")
    options = parser.parse_args()
    if not options.all and not options.match:
        parser.error("name workloads with --match, or --all of: " + "; ".join(WORKLOADS))
    options.peers = options.peers or list(peers.NAMES if options.device == "cpu" else peers.ON_DEVICE)
    return options


def show(workload: Workload, result: dict[str, Any]) -> str:
    """One line a peer: time, ratio to hotloop with its quartiles, loss after the warm-up."""
    lines = [f"\n{workload.name}   ({workload.rows} rows, {workload.parameters} parameters)"]
    for name, peer in sorted(result["peers"].items(), key=lambda item: item[1]["us"]["median"]):
        us, ratio = peer["us"], peer.get("ratio")
        line = f"  {name:14}{us['median']:11.1f} us/step [{us['low']:.1f} .. {us['high']:.1f}]"
        if ratio:
            line += f"   {ratio['median']:7.2f}x [{ratio['low']:.2f} .. {ratio['high']:.2f}]"
        if name == "hotloop" and "roofline_share" in result:
            share = {key: round(100 * value) for key, value in result["roofline_share"].items()}
            line += f"   {share['median']} % of the roofline [{share['low']} .. {share['high']}]"
        lines.append(line + f"   loss {peer['loss']:.4f}")
    lines += [f"  {name:14} absent: {why}" for name, why in result["absent"].items()]
    return "\n".join(lines)


def main() -> None:
    """Run as a command."""
    options = arguments()
    names = [name for name in options.peers if peers.installed(name)]
    missing = sorted(set(options.peers) - set(names))
    if missing:
        print("not installed, left out:", ", ".join(missing))
    on_processor = options.device == "cpu"
    workloads = WORKLOADS if on_processor else DEVICE_WORKLOADS
    chosen = [w for w in workloads.values() if options.all or any(word in w.name for word in options.match)]
    output: dict[str, Any] = {"machine": machine.describe(), "workloads": {}}
    if on_processor:
        output["roofline"] = asdict(roofline.measure())
    for workload in chosen:
        result = run.compare(workload, names, options.rounds, options.window, options.device)
        output["workloads"][workload.name] = result
        print(show(workload, result), flush=True)
        if options.json:
            options.json.write_text(json.dumps(output, indent=1) + "\n")


if __name__ == "__main__":
    main()
