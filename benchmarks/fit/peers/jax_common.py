"""The network and its step in JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.fit.workloads import Workload

State = tuple[Any, Any, Any, jax.Array]  # parameters, optimizer slots, moving statistics, random key
BATCH_NORM_MOMENTUM, BATCH_NORM_EPSILON = 0.99, 1e-3
PRECISIONS = {"float32": "highest", "tf32": "tensorfloat32", "bfloat16": "bfloat16"}  # a GPU's own default is tf32


class JaxPeer:
    """Data and state on the device; `self.step(state, x, y, t)` trains on one batch."""

    def __init__(self, workload: Workload, x: np.ndarray, y: np.ndarray, device: str = "cpu") -> None:
        if device != "cpu":
            assert jax.devices()[0].platform == "gpu", jax.devices()
        jax.config.update("jax_default_matmul_precision", PRECISIONS[workload.precision])
        self.workload = workload
        self.x, self.y = jnp.asarray(x), jnp.asarray(y)
        self.rng = np.random.default_rng(0)
        self.state = initial_state(workload)
        self.t = 0
        self.step = make_step(workload)
        self.evaluate = jax.jit(lambda p, s: loss_of(workload, p, s, self.x, self.y, None)[0])
        self.answer = jax.jit(lambda p, s, x: forward(workload, p, s, x, None)[0].argmax(1))

    def order(self) -> np.ndarray:
        """A shuffled epoch: (steps, batch) row numbers."""
        return self.rng.permutation(self.workload.rows).astype(np.int32).reshape(-1, self.workload.batch)

    def loss(self) -> float:
        """Training loss."""
        return float(self.evaluate(self.state[0], self.state[2]))

    def restart(self) -> None:
        """Initial weights, no state."""
        self.state, self.t = jax.block_until_ready(initial_state(self.workload)), 0

    def accuracy(self, x: np.ndarray, y: np.ndarray) -> float:
        """Share of right answers."""
        return float(np.mean(np.asarray(self.answer(self.state[0], self.state[2], jnp.asarray(x))) == y))


def initial_state(workload: Workload) -> State:
    """Glorot's initial values, zero biases and slots."""
    key = jax.random.key(0)
    parameters, moving = [], []
    last = len(workload.layers) - 1
    for i, (k, n) in enumerate(workload.layers):
        key, use = jax.random.split(key)
        limit = float(np.sqrt(6 / (k + n)))
        layer = {"w": jax.random.uniform(use, (k, n), minval=-limit, maxval=limit)}
        if workload.batch_norm and i < last:
            layer |= {"gamma": jnp.ones(n), "beta": jnp.zeros(n)}
            moving.append((jnp.zeros(n), jnp.ones(n)))
        else:
            layer["b"] = jnp.zeros(n)
        parameters.append(layer)
    count = {"sgd": 0, "momentum": 1, "adam": 2}[workload.optimizer]
    slots = [jax.tree.map(jnp.zeros_like, parameters) for _ in range(count)]
    return parameters, slots, moving, key


def forward(
    workload: Workload, parameters: Any, moving: Any, x: jax.Array, key: jax.Array | None
) -> tuple[jax.Array, Any]:
    """Outputs and new moving statistics; inference where `key` is None."""
    new_moving = []
    last = len(parameters) - 1
    for i, layer in enumerate(parameters):
        x = x @ layer["w"]
        if "b" in layer:
            x = x + layer["b"]
        if i == last:
            break
        if workload.batch_norm:
            mean, variance = moving[i]
            if key is not None:
                m, v = x.mean(0), x.var(0)
                keep = BATCH_NORM_MOMENTUM
                new_moving.append((mean * keep + m * (1 - keep), variance * keep + v * (1 - keep)))
                mean, variance = m, v
            x = (x - mean) * jax.lax.rsqrt(variance + BATCH_NORM_EPSILON) * layer["gamma"] + layer["beta"]
        x = jax.nn.elu(x) if workload.activation == "elu" else jax.nn.relu(x)
        if workload.dropout and key is not None:
            key, use = jax.random.split(key)
            x = jnp.where(jax.random.bernoulli(use, 1 - workload.dropout, x.shape), x / (1 - workload.dropout), 0)
    return x, new_moving


def loss_of(
    workload: Workload, parameters: Any, moving: Any, x: jax.Array, y: jax.Array, key: jax.Array | None
) -> tuple[jax.Array, Any]:
    """Mean loss and new moving statistics; inference where `key` is None."""
    x, new_moving = forward(workload, parameters, moving, x, key)
    if workload.loss == "mse":
        return jnp.mean((x - y) ** 2), new_moving
    picked = jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], axis=1)
    return -picked.mean(), new_moving


def make_step(workload: Workload) -> Callable[[State, jax.Array, jax.Array, jax.Array], State]:
    """One training step, for jit: `step(state, x, y, t)`."""
    gradient = jax.value_and_grad(lambda p, *rest: loss_of(workload, p, *rest), has_aux=True)

    def step(state: State, x: jax.Array, y: jax.Array, t: jax.Array) -> State:
        parameters, slots, moving, key = state
        key, use = jax.random.split(key) if workload.dropout else (key, key)
        (_, moving), g = gradient(parameters, moving, x, y, use)
        parameters, slots = update(workload, parameters, slots, g, t)
        return parameters, slots, moving, key

    return step


def update(workload: Workload, parameters: Any, slots: Any, g: Any, t: jax.Array) -> tuple[Any, Any]:
    """Keras's formulas."""
    if workload.optimizer == "sgd":
        return jax.tree.map(lambda w, g: w - workload.rate * g, parameters, g), slots
    if workload.optimizer == "momentum":
        v = jax.tree.map(lambda v, g: 0.9 * v - workload.rate * g, slots[0], g)
        return jax.tree.map(jnp.add, parameters, v), [v]
    m = jax.tree.map(lambda m, g: m + (g - m) * (1 - 0.9), slots[0], g)
    v = jax.tree.map(lambda v, g: v + (g * g - v) * (1 - 0.999), slots[1], g)
    alpha = workload.rate * jnp.sqrt(1 - 0.999 ** (t + 1.0)) / (1 - 0.9 ** (t + 1.0))
    return jax.tree.map(lambda w, m, v: w - alpha * m / (jnp.sqrt(v) + 1e-7), parameters, m, v), [m, v]
