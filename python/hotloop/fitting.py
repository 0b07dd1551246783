"""The loops of fit and evaluate over whole data sets. Epochs run here, batches in the engine."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .callbacks import CallbackList, History, ProgbarLogger
from .columns import rows_in
from .compiled import Resolved
from .data import ArraySource, StreamSource, batch_size_of, is_stream, positive, split, unpack, warn_ended
from .frozen import MOST_BYTES, FrozenCache
from .overrides import is_overridden
from .passes import Pass, warn_not_finite
from .program import Columns, Program
from .progress import resolve_verbose
from .stepping import StepPass, StepProgram, StepTerms, check_steps, own_step

if TYPE_CHECKING:
    from .training import Training

Source = ArraySource | StreamSource


def fit_data(
    model: Training,
    x: Any,
    y: Any,
    batch_size: Any,
    epochs: Any,
    verbose: Any,
    callbacks: Any,
    validation_split: Any,
    validation_data: Any,
    shuffle: Any,
    class_weight: Any,
    sample_weight: Any,
    initial_epoch: int,
    steps_per_epoch: Any,
    validation_steps: Any,
    validation_batch_size: Any,
    validation_freq: Any,
    resume: Any,
    cache_frozen: Any,
) -> Any:
    """`Model.fit`: check everything, then train."""
    compiled = model._require("fit", training=True)
    verbose = resolve_verbose(verbose)
    epochs = positive(epochs, "fit", "epochs", least=0)
    initial_epoch = positive(initial_epoch, "fit", "initial_epoch", least=0)
    if steps_per_epoch is not None:
        steps_per_epoch = positive(steps_per_epoch, "fit", "steps_per_epoch")
    if validation_steps is not None:
        validation_steps = positive(validation_steps, "fit", "validation_steps")
    if resume is not None and not isinstance(resume, (str, bytes, os.PathLike)):
        raise TypeError(
            f"[fit] expected resume to be the name of a file that was saved during fit, received {resume!r}. To go on "
            "with the weights and optimizer that are there, pass initial_epoch."
        )
    validates = _validates(validation_freq)
    if cache_frozen not in (True, False, "auto"):
        raise ValueError(f"[fit] expected cache_frozen to be True, False or 'auto', received {cache_frozen!r}.")
    if cache_frozen is True and is_stream(x):
        raise ValueError(
            f"[fit] expected arrays for cache_frozen=True, received {type(x).__name__}. Leave it at 'auto'."
        )
    plain = shuffle is None or isinstance(shuffle, (str, int, float, np.generic))
    if not plain or shuffle not in (True, False, "batch"):
        received = repr(shuffle) if plain else type(shuffle).__name__
        raise ValueError(
            f"[fit] expected shuffle to be True, False or 'batch', received {received}. "
            "For an order of one's own reorder the rows and pass shuffle=False."
        )
    if not isinstance(validation_split, (int, float, np.floating)) or not 0 <= validation_split < 1:
        raise ValueError(f"[fit] expected validation_split in [0, 1), received {validation_split!r}.")

    held_out: Columns | None = None
    if is_stream(x):
        source: Source = _stream(model, x, y, sample_weight, class_weight, validation_split, shuffle)
    else:
        columns = model._columns(x, y, sample_weight, class_weight, "fit")
        if validation_split and validation_data is None:
            columns, held_out = split(columns, validation_split, "fit")
            if class_weight is not None:
                held_out = {k: a for k, a in held_out.items() if k[0] != "w"}  # class weights are for training alone
        size = batch_size_of(batch_size, rows_in(columns), steps_per_epoch, "fit")
        source = ArraySource(columns, size, shuffle, model._seed_now(), model._passes)
        batch_size = size
    validation: Source | None = None
    if validation_data is not None or held_out is not None:
        size = batch_size_of(validation_batch_size or batch_size, 0, None, "fit", "validation_batch_size")
        validation = _validation_source(model, validation_data, held_out, size)

    _prepare(model, source, "train", "fit")
    if validation is not None:
        _prepare(model, validation, "test", "fit validation_data")
    if not own_step(model, "train"):
        model._get_engine().use_optimizer(compiled.optimizer)
    steps = source.steps if steps_per_epoch is None else steps_per_epoch
    if not isinstance(callbacks, CallbackList):
        callbacks = CallbackList(
            callbacks, add_history=True, add_progbar=verbose != 0, model=model, verbose=verbose, epochs=epochs,
            steps=steps,
        )  # fmt: skip
    else:
        callbacks.set_model(model)
    training = _Training(
        model, source, steps_per_epoch, callbacks, verbose, validation, validation_steps, validates
    )  # fmt: skip
    training.resume_from = resume
    whole_epochs = epochs - initial_epoch > 1 and steps_per_epoch is None and not callbacks.overrides_batch_hooks
    if cache_frozen is True or (cache_frozen and whole_epochs):
        watch = any(not isinstance(callback, (History, ProgbarLogger)) for callback in callbacks.callbacks)
        training.cache = FrozenCache(None if cache_frozen is True else MOST_BYTES, watch)
    training.run(initial_epoch, epochs)
    return model.history


class _Training:
    """The epochs of one `fit`."""

    def __init__(
        self,
        model: Training,
        source: Source,
        steps: int | None,
        callbacks: CallbackList,
        verbose: int,
        validation: Source | None,
        validation_steps: int | None,
        validates: Callable[[int], bool],
    ) -> None:
        self.model, self.source, self.steps = model, source, steps
        self.callbacks, self.verbose = callbacks, verbose
        self.validation, self.validation_steps, self.validates = validation, validation_steps, validates
        self.warned = False
        self.resume_from: Any = None  # a file of the whole state; callbacks may set it in on_train_begin
        self.cache: FrozenCache | None = None
        self.epoch = self.batch = 0  # the next batch, as files are to say
        self._pass: Any = None

    def run(self, initial_epoch: int, epochs: int) -> None:
        self.epoch = initial_epoch
        self.model._running = self
        try:
            self._run(epochs)
        finally:
            self.model._running = None

    def _run(self, epochs: int) -> None:
        model = self.model
        model.stop_training = False
        self.callbacks.on_train_begin()
        totals = None
        if self.resume_from is not None:
            from .saving.resuming import resume

            totals = resume(self, self.resume_from)
        logs: dict[str, Any] = {}
        trained = self.resume_from is not None
        for epoch in range(self.epoch, epochs):
            if self.model.stop_training:  # it had stopped when the file was written
                break
            if totals is None and not self.source.has_more():
                warn_ended(epoch, epochs)
                break
            self.epoch = epoch
            if totals is None:
                self.callbacks.on_epoch_begin(epoch)
            elif self.callbacks.progbar is not None:  # the others have seen this epoch begin
                self.callbacks.progbar.on_epoch_begin(epoch)
            logs, totals, trained = self._epoch(totals), None, True
            if self.validation is not None and self.validates(epoch + 1):
                _, val_logs = run_test(
                    model, self.validation, self.validation_steps, self.callbacks, "fit", cache=self.cache
                )
                logs.update({f"val_{name}": value for name, value in val_logs.items()})
            logs = dict(sorted(logs.items()))
            self.epoch, self.batch, self._pass = epoch + 1, 0, None
            self.source.mark()
            self.callbacks.on_epoch_end(epoch, logs)
            if model.stop_training:
                break
        if trained:
            model._get_engine().finish_averages(model.trainable_weights)
        self.callbacks.on_train_end(logs)

    def _epoch(self, totals: np.ndarray | None) -> dict[str, Any]:
        """Train the batches from `self.batch` on; `totals` are the sums of those before."""
        model = self.model
        optimizer = model._require("fit", training=True).optimizer  # a callback may have compiled,
        resolved, program = _prepare(model, self.source, "train", "fit", self.cache)  # or frozen layers
        passing = _pass(model, "train", resolved, program, optimizer)
        if totals is not None:
            passing.go_on_from(totals)
        self._pass = passing
        loop = _Batches(self.callbacks, passing, "train", model._steps_per_execution, self.verbose, self._note)
        try:
            loop.run(self.source, self.steps, lambda: model.stop_training, self.batch)
        finally:
            model._passes = self.source.passes
            passing.finish()
        bad = passing.first_bad_step()
        if bad >= 0 and not self.warned:
            self.warned = True
            warn_not_finite(bad, model._get_engine())
        return passing.logs()

    def _note(self, batch: int) -> None:
        self.batch = batch

    def first_rows(self, n: int) -> Columns:
        """Some rows of the training data, for callbacks that look at them; before the first epoch."""
        columns = self.source.whole if isinstance(self.source, ArraySource) else self.source.peek()
        return {key: np.array(array[:n]) for key, array in columns.items()}

    def check_totals(self, totals: np.ndarray) -> None:
        """Sums that a file holds must be those of this model's losses, metrics and penalties."""
        resolved, program = _prepare(self.model, self.source, "train", "fit")
        expected = resolved.rows + program.penalties
        if totals.shape != (expected, 2):
            raise ValueError(
                f"[fit] expected sums of {expected} losses, metrics and penalties, received {len(totals)}. Compile the "
                "model as it was."
            )

    def position(self) -> dict[str, Any]:
        """Where training is, for files: `saving.resuming` reads it back."""
        passes, batch = self.source.position(self.batch)
        return {
            "epoch": self.epoch, "batch": self.batch, "begun": self.source.begun, "passes": passes, "pass_batch": batch,
            "totals": None if self._pass is None else self._pass.totals().tolist(),
            "stopped": bool(self.model.stop_training),
        }  # fmt: skip


