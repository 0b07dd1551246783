"""hotloop on the same images as float32."""

from __future__ import annotations

import numpy as np

from benchmarks.fit.peers import hotloop_peer
from benchmarks.fit.workloads import Workload


class Peer(hotloop_peer.Peer):
    """See :mod:`benchmarks.fit.peers`."""

    def __init__(self, workload: Workload, x: np.ndarray, y: np.ndarray) -> None:
        super().__init__(workload, x.astype(np.float32), y)
