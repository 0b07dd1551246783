"""hotloop: dense neural networks at the speed of the machine. `import hotloop as keras` runs Keras code.

Modules that few programs need (data sets, files, the test harness) are imported when they are first used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import (
    _core,
    activations,
    backend,
    callbacks,
    config,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    random,
    regularizers,
    utils,
)
from ._core import DeviceError
from .devices import device, devices, get_device, set_device
from .identifiers import suggest_names
from .initializers import Initializer
from .layers import Input, Layer
from .losses import Loss
from .metrics import Metric
from .models import Model, Sequential
from .optimizers import Optimizer
from .tensor import KerasTensor, TraceError
from .variable import Variable

if TYPE_CHECKING:
    from . import catalog, datasets, pretraining, pruning, saving, testing
    from .ensemble import Ensemble
    from .pack import Pack
    from .saving import FormatError
    from .table import TableModel

__version__: str = _core.build_info()["version"]

__all__ = [
    "DeviceError", "Ensemble", "FormatError", "Initializer", "Input", "KerasTensor", "Layer", "Loss", "Metric", "Model",
    "Optimizer", "Pack", "Sequential", "TableModel", "TraceError", "Variable", "activations", "backend", "callbacks",
    "catalog", "config", "constraints", "datasets", "device", "devices", "get_device", "initializers", "layers",
    "losses", "metrics", "models", "ops", "optimizers", "pretraining", "pruning", "random", "regularizers", "saving",
    "set_device", "testing", "utils",
]  # fmt: skip

_LATER = {
    "catalog": "", "datasets": "", "pretraining": "", "pruning": "", "saving": "", "testing": "",
    "Ensemble": "ensemble", "FormatError": "saving", "Pack": "pack", "search": "", "TableModel": "table",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(name)  # `suggest_names` says more
    home = _LATER[name]
    value = getattr(import_module(f".{home}", __name__), name) if home else import_module(f".{name}", __name__)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})


for _module in (
    activations, backend, callbacks, config, constraints, initializers, layers, losses, metrics, models, ops,
    optimizers, optimizers.schedules, random, regularizers, utils, sys.modules[__name__],
):  # fmt: skip
    suggest_names(_module)
