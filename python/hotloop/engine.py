"""Engine: what runs a model. It has the slab of the model's variables, and plans its programs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from .locks import add_locks
from .program import Columns, Program
from .slab import Slab
from .trace import Trace
from .variable import COMPACT, Variable, constant_count

if TYPE_CHECKING:
    import threading

_NO_DATA = _core.Dataset([])
_OF_SEVERAL_BATCHES = ("ema_momentum", "ema_overwrite_frequency", "gradient_accumulation_steps")
_PROGRAMS = 12  # kept; the one unused for longest goes first
FORWARD_ROWS = 256  # rows of a batch where results do not depend on it
_TEAM_ROWS = 128  # fewer are one batch, which the workers share


class Engine:
    """One slab of variables and the programs planned over it.

    Parameters
    ----------
    variables : sequence of Variable
        All that the programs use.
    dtype : {"float32", "float64"}
    previous : Engine, optional
        Of the same model with other layers; optimizer slots of variables that stay are taken over.
    """

    _lock: threading.RLock

    def __init__(self, variables: Sequence[Variable], dtype: str, previous: Engine | None = None) -> None:
        self.dtype = dtype
        self.slab = Slab(variables, dtype)
        self.trainer = self.slab.trainer
        self._programs: OrderedDict[Hashable, Program] = OrderedDict()
        self._constants = constant_count()
        add_locks(self, "_lock")
        self.optimizer: Any = None
        self.swapped = False  # the averages are the weights, and the weights in the place of the averages
        self._spec: Any = None  # what the trainer was told of it
        self._kept: tuple[str, tuple[str, ...]] = ("", ())  # the kind of rule, and its slots
        if previous is not None and previous.optimizer is not None:
            self._take_slots(previous)

    # The optimizer's state.

    def use_optimizer(self, optimizer: Any) -> None:
        """Update with this optimizer from now on; one that was in use already keeps its slots."""
        variables = self.slab.variables
        chosen = {
            name: [self.slab.index_of(variables[i]) for i in getattr(optimizer, name)(variables)]
            for name in ("undecayed", "by_adam")
        }
        chosen["keep_zeros"] = [self.slab.index_of(v) for v in variables if v.keep_zeros]
        described = optimizer.full_spec(), chosen, self._rate_factors(optimizer, variables)
        if optimizer is self.optimizer and described == self._spec:
            return
        spec, chosen, factors = described
        keep = optimizer is self.optimizer and self._kept == (spec["kind"], optimizer.kept_names)
        with self.slab.at_home():  # averages start as the weights
            self.trainer.set_optimizer(spec, keep_slots=keep, rate_factors=factors, **chosen)
            self.optimizer, self._spec = optimizer, described
            self._kept = spec["kind"], optimizer.kept_names
            self.swapped = keep and self.swapped
        for program in list(self._programs.values()):
            if program.update:
                program.drop_plans()

    def _rate_factors(self, optimizer: Any, variables: Sequence[Variable]) -> list[float]:
        if not optimizer.learning_rate_factors:
            return []
        factors = [1.0] * self.slab.size
        for variable in variables:
            factors[self.slab.index_of(variable)] = optimizer.rate_factor(variable)
        return factors

    def slots(self) -> list[list[np.ndarray]]:
        """Copies of the optimizer's slots: for each slot, one array for each variable."""
        if self.optimizer is None:
            return []
        return [
            [self.trainer.get_slot(s, i) for i in range(self.slab.size)] for s in range(len(self.optimizer.kept_names))
        ]

    def set_slot(self, slot: int, index: int, array: np.ndarray) -> None:
        """Put back one array that `slots` gave."""
        self.trainer.set_slot(slot, index, np.asarray(array, self.dtype, order="C"))

    def _take_slots(self, previous: Engine) -> None:
        self.use_optimizer(previous.optimizer)
        for s in range(len(self.optimizer.kept_names)):
            for variable in self.slab.variables:
                old = previous.slab.place_of(variable)
                if old is not None and variable.dtype not in COMPACT:
                    self.trainer.set_slot(s, self.slab.index_of(variable), previous.trainer.get_slot(s, old))
        self.swapped = previous.swapped

    def swap_averages(self, variables: Sequence[Variable]) -> None:
        """Let weights and their averages change places."""
        slot = self.optimizer.kept_names.index("average")
        with self.slab.at_home():
            places = [self.slab.index_of(variable) for variable in variables]
            pairs = [(i, self.trainer.get(i), self.trainer.get_slot(slot, i)) for i in places]
            for i, weight, average in pairs:
                self.trainer.set(i, average)
                self.trainer.set_slot(slot, i, weight)
            self.swapped = not self.swapped

    def finish_averages(self, variables: Sequence[Variable]) -> None:
        """Make the averages the weights, where there are any."""
        if self.optimizer is None or not self.optimizer.use_ema:
            return
        if not self.swapped:
            self.swap_averages(variables)
        slot = self.optimizer.kept_names.index("average")
        with self.slab.at_home():
            for i in [self.slab.index_of(variable) for variable in variables]:
                self.trainer.set_slot(slot, i, self.trainer.get(i))
            self.swapped = False

    def apply(self, optimizer: Any, variables: Sequence[Variable], gradients: Sequence[np.ndarray]) -> None:
        """One update of these variables by gradients of their shapes and dtype, constraints included."""
        self.use_optimizer(optimizer)
        step = optimizer.batches
        rates, momenta = optimizer.rates(step, 1), optimizer.momenta(step, 1)
        with self.slab.at_home():
            updates = (step + 1) % optimizer.accumulation == 0
            self._update(variables, gradients, rates, momenta, step, updates)
            optimizer.batches = step + 1

    def update_to_come(self, variables: Sequence[Variable], gradients: Sequence[np.ndarray]) -> list[np.ndarray]:
        """By how much the optimizer in use would change these variables next; nothing changes here."""
        optimizer, before = self.optimizer, [v.numpy() for v in variables]
        twins = [Variable(value, dtype=self.dtype, name=v.name) for v, value in zip(variables, before, strict=True)]
        engine = Engine(twins, self.dtype)
        spec = {name: value for name, value in optimizer.full_spec().items() if name not in _OF_SEVERAL_BATCHES}
        factors = [optimizer.rate_factor(v) for v in variables]
        undecayed, by_adam = optimizer.undecayed(variables), optimizer.by_adam(variables)
        zeros = [i for i, v in enumerate(variables) if v.keep_zeros]
        engine.trainer.set_optimizer(spec, undecayed=undecayed, rate_factors=factors, by_adam=by_adam, keep_zeros=zeros)
        for slot in range(engine.trainer.n_slots):
            for i, v in enumerate(variables):
                engine.set_slot(slot, i, self.trainer.get_slot(slot, self.slab.index_of(v)))
        with engine.slab.at_home():
            batch = optimizer.batches
            rates, momenta = optimizer.rates(batch, 1), optimizer.momenta(batch, 1)
            engine._update(twins, gradients, rates, momenta, optimizer.iterations, True)
        return [twin.numpy() - value for twin, value in zip(twins, before, strict=True)]

    def _update(
        self, variables: Sequence[Variable], gradients: Sequence[np.ndarray], rates: Any, momenta: Any, step: int,
        updates: bool,
    ) -> None:  # fmt: skip
        numbers = [self.slab.index_of(v) for v in variables]

        def make() -> Program:
            trace = Trace(self.dtype, True, self.slab.index_of)
            for v in variables:
                trace.graph.add("given_gradient", [trace.variable(v)], {}, v.path)
            return Program(trace, update=True, constrained=trace.add_constraints(variables))

        program = self.program(("apply", tuple(numbers), tuple(v.constraint for v in variables)), make)
        plan = program.take_plan(self.trainer, 1)
        for number, gradient in zip(numbers, gradients, strict=True):
            self.trainer.set_gradient(number, gradient)
        self.trainer.run(plan, _NO_DATA, 0, 1, 1, 1, None, rates, step, momenta=momenta)
        if updates:
            program.constrain(self.slab)
        program.give_plan(plan)

    # Programs.

    def program(self, key: Hashable, make: Callable[[], Program]) -> Program:
        """The program of this key; made if it is not there any more."""
        with self._lock:
            if self._constants != constant_count():
                self._programs.clear()
                self._constants = constant_count()
            program = self._programs.get(key)
            if program is None:
                program = self._programs[key] = make()
                while len(self._programs) > _PROGRAMS:
                    self._programs.popitem(last=False)
            else:
                self._programs.move_to_end(key)
            return program

    def forward(
        self,
        program: Program,
        columns: Columns,
        n: int,
        where: str,
        step: int = 0,
        seed: int = 0,
        rows: int = FORWARD_ROWS,
    ) -> list[np.ndarray]:
        """Run all `n` rows, at most `rows` at a time (or all at once, where they depend on others): the outputs."""
        dataset = program.bind(columns, where)
        outputs = [np.empty((n, *shape), program.dtype) for shape in program.output_shapes]
        batch = n if program.training or program.couples_rows or n < _TEAM_ROWS else _batch_for(n, rows)
        if batch < n:
            self._side_by_side(program, batch, dataset, n, step, seed, outputs)
            return outputs
        plan = program.take_plan(self.trainer, rows_for(n))
        self.slab.claim()
        self.trainer.run(plan, dataset, 0, 1, n, n, None, None, step, seed, outputs)
        program.give_plan(plan)
        return outputs

    def sample(
        self, program: Program, columns: Columns, n: int, where: str, samples: int, step: int, seed: int, rows: int
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Means and standard deviations of the outputs over samples, each with the random numbers of another step.

        What no random number reaches is computed once a batch.
        """
        dataset = program.bind(columns, where)
        outputs = [np.empty((n, *shape), program.dtype) for shape in program.output_shapes]
        means, squares = ([np.zeros_like(output) for output in outputs] for _ in range(2))
        batch = min(rows, n) if program.couples_rows else _batch_for(n, rows)
        self._side_by_side(
            program, batch, dataset, n, step, seed, outputs, samples, means, squares
        )  # fmt: skip
        return means, [np.sqrt(square / samples) for square in squares]

    def _side_by_side(self, program: Program, batch: int, dataset: Any, n: int, *arguments: Any) -> None:
        """Every worker runs batches of its own, in a plan of its own."""
        lanes = min(_core.threads(), -(-n // batch))
        plans = [program.take_plan(self.trainer, rows_for(batch)) for _ in range(lanes)]
        self.slab.claim()
        prediction = _core.Prediction(self.trainer, plans, dataset, batch, n, *arguments)
        while not prediction.run():
            self.slab.claim()
        for plan in reversed(plans):  # the first, which knows how many workers are best, is the first of the next call
            program.give_plan(plan)


def _batch_for(n: int, rows: int) -> int:
    """A power of two of at most `rows` rows that gives every worker some batches, if rows are not too few for that."""
    workers = _core.threads()
    return min(rows, rows_for(max(-(-n // workers) if n < _TEAM_ROWS else n // (4 * workers), 1)))


def rows_for(n: int) -> int:
    """The next power of two: plans for calls of any size are few."""
    return 1 << (n - 1).bit_length()
