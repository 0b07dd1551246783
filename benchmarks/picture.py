"""Draws a result file of ``benchmarks.fit``: the ratio to each peer with its quartiles, and the share of the roofline.

    python -m benchmarks.picture benchmarks/results/fit.json benchmarks/results/fit.png

Needs matplotlib. A ratio of 2 means that the peer took twice as long; the axis is logarithmic.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.table import NAMES

MARKERS = "osD^vPX"
COLOURS = ("#d1495b", "#edae49", "#00798c", "#30638e", "#6a4c93", "#5f8a3c", "#8c564b")


def compared(results: dict[str, Any]) -> dict[str, Any]:
    """The workloads that have peers, by name."""
    return {name: w for name, w in results["workloads"].items() if set(w["peers"]) & set(NAMES)}


def share_of(workload: dict[str, Any]) -> tuple[float, float, float]:
    """Of the roofline, in percent: median, lower and upper quartile."""
    share = workload["roofline_share"]
    if not isinstance(share, dict):  # of a single roofline
        return (100 * share,) * 3
    return 100 * share["median"], 100 * share["low"], 100 * share["high"]


def draw_ratios(axes: Any, workloads: dict[str, Any]) -> None:
    """A row a workload, a marker a peer."""
    for peer, marker, colour in zip(NAMES, MARKERS, COLOURS, strict=True):
        rows = [(i, w["peers"][peer]["ratio"]) for i, w in enumerate(workloads.values()) if peer in w["peers"]]
        if not rows:
            continue
        middle = [ratio["median"] for _, ratio in rows]
        spread = [[r["median"] - r["low"] for _, r in rows], [r["high"] - r["median"] for _, r in rows]]
        style = {"fmt": marker, "color": colour, "markersize": 6, "elinewidth": 1.2, "capsize": 2, "linestyle": "none"}
        axes.errorbar(middle, [i for i, _ in rows], xerr=spread, label=NAMES[peer], **style)
    axes.axvline(1, color="#333333", linewidth=1)
    axes.set_xscale("log")
    largest = max(p["ratio"]["high"] for w in workloads.values() for p in w["peers"].values())
    ticks = [t for t in (0.5, 1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000) if t < 1.2 * largest]
    axes.set_xticks(ticks, [f"{t:g}x" for t in ticks])
    axes.minorticks_off()
    axes.set_xlabel("time of the peer / time of hotloop (median, quartiles)")
    axes.set_yticks(range(len(workloads)), list(workloads))
    axes.invert_yaxis()


def draw_shares(axes: Any, workloads: dict[str, Any]) -> None:
    """A bar a workload."""
    for i, workload in enumerate(workloads.values()):
        median, low, high = share_of(workload)
        error = [[median - low], [high - median]]
        axes.barh(i, median, color="#9bb8c9", height=0.6, xerr=error, error_kw={"linewidth": 1, "capsize": 2})
        axes.text(high + 4, i, f"{median:.0f} %", va="center", fontsize=8)
    axes.set_xlim(0, 110)
    axes.set_xticks([0, 50, 100])
    axes.set_xlabel("of the roofline, %")


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.picture", description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("picture", type=Path, help="a .png or .svg")
    options = parser.parse_args()
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    results = json.loads(options.results.read_text())
    workloads = compared(results)
    size = (11, 1.4 + 0.42 * len(workloads))
    figure, (left, right) = plt.subplots(1, 2, figsize=size, sharey=True, width_ratios=[4, 1], layout="constrained")
    figure.get_layout_engine().set(wspace=0)
    draw_ratios(left, workloads)
    draw_shares(right, workloads)
    for axes in (left, right):
        axes.grid(axis="x", color="#dddddd", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8.5)
    left.grid(axis="y", color="#eeeeee", linewidth=0.8)
    right.tick_params(left=False)
    figure.legend(loc="outside upper center", ncol=len(NAMES), fontsize=8.5, frameon=False)
    figure.savefig(options.picture, dpi=100)


if __name__ == "__main__":
    main()
