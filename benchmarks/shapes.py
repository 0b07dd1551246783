"""What awkward sizes cost: a training step of odd widths and batches against the same net with rounded ones.

    python -m benchmarks.shapes

The net is 64 - w - w - 10 with SGD and momentum. Widths are rounded up to a multiple of 8, batches to the next
multiple of the row's tile; times are sums over the plan's steps on one worker, least of many runs. Prints every ratio
and how many are above 1.15.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np

from hotloop import _core

WIDTHS = (1, 7, 10, 17, 33, 130, 257)
BATCHES = (3, 7, 31, 50, 100, 257)
TILE_ROWS = {"avx512": 14, "avx2": 6, "neon": 6, "generic": 5}
LIMIT = 1.15


def microseconds(width: int, batch: int, repeats: int) -> float:
    """Of one training step."""
    graph = _core.Graph("float32")
    sizes = [(64, width), (width, width), (width, 10)]
    shapes = [shape for K, N in sizes for shape in ((K, N), (N,))]
    value = graph.input((64,), "float32", "x")
    for i in range(len(sizes)):
        w, b = (graph.variable(2 * i + j, shapes[2 * i + j], True, "v") for j in (0, 1))
        value = graph.add("dense", [value, w, b], {"activation": "relu"} if i < 2 else {}, f"dense{i}")
    target = graph.input((1,), "int32", "y")
    attrs = {"kind": "sparse_categorical_crossentropy", "from_logits": True}
    graph.add("loss", [value, target], attrs, "loss")
    trainer = _core.Trainer([("v", shape) for shape in shapes], "float32", 1)
    trainer.set_optimizer({"kind": "momentum"})
    plan = trainer.plan(graph, batch, update=True)
    rng = np.random.default_rng(0)
    data = _core.Dataset([rng.random((batch, 64), dtype=np.float32), (np.arange(batch, dtype=np.int32) % 10)[:, None]])
    return 1e6 * sum(trainer.time_steps(plan, data, batch, [], repeats))


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shapes", description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=500, help="runs of each plan (default 500)")
    repeats = parser.parse_args().repeats
    row = _core.row("float32")
    tile, slow = TILE_ROWS[row], 0
    print(f"row {row}, tiles of {tile} rows")
    for width, batch in itertools.product(WIDTHS, BATCHES):
        round_width, round_batch = -(-width // 8) * 8, -(-batch // tile) * tile
        odd, rounded = microseconds(width, batch, repeats), microseconds(round_width, round_batch, repeats)
        slow += odd > LIMIT * rounded
        print(f"{width:4} x {batch:3}: {odd:8.2f} us; {round_width:4} x {round_batch:3}: {rounded:8.2f} us; "
              f"{odd / rounded:.2f}{'  <<<' if odd > LIMIT * rounded else ''}", flush=True)  # fmt: skip
    print(f"{slow} of {len(WIDTHS) * len(BATCHES)} above {LIMIT}")


if __name__ == "__main__":
    main()
