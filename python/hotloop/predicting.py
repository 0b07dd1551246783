"""The loops of predict over whole data sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import is_readable
from .callbacks import CallbackList
from .columns import rows_in
from .data import StreamSource, batch_size_of, positive, unpack
from .engine import FORWARD_ROWS
from .program import Columns
from .progress import resolve_verbose
from .stepping import own_step, predict_step

if TYPE_CHECKING:
    from .training import Training


def predict_columns(
    model: Training, columns: Columns, batch_size: Any, verbose: Any, steps: Any, callbacks: Any
) -> list[np.ndarray]:
    """`Model.predict` on arrays."""
    verbose = resolve_verbose(verbose)
    n = rows_in(columns)
    size = batch_size_of(batch_size, n, None, "predict")
    if steps is not None:
        n = min(n, size * positive(steps, "predict", "steps"))
        columns = {key: array[:n] for key, array in columns.items()}
    if own_step(model, "predict"):
        return _stepped(model, _cut(columns, size), verbose, -(-n // size), callbacks)
    engine, program = model._get_engine(), model._program("predict")
    whole = all(is_readable(array) for array in columns.values())
    if not callbacks and verbose == 0 and not program.draws and not program.couples_rows and whole:
        return engine.forward(program, columns, n, "predict", rows=max(size, FORWARD_ROWS))
    if not isinstance(callbacks, CallbackList):
        callbacks = CallbackList(
            callbacks, add_progbar=verbose != 0, model=model, verbose=verbose, epochs=1, steps=-(-n // size)
        )
    hooked = callbacks.overrides_predict_batch_hooks
    model.stop_predicting = False
    callbacks.on_predict_begin()
    pieces, stride = [], size if hooked or program.couples_rows else max(size, FORWARD_ROWS)
    for start in range(0, n, stride):
        if hooked:
            callbacks.on_predict_batch_begin(start // size)
        part = {key: array[start : start + stride] for key, array in columns.items()}
        seed, step = model._draw(1) if program.draws else (0, 0)
        pieces.append(engine.forward(program, part, rows_in(part), "predict", step, seed, stride))
        last = (start + rows_in(part) - 1) // size
        if hooked:
            callbacks.on_predict_batch_end(last, {"outputs": pieces[-1][0] if len(pieces[-1]) == 1 else pieces[-1]})
        callbacks.show_progress(last)
        if model.stop_predicting:
            break
    callbacks.on_predict_end()
    return _joined(pieces)


def predict_stream(model: Training, x: Any, verbose: Any, steps: Any, callbacks: Any) -> list[np.ndarray]:
    """`Model.predict` on batches that are made one by one."""
    verbose = resolve_verbose(verbose)
    source = StreamSource(x, lambda item: model._columns(unpack(item)[0], where="predict"))
    source.peek()
    total = source.steps if steps is None else positive(steps, "predict", "steps")
    if own_step(model, "predict"):
        return _stepped(model, source.batches(steps), verbose, total, callbacks)
    engine, program = model._get_engine(), model._program("predict")
    callbacks = CallbackList(
        callbacks, add_progbar=verbose != 0, model=model, verbose=verbose, epochs=1, steps=total
    )  # fmt: skip
    model.stop_predicting = False
    callbacks.on_predict_begin()
    pieces: list[list[np.ndarray]] = []
    for columns in source.batches(steps):
        callbacks.on_predict_batch_begin(len(pieces))
        seed, step = model._draw(1) if program.draws else (0, 0)
        n = rows_in(columns)
        pieces.append(engine.forward(program, columns, n, "predict", step, seed, n))
        callbacks.on_predict_batch_end(len(pieces) - 1, {"outputs": pieces[-1][0]})
        callbacks.show_progress(len(pieces) - 1)
        if model.stop_predicting:
            break
    callbacks.on_predict_end()
    return _joined(pieces)


def _stepped(
    model: Training, batches: Iterable[Columns], verbose: int, total: int | None, callbacks: Any
) -> list[np.ndarray]:
    """The outputs of the model's own `predict_step`."""
    if not isinstance(callbacks, CallbackList):
        callbacks = CallbackList(
            callbacks, add_progbar=verbose != 0, model=model, verbose=verbose, epochs=1, steps=total
        )  # fmt: skip
    model.stop_predicting = False
    callbacks.on_predict_begin()
    pieces: list[list[np.ndarray]] = []
    for columns in batches:
        callbacks.on_predict_batch_begin(len(pieces))
        pieces.append(predict_step(model, columns))
        outputs = pieces[-1][0] if len(pieces[-1]) == 1 else pieces[-1]
        callbacks.on_predict_batch_end(len(pieces) - 1, {"outputs": outputs})
        callbacks.show_progress(len(pieces) - 1)
        if model.stop_predicting:
            break
    callbacks.on_predict_end()
    return _joined(pieces)


def _cut(columns: Columns, size: int) -> Iterator[Columns]:
    for start in range(0, rows_in(columns), size):
        yield {key: array[start : start + size] for key, array in columns.items()}


def predict_samples(
    model: Training, columns: Columns, samples: int, batch_size: Any
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """`Model.predict_mc`: for each output the mean and the standard deviation."""
    n = rows_in(columns)
    rows = batch_size_of(batch_size, n, None, "predict_mc")
    engine, program = model._get_engine(), model._program("sample")
    if not program.couples_rows:
        rows = max(rows, FORWARD_ROWS)
    if not program.draws:
        outputs = engine.forward(program, columns, n, "predict_mc", rows=rows)
        return outputs, [np.zeros_like(output) for output in outputs]
    seed, step = model._draw(samples)
    return engine.sample(program, columns, n, "predict_mc", samples, step, seed, rows)


def _joined(pieces: list[list[np.ndarray]]) -> list[np.ndarray]:
    return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]
