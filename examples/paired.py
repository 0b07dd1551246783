"""What examples that compare ways of training share: results seed by seed, and a table with honest error bars."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}  # by seeds
RESULTS = Path(__file__).with_name("results.json")


def arguments(description: str) -> argparse.ArgumentParser:
    """Which every such script takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="two seeds and fewer images: does it run?")
    parser.add_argument("--seeds", type=int, default=5, choices=sorted(T_95))
    parser.add_argument("--write", action="store_true", help=f"keep the values in {RESULTS.name}")
    return parser


def interval(values: np.ndarray) -> str:
    """Mean and half its 95% interval, Student's t, in percent."""
    half = T_95[len(values)] * values.std(ddof=1) / np.sqrt(len(values))
    return f"{100 * values.mean():.2f} ± {100 * half:.2f}"


@dataclass
class Comparison:
    """Accuracies of several ways to do the same task, a value a seed. The first way of a task is the base."""

    heads: tuple[str, str]  # of the columns of tasks and ways
    found: dict[str, dict[str, list[float]]] = field(default_factory=dict)  # by task and way
    start: float = field(default_factory=time.perf_counter)

    def add(self, seed: int, task: str, way: str, accuracy: float) -> None:
        """Keep it and say it."""
        self.found.setdefault(task, {}).setdefault(way, []).append(accuracy)
        print(f"seed {seed}, {task}, {way}: {accuracy:.4f}", flush=True)

    def table(self) -> str:
        """Mean accuracy with its interval, and the same of the difference to the base, seed by seed."""
        lines = [f"| {' | '.join(self.heads)} | accuracy | difference |", "|---|---|---:|---:|"]
        for task, ways in self.found.items():
            base = np.array(next(iter(ways.values())))
            for row, (way, values) in enumerate(ways.items()):
                difference = interval(np.array(values) - base) if row else ""
                lines.append(f"| {task} | {way} | {interval(np.array(values))} | {difference} |")
        return "\n".join(lines)

    def versus(self, way: str, other: str) -> str:
        """One way against another in all tasks together: how often it is better, and the seeds' mean difference."""
        gains = np.array([np.array(ways[way]) - np.array(ways[other]) for ways in self.found.values()])
        better, worse = (gains > 0).sum(), (gains < 0).sum()
        count = f"better in {better} of {gains.size} runs, worse in {worse}"
        return f"{way} against {other}: {count}, difference {interval(gains.mean(axis=0))}"

    def finish(self, name: str, options: argparse.Namespace) -> None:
        """Print the table; keep the values if told to."""
        seeds = len(next(iter(next(iter(self.found.values())).values())))
        print(f"\nTest accuracy in percent, {seeds} seeds, {time.perf_counter() - self.start:.0f} s.\n\n{self.table()}")
        if options.write and not options.quick:
            results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
            results[name] = {"heads": self.heads, "found": self.found}
            RESULTS.write_text(json.dumps(dict(sorted(results.items())), indent=1, ensure_ascii=False) + "\n")
