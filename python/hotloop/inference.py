"""What makes a trained model small and quick to predict with: `Model.optimize_for_inference`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from . import losses
from .data import positive
from .exporting.fold import folded
from .layers import BlockSparseDense, Dense
from .layers.quantization import fits
from .tree import flatten
from .variable import COMPACT

if TYPE_CHECKING:
    from .model import Model

_TARGETS = ("latency", "size")
_NEARLY = 1.05
_CATEGORICAL = (
    losses.CategoricalCrossentropy, losses.CategoricalFocalCrossentropy, losses.CategoricalGeneralizedCrossEntropy,
    losses.CategoricalHinge,
)  # fmt: skip
_ROUNDS, _SECONDS = 7, 0.01  # of timing: every model in turn, as long each


@dataclass
class Candidate:
    """One way to store a model, and what it is worth.

    Attributes
    ----------
    name : str
        What was done.
    bytes : int
        Of the weights.
    microseconds : float
        Of one call of the model on so many rows; the least of rounds in which all candidates were timed in turn.
    score : float
        In points of 100: accuracy for class labels, else 100 times the explained share of the squares.
    """

    name: str
    bytes: int
    microseconds: float
    score: float


@dataclass
class InferenceReport:
    """What `Model.optimize_for_inference` has tried and taken.

    Attributes
    ----------
    before, after : Candidate
        The model that was given, and the one that came back.
    candidates : list of Candidate
        All that were measured, `before` first.
    layers : dict of str to str
        How each layer with a kernel of the new model is stored, by its name.
    rows : int
        Of the calls that were timed.
    """

    before: Candidate
    after: Candidate
    candidates: list[Candidate]
    layers: dict[str, str]
    rows: int

    def __str__(self) -> str:
        width = max(24, *(len(one.name) + 2 for one in self.candidates))
        lines = [f"{'':{width}}{'size':>12}{f'{self.rows} rows' if self.rows > 1 else 'one row':>12}{'score':>9}"]
        for one in self.candidates:
            mark = " <" if one is self.after else ""
            lines.append(f"{one.name:{width}}{one.bytes:>9} B{one.microseconds:>10.1f} us{one.score:>9.2f}{mark}")
        lines += [f"  {name}: {kind}" for name, kind in self.layers.items()]
        return "\n".join(lines)


def optimize(model: Any, x: Any, y: Any, budget: float, target: str, rows: int) -> tuple[Model, InferenceReport]:
    """`Model.optimize_for_inference`."""
    where = f"optimize_for_inference '{model.name}'"
    if target not in _TARGETS:
        raise ValueError(f"[{where}] expected target {' or '.join(map(repr, _TARGETS))}, received {target!r}.")
    if isinstance(budget, bool) or not isinstance(budget, (int, float, np.floating)) or not budget >= 0:
        raise ValueError(f"[{where}] expected a budget of at least 0 points, received {budget!r}.")
    positive(rows, "optimize_for_inference", "rows")
    inputs = len(flatten(model._inputs))
    if inputs > 1:
        raise ValueError(f"[{where}] expected a model with one input, received one with {inputs}.")
    data = np.asarray(x)
    if data.ndim < 2 or len(data) == 0 or data.dtype.kind not in "fiub":
        raise ValueError(
            f"[{where}] expected x as an array of at least one row of numbers, received shape {data.shape}."
        )
    if data.dtype.kind == "f":
        data = data.astype(model._dtype_now(), copy=False)
    score = _score_of(model, data, y, where)
    networks = _ways(model)
    seconds = _times([network for _, network in networks], np.resize(data, (rows, *data.shape[1:])))
    candidates = [
        Candidate(name, _size(network), 1e6 * min(times), score(network))
        for (name, network), times in zip(networks, seconds, strict=True)
    ]
    before = candidates[0]
    pays = [i for i, one in enumerate(candidates) if i > 0 and one.score >= before.score - budget]
    best = _best(candidates, pays or [1], target)  # the folded model is another way to write the same
    chosen = networks[best][1]
    layers = {
        layer.name: _stored(layer) for layer in chosen._all_layers() if isinstance(layer, (Dense, BlockSparseDense))
    }
    return chosen, InferenceReport(before, candidates[best], candidates, layers, rows)


def _best(candidates: list[Candidate], pays: list[int], target: str) -> int:
    """Of those that are nearly the quickest or smallest the one that scores best: a few percent of time are chance."""

    def cost(i: int) -> float:
        return candidates[i].microseconds if target == "latency" else candidates[i].bytes

    bar = _NEARLY * min(cost(i) for i in pays)
    return max((i for i in pays if cost(i) <= bar), key=lambda i: (candidates[i].score, -candidates[i].bytes))


def _ways(model: Any) -> list[tuple[str, Any]]:
    """The model, and others that compute nearly the same: names and networks."""
    from .pruning import compress

    bases = {"folded": folded(model)}
    partly = folded(model, rounded=True)
    if len(partly._all_layers()) > len(bases["folded"]._all_layers()):
        bases["folded in part"] = partly
    for name, base in [*bases.items()]:
        sparse = compress(base)
        if any(isinstance(layer, BlockSparseDense) for layer in sparse._all_layers()):
            bases[f"{name}, sparse"] = sparse
    found = [("as it is", model), *bases.items()]
    for mode in COMPACT:
        for name, base in bases.items():
            network = folded(base, rounded=True)  # nothing is left to fold: a copy
            plain = [layer for layer in network._all_layers() if type(layer) is Dense and layer.storage is None]
            if plain and all(layer.dtype == "float32" and fits(layer.kernel.numpy(), mode) for layer in plain):
                network.quantize(mode, filters=lambda layer: layer.storage is None)
                found.append((f"{name}, {mode}", network))
    return found


def _stored(layer: Any) -> str:
    return "blocks" if isinstance(layer, BlockSparseDense) else layer.storage or layer.dtype


def _size(network: Any) -> int:
    return sum(v.nbytes for v in network.weights)


def _times(networks: list[Any], x: np.ndarray) -> list[list[float]]:
    """Of each network the seconds of a call, once a round."""
    calls = []
    for network in networks:
        network(x)
        start = time.perf_counter()
        network(x)
        calls.append(max(1, round(_SECONDS / max(time.perf_counter() - start, 1e-7))))
    found: list[list[float]] = [[] for _ in networks]
    for _ in range(_ROUNDS):
        for times, network, count in zip(found, networks, calls, strict=True):
            start = time.perf_counter()
            for _ in range(count):
                network(x)
            times.append((time.perf_counter() - start) / count)
    return found


def _score_of(model: Any, x: np.ndarray, y: Any, where: str) -> Callable[[Any], float]:
    """Points of 100 for a network's outputs: of labels, of numbers, or beside the outputs of the model itself."""
    first = model.predict(x, verbose=0)
    if not isinstance(first, np.ndarray):
        raise ValueError(f"[{where}] expected a model with one output, received one with {len(first)}.")
    if not np.isfinite(first).all():
        raise ValueError(f"[{where}] expected a model with finite outputs for x, received others.")
    targets = first if y is None else np.asarray(y)
    if targets.dtype.kind not in "fiub" or not np.isfinite(targets).all():
        raise ValueError(f"[{where}] expected targets of finite numbers, received others, of dtype {targets.dtype}.")
    if len(targets) != len(first):
        raise ValueError(f"[{where}] expected as many targets as rows of x, {len(first)}, received {len(targets)}.")
    if y is not None and targets.shape == first.shape and _one_hot(model, targets):
        targets = targets.argmax(axis=-1)
    columns = first.size // len(first)
    whole = y is not None and targets.dtype.kind in "iub" and targets.size == len(targets)
    inside = whole and targets.min() >= 0 and targets.max() < max(2, columns)
    if whole and columns > 1 and not inside:
        raise ValueError(
            f"[{where}] expected labels from 0 to {columns - 1}, received {targets.min()} to {targets.max()}."
        )
    if inside:
        want = targets.reshape(-1).astype(np.int64)
        return lambda network: 100 * float(np.mean(_classes(network.predict(x, verbose=0)) == want))
    if targets.size != first.size:
        raise ValueError(f"[{where}] expected targets of shape {first.shape}, received {targets.shape}.")
    numbers = targets.reshape(len(first), -1).astype(np.float64)
    spread = float(np.sum((numbers - numbers.mean(axis=0)) ** 2)) or 1.0

    def explained(network: Any) -> float:
        return 100 * (1 - float(np.sum((network.predict(x, verbose=0).reshape(numbers.shape) - numbers) ** 2)) / spread)

    return explained


def _one_hot(model: Any, targets: np.ndarray) -> bool:
    """Whether the model's loss takes the last axis of its targets for classes."""
    if model._compiled is None or targets.ndim != 2 or targets.shape[1] < 2:
        return False
    [(loss, _)] = model._compiled._losses_of(model.output_names)
    return isinstance(losses.resolve(loss, targets.shape, targets.shape), _CATEGORICAL)


def _classes(outputs: np.ndarray) -> np.ndarray:
    """The classes that outputs name; of one column whether it is above the middle of probabilities, or of logits."""
    rows = outputs.reshape(len(outputs), -1)
    if rows.shape[1] > 1:
        return rows.argmax(axis=1)
    inside = rows.size and rows.min() >= 0 and rows.max() <= 1
    return (rows[:, 0] > (0.5 if inside else 0)).astype(np.int64)
