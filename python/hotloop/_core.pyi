"""The compiled engine. Made by tools/make_stubs.py, do not edit."""

from collections.abc import Sequence
from typing import Any

import numpy
import numpy.typing

class Dataset:
    """One array per input of a graph; the arrays are kept, not copied."""
    def __init__(self, arrays: Sequence[numpy.typing.NDArray[Any]]) -> None: ...
    def __len__(self) -> int: ...

class DeviceError(RuntimeError): ...

class Graph:
    """Nodes and values; every check of shapes and attributes happens when a node is added."""
    def __init__(self, dtype: str = 'float32') -> None: ...
    def input(self, shape: Sequence[int], dtype: str, name: str = '') -> int:
        """Adds an input; shape is that of one row."""
    def variable(self, index: int, shape: Sequence[int], trainable: bool, name: str = '', dtype: str = '') -> int:
        """Refers to variable `index` of the trainer that will plan this graph, stored in this type."""
    def add(self, op: str, inputs: Sequence[int], attrs: dict[str, Any] = {}, name: str = '') -> int:
        """Adds a node and returns its value, or -1 if it has none (a loss, a metric)."""
    def output(self, value: int) -> None:
        """Asks for a value to be written out."""
    def shape(self, value: int) -> tuple[Any, ...]: ...
    def dtype(self, value: int) -> str: ...

class Plan:
    """An ordered list of kernel calls with final addresses, for batches of up to max_rows."""
    @property
    def max_rows(self) -> int: ...
    @property
    def memory(self) -> int:
        """Bytes of activations, gradients and scratch."""
    def metrics(self) -> numpy.typing.NDArray[numpy.float64]:
        """Rows [total, count, last value, first step that was not finite]."""
    def set_metrics(self, rows: numpy.typing.NDArray[numpy.float64]) -> None:
        """Go on from what `metrics` gave."""
    def reset_metrics(self) -> None: ...
    def input_gradient(self, k: int, rows: int = -1) -> numpy.typing.NDArray[Any]:
        """Of graph input k, the first rows (all that the plan has room for unless told)."""
    def describe(self) -> list[dict[str, Any]]:
        """One dict a step: node, op, kernel, flops, bytes, barrier."""

class Prediction:
    """Outputs of n_rows rows, batch by batch, each worker its own batches in its own plan. With more samples each batch runs so often, with the random numbers of the next steps, and the moments go to means and squares (of the deviations, summed), which start as zeros."""
    def __init__(self, trainer: Trainer, plans: Sequence[Plan], dataset: object, batch_size: int, n_rows: int, step: int = 0, seed: int = 0, outputs: Sequence[numpy.typing.NDArray[Any]] = [], samples: int = 1, means: Sequence[numpy.typing.NDArray[Any]] = [], squares: Sequence[numpy.typing.NDArray[Any]] = []) -> None: ...
    def run(self, slice_seconds: float = 0.05) -> bool:
        """Goes on for at most about slice_seconds; true when all is done. The GIL is released."""

class Predictor:
    """Predictions of a graph with one input and one output, array in, array out."""
    def __init__(self, trainer: Trainer, graph: Graph) -> None: ...
    def predict(self, x: numpy.typing.NDArray[Any]) -> numpy.typing.NDArray[Any] | None:
        """The outputs, or None where x is no C-contiguous, finite array of the input's shape and dtype, or too long."""

class RowIndex:
    """Row numbers in the order of a pass, looked at once; the array is kept."""
    def __init__(self, rows: numpy.typing.NDArray[numpy.int64]) -> None: ...
    def __len__(self) -> int: ...

class TeamSize:
    """How many workers run a plan, by the times of its batches."""
    def __init__(self) -> None: ...
    def choose(self, work: float, most: int, time: float) -> tuple[int, bool]:
        """(workers, is this a trial?)"""
    def record(self, workers: int, trial: bool, seconds: float, batches: float, time: float) -> None: ...

