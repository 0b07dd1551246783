"""Batch-norm statistics of a whole training set, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from .arrays import items_of
from .columns import rows_in
from .data import is_stream, positive, unpack
from .engine import FORWARD_ROWS, Engine
from .program import Columns, Program
from .runtime import Runtime
from .trace import Trace

if TYPE_CHECKING:
    from .layers.batch_normalization import BatchNormalization

WHERE = "recompute_batch_norm_statistics"
_ROWS = 4096  # at a time, unless told
_BLOCK = FORWARD_ROWS  # rows whose sums are made together, whatever the batches are


class Population(Runtime):
    """What a model does with statistics of a whole training set."""

    def recompute_batch_norm_statistics(self, x: Any, batch_size: int | None = None) -> None:
        """Replace the moving statistics of every BatchNormalization by those of a whole training set.

        Mean and biased variance of each layer's inputs over all samples, exact to rounding, in inference mode. Layers
        are taken in the order in which they are called, so each one sees the earlier ones with their new statistics.
        A frozen layer keeps its own.

        Parameters
        ----------
        x : as for `fit`
            The training set. Batches that are made one by one must be there for a pass a layer.
        batch_size : int, optional
            A hint how much memory to use, 4096 rows unless told. With arrays no bit depends on it.

        Raises
        ------
        ValueError
            If there is no such layer, or one gets NaN or Inf.

        Notes
        -----
        A layer that is called in several places gets the statistics of all it reads there. Ioffe and Szegedy, "Batch
        Normalization", ICML 2015, algorithm 2, has the same means, of training batches.

        Examples
        --------
        >>> import numpy as np
        >>> import hotloop as keras
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.BatchNormalization()])
        >>> model.recompute_batch_norm_statistics(np.array([[1.0], [3.0], [5.0]]))
        >>> [w.round(3).tolist() for w in model.get_weights()[2:]]
        [[3.0], [2.6670000553131104]]
        """
        rows = _ROWS if batch_size is None else positive(batch_size, WHERE, "batch_size")
        rows = -(-rows // _BLOCK) * _BLOCK
        once = hasattr(x, "__next__")
        if not once:
            next(_batches(self, x, rows), None)  # a model that is not built yet is built now
        layers = [] if once and self._inputs is None else _layers(self)
        if once and len(layers) != 1:
            raise ValueError(
                f"[{WHERE}] expected arrays or batches that can be read {len(layers) or 'several'} times, received a "
                f"{type(x).__name__}. Every layer takes a pass over the data: put it in arrays or a PyDataset."
            )
        if not layers:
            raise ValueError(
                f"[{WHERE}] expected a BatchNormalization that is not frozen, received model '{self.name}' without."
            )
        for place, layer in enumerate(layers):
            mean, variance = _moments(self, x, rows, place, layer)
            layer.moving_mean.assign(mean.reshape(layer.moving_mean.shape))
            layer.moving_variance.assign(variance.reshape(layer.moving_variance.shape))


def _traced(model: Population, engine: Engine) -> tuple[Trace, dict[int, list[tuple[Any, Any, int]]]]:
    """The model in inference mode; by layer in the order of first calls, what its calls normalise, and the axis."""
    trace = Trace(engine.dtype, False, engine.slab.index_of)
    trace.normalised = []
    model._call_traced(trace)
    calls: dict[int, list[tuple[Any, Any, int]]] = {}
    for call in trace.normalised:
        if call[0].trainable:
            calls.setdefault(id(call[0]), []).append(call)
    return trace, calls


def _layers(model: Population) -> list[BatchNormalization]:
    _, calls = _traced(model, model._get_engine())
    return [cast("BatchNormalization", found[0][0]) for found in calls.values()]


def _program(model: Population, engine: Engine, place: int) -> Program:
    def make() -> Program:
        trace, calls = _traced(model, engine)
        found = list(calls.values())[place]
        program = Program(trace, [x for _, x, _ in found])
        program.watched = [axis for _, _, axis in found]
        return program

    return engine.program((WHERE, place, model._freezing()), make)


def _moments(model: Population, x: Any, rows: int, place: int, layer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance of every channel, float64."""
    count, mean, squares = 0, np.float64(0), np.float64(0)
    for columns in _batches(model, x, rows):
        engine = model._get_engine()
        program = _program(model, engine, place)
        outputs = engine.forward(program, columns, rows_in(columns), WHERE)
        for values, axis in zip(outputs, program.watched, strict=True):
            if not np.isfinite(values).all():
                raise ValueError(
                    f"[{WHERE}] expected finite inputs of layer '{layer.name}', received NaN or Inf. Nothing was "
                    "changed in this layer and those after it."
                )
            for start in range(0, len(values), _BLOCK):
                block = np.moveaxis(values[start : start + _BLOCK], axis, -1)
                flat = block.reshape(-1, block.shape[-1]).astype(np.float64)
                n, m = len(flat), flat.mean(axis=0)
                # Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for sample variances", 1979.
                squares = squares + ((flat - m) ** 2).sum(axis=0) + (m - mean) ** 2 * (count * n / (count + n))
                mean = mean + (m - mean) * (n / (count + n))
                count += n
    if count == 0:
        raise ValueError(f"[{WHERE}] expected at least one sample, received none.")
    return np.asarray(mean), np.asarray(squares / count)


def _batches(model: Population, x: Any, rows: int) -> Iterator[Columns]:
    if is_stream(x):
        for item in items_of(x):
            yield model._columns(unpack(item)[0], where=WHERE)
        return
    columns = model._columns(x, where=WHERE)
    for start in range(0, rows_in(columns), rows):
        yield {key: array[start : start + rows] for key, array in columns.items()}
