"""Pass: a program run over the batches of a source, with the numbers it adds up."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .compiled import Resolved
from .data import Chunk
from .engine import Engine
from .program import Program, begin
from .variable import pruning_count


class Pass:
    """One epoch of training, or one evaluation.

    Parameters
    ----------
    engine : Engine
    program : Program
    resolved : Resolved
        Its losses and metrics.
    seed : int
        Of the random numbers.
    optimizer : Optimizer, optional
        Of a training pass; its counts follow the batches that have really run, also after an interrupt, and
        those that a callback has trained in between.
    """

    def __init__(
        self, engine: Engine, program: Program, resolved: Resolved, seed: int = 0, optimizer: Any = None
    ) -> None:
        self.engine, self.program, self.resolved = engine, program, resolved
        self.seed, self.optimizer = seed, optimizer
        self.where = "evaluate" if optimizer is None else "fit"
        self._others = optimizer.batches if optimizer is not None else 0  # steps that are not this pass's
        self._plan: Any = None
        self._first = resolved.first_rows()  # what the first batch adds to
        self._mark: tuple[Chunk | None, int, float] = (None, 0, 0.0)  # chunk; batches and rows run before it
        self._ahead: Any = None  # rates and momenta of the chunk
        self._pruning = pruning_count()

    def begin(self, chunk: Chunk, rates: bool = True) -> None:
        """The batches that `run` is about."""
        batches, rows = self.batches_done(), self._rows_done()
        self._mark = (chunk, batches, rows)  # one assignment: an interrupt falls before or after it
        if self._plan is None or self._plan.max_rows < chunk.batch_size:
            self._take_plan(chunk.batch_size)
        self._ahead = None
        if rates and self.optimizer is not None:
            self._ahead = self._rates(self.optimizer.batches, chunk.count)

    def run(self, done: int, count: int) -> int:
        """Run up to `count` batches after the first `done` of the chunk; returns how many, within about 50 ms."""
        chunk, before, _ = self._mark
        assert chunk is not None
        rates, momenta, step = None, None, before + done
        if self.program.constrained:
            count = 1
        if self.optimizer is not None and self._pruning != pruning_count():
            self._tell_optimizer()
        if self.optimizer is not None:
            step = self.optimizer.batches
            self._others = step - before - done
            # between batches a callback may have set the learning rate
            first = 0 if self._ahead is None else done
            coming = self._rates(step, count) if self._ahead is None else self._ahead
            rates, momenta = (None if a is None else a[first : first + count] for a in coming)
        try:
            with self.engine.slab.at_home():
                ran = self.engine.trainer.run(
                    self._plan, chunk.dataset, chunk.first + done, count, chunk.batch_size, chunk.n_rows, chunk.index,
                    rates, step, self.seed, momenta=momenta,
                )  # fmt: skip
                if self.optimizer is not None:
                    if (step + ran) % self.optimizer.accumulation == 0:
                        self.program.constrain(self.engine.slab)
                    self.optimizer.batches = step + ran
        except BaseException:  # interrupted: some of the batches may have run
            if self.optimizer is not None:
                self.optimizer.batches = self._others + self.batches_done()
            raise
        return ran

    def _rates(self, step: int, count: int) -> tuple[np.ndarray, np.ndarray | None]:
        return self.optimizer.rates(step, count), self.optimizer.momenta(step, count)

    def batches_done(self) -> int:
        """Batches run so far, by what the losses have counted."""
        chunk, batches, rows = self._mark
        return batches if chunk is None else batches + chunk.batches(int(self._rows_done() - rows))

    def logs(self) -> dict[str, Any]:
        """Means over the batches so far."""
        return self.resolved.logs(self._totals())

    def finish(self) -> None:
        """Give the plan back."""
        if self._plan is not None:
            self.program.give_plan(self._plan)

    def first_bad_step(self) -> int:
        """The first step whose loss was NaN or Inf, or -1."""
        if self._plan is None:
            return -1
        steps = self._plan.metrics()[:, 3]
        bad = steps[steps >= 0]
        return int(bad.min()) if len(bad) else -1

    def totals(self) -> np.ndarray:
        """Sums and counts of losses and metrics so far, float64 of shape (n, 2)."""
        return self._totals()

    def go_on_from(self, totals: np.ndarray) -> None:
        """Take up the sums of an interrupted pass, before the first batch."""
        self._first = totals

    def _take_plan(self, rows: int) -> None:
        before = self._first if self._plan is None else self._plan.metrics()
        if self._plan is not None:
            self.program.give_plan(self._plan)
        self._plan = self.program.take_plan(self.engine.trainer, rows)
        begin(self._plan, before)

    def _tell_optimizer(self) -> None:
        """A callback has pruned weights: from this batch on the optimizer's update leaves them."""
        self._pruning = pruning_count()
        self.engine.use_optimizer(self.optimizer)
        rows, before = self._plan.max_rows, self._plan.metrics()
        self._plan = self.program.take_plan(self.engine.trainer, rows)  # the old one knows nothing of it
        begin(self._plan, before)

    def _totals(self) -> np.ndarray:
        if self._plan is not None:
            return self._plan.metrics()[:, :2]
        return np.zeros((self.resolved.rows, 2)) if self._first is None else self._first

    def _rows_done(self) -> float:
        return float(self._totals()[0, 1]) if self.resolved.losses else 0.0


def warn_not_finite(step: int, engine: Engine) -> None:
    """The loss is no number any more: say since when, and which layer's weights are gone."""
    spoilt = next((v.path for v in engine.slab.variables if not np.isfinite(v.numpy()).all()), None)
    layer = f" The first weight that is no number is '{spoilt}'." if spoilt else ""
    warnings.warn(
        f"[fit] the loss became NaN or Inf at step {step}.{layer} Lower the learning rate, or scale the inputs; "
        "HOTLOOP_CHECK=1 names the layer that makes the first one.",
        RuntimeWarning,
        stacklevel=2,
    )