class Trainer:
    """Owns variables and optimizer slots, and runs batches."""
    def __init__(self, variables: Sequence[tuple[str, Sequence[int]]], dtype: str = 'float32', n_threads: int = 0, stored: Sequence[str] = []) -> None: ...
    def plan(self, graph: Graph, max_rows: int, training: bool = False, update: bool = False, input_gradients: bool = False, samples: bool = False, resumable: bool = False) -> Plan:
        """Some steps may run once for several runs of the others: those that no random number enters (`samples`), or those that lead to the outputs (`resumable`)."""
    def set_optimizer(self, spec: dict[str, Any], keep_slots: bool = False, undecayed: Sequence[int] = [], rate_factors: Sequence[float] = [], by_adam: Sequence[int] = [], keep_zeros: Sequence[int] = []) -> None: ...
    @property
    def n_slots(self) -> int: ...
    def memory(self) -> dict[str, Any]:
        """Bytes by what they hold: weights, gradients, optimizer, and batches: the plans' memory."""
    def get(self, i: int) -> numpy.typing.NDArray[Any]: ...
    def set(self, i: int, array: numpy.typing.NDArray[Any]) -> None: ...
    def get_slot(self, slot: int, i: int) -> numpy.typing.NDArray[Any]: ...
    def set_slot(self, slot: int, i: int, array: numpy.typing.NDArray[Any]) -> None: ...
    def gradient(self, i: int) -> numpy.typing.NDArray[Any]: ...
    def set_gradient(self, i: int, array: numpy.typing.NDArray[Any]) -> None: ...
    def plan_gradient(self, plan: Plan, i: int) -> numpy.typing.NDArray[Any]:
        """What a run of this plan has just left as the gradient of variable i; zeros if it gets none."""
    def run(self, plan: Plan, dataset: Dataset, first_batch: int, n_batches: int, batch_size: int, n_rows: int, index: RowIndex | None = None, rates: numpy.typing.NDArray[numpy.float64] | None = None, step: int = 0, seed: int = 0, outputs: Sequence[numpy.typing.NDArray[Any]] = [], slice_seconds: float = 0.05, momenta: numpy.typing.NDArray[numpy.float64] | None = None, part: str = 'whole') -> int:
        """Runs batches until done or slice_seconds have passed; returns how many. The GIL is released. `part`: the 'whole', only the 'fixed' steps, or the 'rest', after a run of these with the same batch."""
    def time_steps(self, plan: Plan, dataset: Dataset, rows: int, outputs: Sequence[numpy.typing.NDArray[Any]] = [], repeats: int = 100) -> list[float]:
        """Seconds of each step of a plan on one worker, the least of many batches of the first rows. An updating plan updates each time."""

def activation_names() -> list[str]: ...

def build_info() -> dict[str, Any]:
    """Version, compiler and kind of team this extension was built with."""

def check_finite(array: numpy.typing.NDArray[Any]) -> int:
    """First row with a NaN or an infinity, or -1."""

def check_labels(array: numpy.typing.NDArray[Any], n_classes: int) -> int:
    """First row that is not a whole number in [0, n_classes), or -1."""

def device() -> str:
    """The device of models made from now on."""

def devices() -> list[str]:
    """'cpu', and the devices that this machine has."""

def op_names() -> list[str]: ...

def permutation(n: int, seed: int, epoch: int) -> numpy.typing.NDArray[numpy.int64]:
    """The order of the rows in an epoch, a function of (seed, epoch) alone."""

def philox(counter: Sequence[int], key: Sequence[int]) -> list[int]:
    """Philox4x32-10: four random words."""

def random(kind: str, shape: Sequence[int], a: float, b: float, seed: int, stream: int = 0, dtype: str = 'float32') -> numpy.typing.NDArray[Any]:
    """Initial values: 'uniform' on [a, b), 'normal' or 'truncated_normal' with mean a and standard deviation b."""

def row(dtype: str = 'float32') -> str:
    """The row in use."""

def rows() -> list[str]:
    """Rows of the kernel table that this machine can run, best last."""

def set_device(name: str) -> None:
    """Choose it."""

def set_lone_worker(on: bool) -> None:
    """Let everything that this thread runs from now on run on it alone."""

def set_threads(count: int | None) -> None:
    """Ask for a number of workers; None takes the wish back."""

def threads() -> int:
    """Workers a team may have on this machine, by its present limits."""
