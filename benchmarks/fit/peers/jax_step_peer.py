"""JAX: one compiled call a step."""

from __future__ import annotations

import jax
import numpy as np

from benchmarks.fit.peers.jax_common import JaxPeer
from benchmarks.fit.workloads import Workload


class Peer(JaxPeer):
    """See :mod:`benchmarks.fit.peers`."""

    def __init__(self, workload: Workload, x: np.ndarray, y: np.ndarray) -> None:
        super().__init__(workload, x, y)

        def step(state, index, t):
            return self.step(state, self.x[index], self.y[index], t)

        self.compiled = jax.jit(step, donate_argnums=0)

    def epochs(self, n: int) -> None:
        """Train."""
        for _ in range(n):
            for index in self.order():
                self.state = self.compiled(self.state, index, np.int32(self.t))
                self.t += 1
        jax.block_until_ready(self.state[0])
