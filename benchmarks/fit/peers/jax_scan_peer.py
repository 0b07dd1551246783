"""JAX: a whole epoch in one compiled `lax.scan`."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.fit.peers.jax_common import JaxPeer
from benchmarks.fit.workloads import Workload


class Peer(JaxPeer):
    """See :mod:`benchmarks.fit.peers`."""

    def __init__(self, workload: Workload, x: np.ndarray, y: np.ndarray) -> None:
        super().__init__(workload, x, y)

        def epoch(state, order, t):
            body = lambda carry, index: ((self.step(carry[0], index, carry[1]), carry[1] + 1), None)  # noqa: E731
            return jax.lax.scan(body, (state, t), order)[0]

        self.epoch = jax.jit(epoch, donate_argnums=0)

    def epochs(self, n: int) -> None:
        """Train."""
        for _ in range(n):
            self.state, t = self.epoch(self.state, self.order(), jnp.int32(self.t))
            self.t += self.workload.steps
        t.block_until_ready()
        jax.block_until_ready(self.state[0])
