"""One file a peer. Each has ``LIBRARY``, what must be importable, and ``Peer``.

``Peer(workload, x, y)`` builds the network, those of ``ON_DEVICE`` also with a device after y; ``epochs(n)`` trains n
epochs over shuffled rows and returns when the last step is finished; ``loss()`` is the training loss of the whole data
set in inference mode. A peer that cannot do a workload raises NotImplementedError. Each does what its documentation
recommends for speed: data in memory as its own arrays, the fused optimizer where there is one, and on a CPU the number
of threads it is fastest with. Those of ``ON_DEVICE`` can start again (``restart()``) and say what share of labels they
get right (``accuracy(x, y)``).

A file that also has ``predictor(workload, x)`` takes part in predictions: it returns a function from array to array.
"""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

NAMES = (
    "hotloop", "torch_eager", "torch_compile", "jax_scan", "jax_step", "keras", "sklearn", "onnxruntime",
    "hotloop_float32",
)  # fmt: skip
ON_DEVICE = ("hotloop", "torch_eager", "torch_reduce_overhead", "torch_max_autotune", "torch_graphs", "jax_scan")
LIBRARIES = {
    "torch_eager": "torch", "torch_compile": "torch", "jax_scan": "jax", "jax_step": "jax",
    "hotloop_float32": "hotloop", "torch_reduce_overhead": "torch", "torch_max_autotune": "torch",
    "torch_graphs": "torch",
}  # fmt: skip


def load(name: str) -> ModuleType:
    """Import a peer's file."""
    return importlib.import_module(f"benchmarks.fit.peers.{name}_peer")


def installed(name: str) -> bool:
    """Whether the library a peer needs is here. Nothing heavy is imported."""
    return importlib.util.find_spec(LIBRARIES.get(name, name)) is not None
