"""JAX: one compiled call a step."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np

from benchmarks.fit.peers.jax_common import JaxPeer, initial_state
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


def predictor(workload: Workload, x: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A compiled call, array in, array out."""
    parameters = initial_state(workload)[0]

    def forward(x: jax.Array) -> jax.Array:
        for i, layer in enumerate(parameters):
            x = x @ layer["w"] + layer["b"]
            x = jax.nn.relu(x) if i + 1 < len(parameters) else x
        return x

    compiled = jax.jit(forward)
    return lambda x: np.asarray(compiled(x))
