"""Many small networks: a pack of 64 beside PyTorch, one after another, and JAX, all at once by `vmap` and `lax.scan`.

    python -m benchmarks.pack [--members 64] [--rounds 5] [--peers torch torch_fused jax]

torch is PyTorch as its tutorials write it, with a DataLoader; torch_fused its fused Adam and batches by index. Networks
30-64-64-2, batch 256, Adam, other seeds and rates; 10,240 rows, shuffled anew for every epoch and network. Prints
microseconds a network and step (medians), and the ratio of each peer's time to hotloop's, paired round by round. Then
trains some members alone and compares the hashes of their weights with those of the pack.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.fit.run import spread

WIDTHS, BATCH, STEPS = (30, 64, 64, 2), 256, 40
TORCH_MEMBERS = 4  # of as many as asked for: one after another, each costs the same


def data() -> tuple[np.ndarray, np.ndarray]:
    """Rows and classes."""
    x = np.random.default_rng(0).standard_normal((BATCH * STEPS, WIDTHS[0])).astype(np.float32)
    return x, (x[:, 0] * x[:, 1] > 0).astype(np.int64)


def rate(member: int) -> float:
    """Of a member."""
    return 1e-3 * (1 + member % 8)


def make_hotloop(member: int) -> Any:
    """One network."""
    import hotloop as keras

    keras.utils.set_random_seed(member)
    hidden = [keras.layers.Dense(n, activation="relu") for n in WIDTHS[1:-1]]
    model = keras.Sequential([keras.Input((WIDTHS[0],)), *hidden, keras.layers.Dense(WIDTHS[-1])])
    model.compile(keras.optimizers.Adam(rate(member)), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def hotloop_epoch(members: int) -> tuple[Callable[[], Any], int]:
    """An epoch of all members, and how many networks that is."""
    import hotloop as keras

    pack, (x, y) = keras.Pack.build(make_hotloop, [{"member": i} for i in range(members)]), data()
    return lambda: pack.fit(x, y, batch_size=BATCH, verbose=0), members


def torch_epoch(fused: bool) -> tuple[Callable[[], Any], int]:
    """An epoch of some members, one after another."""
    import torch

    x, y = (torch.from_numpy(a) for a in data())

    def network(member: int) -> tuple[Any, Any]:
        torch.manual_seed(member)
        layers: list[Any] = []
        for k, n in itertools.pairwise(WIDTHS):
            layers += [torch.nn.Linear(k, n), torch.nn.ReLU()]
        model = torch.nn.Sequential(*layers[:-1])
        return model, torch.optim.Adam(model.parameters(), rate(member), fused=fused or None)

    networks = [network(i) for i in range(TORCH_MEMBERS)]
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), BATCH, shuffle=True)

    def batches() -> Any:
        return ((x[rows], y[rows]) for rows in torch.randperm(len(x)).split(BATCH)) if fused else loader

    def epoch() -> None:
        for model, optimizer in networks:
            for inputs, targets in batches():
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(model(inputs), targets).backward()
                optimizer.step()

    return epoch, TORCH_MEMBERS


def jax_epoch(members: int) -> tuple[Callable[[], Any], int]:
    """An epoch of all members, batched."""
    import jax
    import jax.numpy as jnp

    x, y = (jnp.asarray(a) for a in data())
    rates = jnp.asarray([rate(i) for i in range(members)])

    def initial(key: Any) -> Any:
        keys = jax.random.split(key, len(WIDTHS) - 1)
        pairs = zip(keys, WIDTHS, WIDTHS[1:], strict=False)
        return [(jax.random.normal(k, (a, b)) * (2 / a) ** 0.5, jnp.zeros(b)) for k, a, b in pairs]

    def loss(parameters: Any, rows: Any) -> Any:
        h = x[rows]
        for i, (w, b) in enumerate(parameters):
            h = h @ w + b
            h = jax.nn.relu(h) if i < len(parameters) - 1 else h
        return -jnp.mean(jax.nn.log_softmax(h)[jnp.arange(BATCH), y[rows]])

    def step(state: Any, rows: Any) -> Any:
        p, m, v, t, eta = state
        g = jax.grad(loss)(p, rows)
        t = t + 1
        m = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, m, g)
        v = jax.tree.map(lambda a, b: 0.999 * a + 0.001 * b * b, v, g)
        scale = eta * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        p = jax.tree.map(lambda a, b, c: a - scale * b / (jnp.sqrt(c) + 1e-7), p, m, v)
        return (p, m, v, t, eta), None

    def epoch_of_one(state: Any, key: Any) -> Any:
        rows = jax.random.permutation(key, len(x)).reshape(STEPS, BATCH)
        return jax.lax.scan(step, state, rows)[0]

    run = jax.jit(jax.vmap(epoch_of_one))
    parameters = jax.vmap(initial)(jax.random.split(jax.random.key(0), members))
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    state = [(parameters, zeros, zeros, jnp.zeros(members), rates)]
    key = [jax.random.key(1)]

    def epoch() -> None:
        key[0], use = jax.random.split(key[0])
        state[0] = jax.block_until_ready(run(state[0], jax.random.split(use, members)))

    return epoch, members


def serve(peer: str, members: int) -> None:
    """Answer every line of standard input with the time of an epoch, in microseconds a network and step."""
    if peer.startswith("torch"):
        epoch, networks = torch_epoch(peer == "torch_fused")
    else:
        epoch, networks = {"jax": jax_epoch, "hotloop": hotloop_epoch}[peer](members)
    for _ in range(2):
        epoch()
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        epoch()
        print(1e6 * (time.perf_counter() - start) / (networks * STEPS), flush=True)


def digest(model: Any) -> str:
    """Of all weights."""
    return hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest()


def compare_with_solo(members: int) -> None:
    """Members of a pack beside the same networks trained alone."""
    import hotloop as keras

    x, y = data()
    pack = keras.Pack.build(make_hotloop, [{"member": i} for i in range(members)])
    pack.fit(x, y, batch_size=BATCH, epochs=2, verbose=0)
    same = 0
    for i in range(members):
        alone = make_hotloop(i)
        alone.fit(x, y, batch_size=BATCH, epochs=2, verbose=0)
        same += digest(alone) == digest(pack[i])
    print(f"{same} of {members} members have the hash of the network trained alone")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pack", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--members", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", nargs="*", default=["torch", "torch_fused", "jax"])
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(options.serve, options.members)
    names = ["hotloop", *options.peers]
    command = [sys.executable, "-m", "benchmarks.pack", "--members", str(options.members), "--serve"]
    workers = {
        n: subprocess.Popen([*command, n], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for n in names
    }
    times: dict[str, list[float]] = {n: [] for n in names}
    for name in names:
        if workers[name].stdout.readline().strip() != "ready":  # type: ignore[union-attr]
            print(f"{name} is not there")
            del times[name]
    for _ in range(options.rounds):
        for name in times:
            workers[name].stdin.write("go\n")  # type: ignore[union-attr]
            workers[name].stdin.flush()  # type: ignore[union-attr]
            times[name].append(float(workers[name].stdout.readline()))  # type: ignore[union-attr]
    for name in times:
        ratios = [b / a for a, b in zip(times["hotloop"], times[name], strict=True)]
        s = spread(ratios)
        ratio = f"{s['median']:.2f} [{s['low']:.2f} .. {s['high']:.2f}] times hotloop's"
        print(f"{name:11} {np.median(times[name]):8.1f} us a network and step, {ratio}")
    for worker in workers.values():
        worker.kill()
    compare_with_solo(min(options.members, 8))


if __name__ == "__main__":
    main()