class _Batches:
    """The batches of one pass: as many at a time as callbacks allow."""

    def __init__(
        self,
        callbacks: CallbackList,
        passing: Any,
        mode: str,
        group: int,
        verbose: int,
        note: Callable[[int], None] = lambda batch: None,
    ) -> None:
        self.callbacks, self.passing, self.note = callbacks, passing, note
        self.begin = getattr(callbacks, f"on_{mode}_batch_begin")
        self.end = getattr(callbacks, f"on_{mode}_batch_end")
        hooked = callbacks.overrides_batch_hooks if mode == "train" else callbacks.overrides_test_batch_hooks
        self.group = group if hooked else None
        self.verbose = verbose

    def run(self, source: Source, limit: int | None, stopped: Callable[[], bool], before: int = 0) -> None:
        """Run the batches after the first `before` of the epoch."""
        passing = self.passing
        for chunk in source.chunks(passing.program, passing.where, limit, before):
            passing.begin(chunk, rates=self.group is None)
            done = 0
            while done < chunk.count:
                left = chunk.count - done
                done += passing.run(done, left) if self.group is None else self._hooked(before, done, left)
                if self.verbose:  # without a bar the number of batches is all that is kept
                    logs = passing.logs() if self.verbose == 1 else None
                    self.callbacks.show_progress(before + done - 1, logs)
                if stopped():
                    return
            before += chunk.count

    def _hooked(self, before: int, done: int, left: int) -> int:
        count = min(self.group or 1, left)
        self.begin(before + done)
        ran = 0
        while ran < count:
            ran += self.passing.run(done + ran, count - ran)
        self.note(before + done + ran)
        self.end(before + done + ran - 1, self.passing.logs())
        return ran


