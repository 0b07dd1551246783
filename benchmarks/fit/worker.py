"""One peer with one workload in its own process; the driver talks to it over pipes, a line of JSON each way.

It answers its first line when the network is built and warm, then each ``{"epochs": n}`` with the seconds those took.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

WARM_EPOCHS = 2


def main() -> None:
    """Run as a command: ``python -m benchmarks.fit.worker PEER WORKLOAD``."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print must not reach the driver

    def answer(**values: Any) -> None:
        answers.write(json.dumps(values) + "\n")

    from benchmarks.fit import peers, workloads

    workload = workloads.WORKLOADS[sys.argv[2]]
    x, y = workload.data()
    try:
        peer = peers.load(sys.argv[1]).Peer(workload, x, y)
    except NotImplementedError as error:
        answer(absent=str(error))
        return
    peer.epochs(WARM_EPOCHS)
    answer(loss=peer.loss())
    for line in sys.stdin:
        epochs = json.loads(line)["epochs"]
        start = time.perf_counter()
        peer.epochs(epochs)
        answer(seconds=time.perf_counter() - start)


if __name__ == "__main__":
    main()
