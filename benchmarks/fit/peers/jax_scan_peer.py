"""JAX: a whole epoch in one compiled `lax.scan`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.fit.peers.jax_common import JaxPeer
from benchmarks.fit.workloads import Workload


class Peer(JaxPeer):
    """See :mod:`benchmarks.fit.peers`."""

    def __init__(self, workload: Workload, x: np.ndarray, y: np.ndarray, device: str = "cpu") -> None:
        super().__init__(workload, x, y, device)
        kinds = [jax.jit(kind, donate_argnums=0) for kind in (self.gather_each_step, self.gather_first)]
        self.epoch = min(kinds, key=self.seconds)

    def gather_each_step(self, state: Any, order: jax.Array, t: jax.Array) -> Any:
        """The scan walks row numbers."""

        def body(carry, index):
            state, t = carry
            return (self.step(state, self.x[index], self.y[index], t), t + 1), None

        return jax.lax.scan(body, (state, t), order)[0][0]

    def gather_first(self, state: Any, order: jax.Array, t: jax.Array) -> Any:
        """The scan walks a shuffled copy of the data."""

        def body(carry, batch):
            state, t = carry
            return (self.step(state, *batch, t), t + 1), None

        return jax.lax.scan(body, (state, t), (self.x[order], self.y[order]))[0][0]

    def seconds(self, epoch: Callable[..., Any]) -> float:
        """Least time of an epoch, on copies of the state."""
        times = []
        for _ in range(4):
            state, order = jax.tree.map(jnp.copy, self.state), self.order()
            start = time.perf_counter()
            jax.block_until_ready(epoch(state, order, jnp.int32(0)))
            times.append(time.perf_counter() - start)
        return min(times)

    def epochs(self, n: int) -> None:
        """Train."""
        for _ in range(n):
            self.state = self.epoch(self.state, self.order(), jnp.int32(self.t))
            self.t += self.workload.steps
        jax.block_until_ready(self.state[0])