def evaluate_data(
    model: Training, x: Any, y: Any, batch_size: Any, verbose: Any, sample_weight: Any, steps: Any, callbacks: Any
) -> tuple[Resolved, dict[str, Any]]:
    """`Model.evaluate`: the terms and their values."""
    model._require("evaluate")
    verbose = resolve_verbose(verbose)
    if steps is not None:
        steps = positive(steps, "evaluate", "steps")
    if is_stream(x):
        source: Source = _stream(model, x, y, sample_weight, None, 0.0, False, "evaluate")
    else:
        columns = model._columns(x, y, sample_weight, None, "evaluate")
        source = ArraySource(columns, batch_size_of(batch_size, rows_in(columns), None, "evaluate"))
    _prepare(model, source, "test", "evaluate")
    if not isinstance(callbacks, CallbackList):
        callbacks = CallbackList(
            callbacks, add_progbar=verbose != 0, model=model, verbose=verbose, epochs=1, steps=steps or source.steps
        )
    model.stop_evaluating = False
    return run_test(model, source, steps, callbacks, "evaluate", verbose)


def run_test(
    model: Training,
    source: Source,
    steps: int | None,
    callbacks: CallbackList,
    where: str,
    verbose: int = 0,
    cache: FrozenCache | None = None,
) -> tuple[Resolved, dict[str, Any]]:
    """Evaluate on a source, always from its beginning."""
    source.rewind()
    resolved, program = _prepare(model, source, "test", where, cache)
    if steps is not None and source.steps is not None:
        steps = min(steps, source.steps)
    passing = _pass(model, "test", resolved, program)
    callbacks.on_test_begin()
    try:
        _Batches(callbacks, passing, "test", model._steps_per_execution, verbose).run(
            source, steps, lambda: model.stop_evaluating
        )
    finally:
        passing.finish()
    logs = passing.logs()
    callbacks.on_test_end(logs)
    return resolved, logs


