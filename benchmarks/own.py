"""What formulas of one's own cost: an activation and a loss of `hotloop.ops` beside the built-in ones of the same name.

Ratios of the time of a training step, paired round by round, with the spread, on one worker and on two.

    python -m benchmarks.own [--rounds 7]
"""

from __future__ import annotations

import argparse

from benchmarks.fit.run import spread
from benchmarks.threads import Trainer

NETWORKS = {
    "8-64-64-1 b32": ((8, 64, 64, 1), 32, 2000),
    "100-300-300-1 b128": ((100, 300, 300, 1), 128, 200),
    "32-1024-8 b1024": ((32, 1024, 8), 1024, 20),
}
SECONDS = 0.3  # of a measurement
CHILD = """
import json, sys, time
import numpy as np
import hotloop as keras
from hotloop import ops
def gelu(x):
    return 0.5 * x * (1 + ops.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))
def huber(y, p):
    error = ops.abs(y - p)
    return ops.mean(ops.where(error <= 1, 0.5 * error * error, error - 0.5), axis=-1)
def builtin_gelu(x):
    return keras.activations.gelu(x, approximate=True)
widths, batch, batches, own = json.loads(sys.argv[1])
keras.utils.set_random_seed(0)
layers = [keras.layers.Dense(n, activation=gelu if own else builtin_gelu) for n in widths[1:-1]]
model = keras.Sequential([keras.Input((widths[0],)), *layers, keras.layers.Dense(widths[-1])])
model.compile("adam", huber if own else keras.losses.Huber())
rng = np.random.default_rng(0)
x = rng.standard_normal((batch * batches, widths[0])).astype("float32")
y = rng.standard_normal((len(x), widths[-1])).astype("float32")
model.fit(x, y, batch_size=batch, verbose=0)
"""


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.own", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    for name, case in NETWORKS.items():
        for threads in (1, 2):
            own, builtin = (Trainer(CHILD, [*case, mine], threads) for mine in (True, False))
            pairs = [(own.microseconds(SECONDS), builtin.microseconds(SECONDS)) for _ in range(rounds)]
            own.close()
            builtin.close()
            ratio, us = spread([a / b for a, b in pairs]), spread([a for a, _ in pairs])
            print(
                f"{name}, {threads} workers: {us['median']:.1f} us/step, {ratio['median']:.2f} of the built-in ones' "
                f"[{ratio['low']:.2f} .. {ratio['high']:.2f}]",
                flush=True,
            )


if __name__ == "__main__":
    main()