def _prepare(
    model: Training, source: Source, mode: str, where: str, cache: FrozenCache | None = None
) -> tuple[Resolved, Program]:
    """The terms and the program for a source; its data is checked against them before anything runs."""
    if own_step(model, mode):
        check_steps(model)
        stepping: Any = StepProgram()
        if isinstance(source, ArraySource):
            source.columns = source.whole
        source.prepare(stepping, where)
        return StepTerms(), stepping  # type: ignore[return-value]
    stack = None
    if isinstance(source, ArraySource):
        columns = source.whole
        if cache is not None and not source.in_parts and not is_overridden(model, "compute_loss"):  # which sees x
            stack, kept = cache.stack(model, source)
            columns = kept or columns
        source.columns = columns
    else:
        columns = source.peek()
    resolved = model._resolve(columns, where)
    program = model._program(mode, resolved, columns, stack)
    source.prepare(program, where)
    return resolved, program


def _pass(model: Training, mode: str, resolved: Resolved, program: Program, optimizer: Any = None) -> Any:
    """What runs the batches of an epoch."""
    if own_step(model, mode):
        return StepPass(model, mode, program)
    engine = model._get_engine()
    if optimizer is not None:
        engine.use_optimizer(optimizer)
    return Pass(engine, program, resolved, model._seed_now(), optimizer)


def _stream(
    model: Training,
    x: Any,
    y: Any,
    sample_weight: Any,
    class_weight: Any,
    share: Any,
    shuffle: Any,
    where: str = "fit",
) -> StreamSource:
    for name, value in (("y", y), ("sample_weight", sample_weight), ("class_weight", class_weight)):
        if value is not None:
            raise ValueError(
                f"[{where}] expected {name}=None where x makes its own batches, received {type(value).__name__}. "
                "Let it make (x, y) or (x, y, sample_weight)."
            )
    if share:
        raise ValueError(
            f"[{where}] expected arrays for validation_split, received {type(x).__name__}. Use validation_data."
        )
    return StreamSource(
        x, lambda item: model._columns(*unpack(item), where=where), bool(shuffle), model._seed_now(), model._passes
    )


def _validation_source(model: Training, data: Any, held_out: Columns | None, batch_size: int) -> Source:
    if data is None:
        assert held_out is not None
        return ArraySource(held_out, batch_size)
    if is_stream(data):
        return _stream(model, data, None, None, None, 0.0, False)
    parts = data if isinstance(data, (tuple, list)) else (data,)
    if not 1 <= len(parts) <= 3:
        raise ValueError(
            "[fit] expected validation_data as x, (x, y), (x, y, sample_weight) or an iterable of batches, received "
            f"{type(data).__name__} of {len(parts)} items."
        )
    x, y, weights = (*parts, None, None)[:3]
    return ArraySource(model._columns(x, y, weights, where="fit validation_data"), batch_size)


def _validates(frequency: Any) -> Callable[[int], bool]:
    """Whether an epoch, counted from 1, ends with a validation."""
    if isinstance(frequency, (list, tuple, set)):
        epochs = {positive(epoch, "fit", "validation_freq") for epoch in frequency}
        return lambda epoch: epoch in epochs
    every = positive(frequency, "fit", "validation_freq")
    return lambda epoch: epoch % every == 0
