"""Runtime: what a model keeps between calls (engine, programs, seeds), and what all ways to run it share."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from . import _core
from .columns import (
    check_rows,
    class_weight_column,
    input_columns,
    input_symbols,
    rows_in,
    target_columns,
    weight_columns,
)
from .compiled import Compiled, Resolved
from .config import next_seed
from .eager import engine_of
from .engine import Engine, rows_for
from .overrides import is_overridden
from .own_loss import OwnLoss
from .program import Columns, Program, begin
from .shortcut import Shortcut, shortcut_for
from .stepping import own_step
from .tensor import KerasTensor
from .trace import Trace
from .tree import flatten, map_structure, pack_like
from .variable import freeze_count, structure_count

if TYPE_CHECKING:
    import threading

    from .frozen import FrozenStack
    from .layers.layer import Layer
    from .training import Training
    from .variable import Variable

_CALL_SEED = 0x5DEECE66D  # keeps the random numbers of calls apart from those of fit


class Runtime:
    """The machinery behind `Training`."""

    _may_have_several_inputs = True  # of a model that is built by data

    if TYPE_CHECKING:  # what Layer and Model bring along
        name: str
        _lock: threading.RLock
        _engine: Engine | None
        _inputs: Any
        _outputs: Any
        output_names: list[str]

        @property
        def inputs(self) -> list[KerasTensor]: ...

        @property
        def outputs(self) -> list[KerasTensor]: ...

        @property
        def weights(self) -> list[Variable]: ...

        @property
        def losses(self) -> list[Any]: ...

        @property
        def trainable_weights(self) -> list[Variable]: ...

        @property
        def _compute_dtype(self) -> str: ...

        def trace_call(self, args: tuple, kwargs: dict[str, Any]) -> Any: ...

        def _build_for(self, symbols: Any) -> None: ...

        def _acts_unasked(self) -> bool: ...
        def _all_layers(self) -> list[Layer]: ...

    def _init_training(self) -> None:
        self._compiled: Compiled | None = None
        self._terms: dict[Any, Resolved] = {}  # for the targets seen last
        self._steps_per_execution = 1
        self._fitting: tuple[int, int] | None = None  # process and thread in fit: a forked child is not
        self._running: Any = None  # the fit that is going on
        self.stop_training = False
        self.stop_evaluating = False
        self.stop_predicting = False
        self.history: Any = None
        self._seed: int | None = None
        self._in_step = 0  # the thread that is in a step of one's own
        self._sums: dict[str, Any] = {}  # of the batches since `reset_metrics`, for the base's steps
        self._passes = 0  # over data sets: the number of the next shuffle
        self._calls = 0  # batches outside of fit that drew random numbers
        self._frozen: tuple[int, Any] = (-1, None)
        self._structure = -1
        self._bottom: tuple[Any, FrozenStack | None] = (None, None)  # for the trainable flags seen last
        self._shortcut: Shortcut | None = None

    def _one_batch(
        self, engine: Engine, program: Program, resolved: Resolved, columns: Columns, optimizer: Any = None,
        before: np.ndarray | None = None,
    ) -> np.ndarray:  # fmt: skip
        """The rows of `Plan.metrics` after one batch, which is trained where an optimizer is given; sums go on from
        `before`."""
        where = "test_on_batch" if optimizer is None else "train_on_batch"
        n = rows_in(columns)
        dataset = program.bind(columns, where)
        step, rates, momenta = 0, None, None
        if optimizer is not None:
            step = optimizer.batches
            rates, momenta = optimizer.rates(step, 1), optimizer.momenta(step, 1)
        plan = program.take_plan(engine.trainer, rows_for(n))
        before = resolved.first_rows() if before is None else before
        begin(plan, before)
        try:
            with engine.slab.at_home():
                engine.trainer.run(plan, dataset, 0, 1, n, n, None, rates, step, self._seed_now(), momenta=momenta)
                if optimizer is not None:
                    if (step + 1) % optimizer.accumulation == 0:
                        program.constrain(engine.slab)
                    optimizer.batches = step + 1
        finally:
            rows = plan.metrics()
            counted = 0 if before is None else before[0, 1]
            if optimizer is not None and rows[0, 1] > counted:  # the step was made, whatever interrupts us now
                optimizer.batches = step + 1
        program.give_plan(plan)
        return rows

    def _outputs_at_once(self, x: Any) -> np.ndarray | None:
        """Outputs in inference for one plain array, once `_forward` has found that there is a short way."""
        short = self._shortcut
        if short is None or type(x) is not np.ndarray or not x.ndim or self._structure != structure_count():
            return None
        return short(x)

    def _forward(self, x: Any, training: bool | None, where: str = "call") -> Any:
        """Outputs for x. In training mode the rows are one batch, drawn with fresh random numbers; None leaves it to
        the layers' own defaults."""
        outputs = None if training else self._outputs_at_once(x)
        if outputs is not None:
            return outputs
        columns = self._columns(x, where=where)
        unasked = not training and self._acts_unasked()
        program = self._program("call" if training else "direct" if unasked and training is None else "predict")
        engine = self._get_engine()
        if not training and not unasked:
            self._shortcut = shortcut_for(engine, program)
        n = rows_in(columns)
        seed, step = self._draw(n) if program.draws else (0, 0)
        results = engine.forward(program, columns, n, where, step, seed)
        return results[0] if program.structure is None else pack_like(program.structure, results)

    def _plain_columns(self, x: Any, y: Any) -> Columns | None:
        """The short way for arrays that are as a model with one input and one output wants them."""
        symbol = self._inputs
        if (
            type(x) is np.ndarray
            and type(y) is np.ndarray
            and type(symbol) is KerasTensor
            and type(self._outputs) is KerasTensor
            and x.ndim
            and y.ndim
            and x.dtype == symbol.dtype
            and x.shape[1:] == symbol.shape[1:]
            and y.dtype in (x.dtype, np.int64, np.int32, np.uint8)
            and x.flags.c_contiguous
            and y.flags.c_contiguous
            and 0 < len(x) == len(y)
            and _core.check_finite(x) < 0
            and _core.check_finite(y) < 0
        ):
            return {("x", 0): x, ("y", 0): y}
        return None

    def _columns(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, where: str = "fit"
    ) -> Columns:
        """Checked columns; a model that is not built yet is built for them."""
        if x is None:
            raise ValueError(f"[{where}] expected x, received None.")
        dtype = self._dtype_now()
        built = self._inputs is not None
        symbols = self._inputs if built else input_symbols(x, self._may_have_several_inputs, dtype, where)
        columns = input_columns(x, flatten(symbols), dtype, where)
        targets = target_columns(y, self.output_names if built else ["y"], None, dtype, where)
        check_rows({**columns, **targets}, where)  # before a model is built for them
        if not built:
            self._build_for(symbols)
            targets = target_columns(y, self.output_names, None, dtype, where)
        columns.update(targets)
        if class_weight is not None:
            if sample_weight is not None:
                raise ValueError(f"[{where}] expected class_weight or sample_weight, received both.")
            n_outputs = len(self.output_names)
            sample_weight = class_weight_column(class_weight, columns, n_outputs, where)
        if sample_weight is not None:
            n = rows_in(columns)
            columns.update(weight_columns(sample_weight, self.output_names, n, dtype, where))
        check_rows(columns, where)
        return columns

    def _require(self, where: str, training: bool = False) -> Compiled:
        compiled = self._compiled
        if compiled is None:
            raise ValueError(f"[{where}] expected a compiled model. Call model.compile(optimizer=..., loss=...) first.")
        if training and not own_step(cast("Training", self), "train"):
            missing = "an optimizer" if compiled.optimizer is None else "" if self._has_loss() else "a loss"
            if not missing:
                return compiled
            raise ValueError(f"[{where}] expected a model compiled with {missing}. Call model.compile again.")
        return compiled

    def _has_loss(self) -> bool:
        return self._require("loss").loss is not None or is_overridden(self, "compute_loss")

    def _resolve(self, columns: Columns, where: str) -> Resolved:
        compiled = self._require(where)
        names = self.output_names
        targets = tuple((None, *columns["y", i].shape[1:]) if ("y", i) in columns else None for i in range(len(names)))
        key = (structure_count(), targets)
        resolved = self._terms.get(key)
        if resolved is None:
            shapes = [tensor.shape for tensor in self.outputs]
            resolved = compiled.resolve(names, shapes, targets, isinstance(self._outputs, dict))
            if is_overridden(self, "compute_loss"):
                resolved = OwnLoss(cast("Training", self), resolved, targets)
            for i in sorted(resolved.targets()):
                if targets[i] is None:
                    raise ValueError(f"[{where}] expected y for output '{names[i]}', received none.")
            self._terms = {key: resolved}
        return resolved

    def _program(
        self,
        mode: str,
        resolved: Resolved | None = None,
        columns: Columns | None = None,
        stack: FrozenStack | None = None,
    ) -> Program:
        """The program of a mode: "train", "test", "predict", "call", which predicts in training mode, "direct", which
        leaves that to the layers, or "sample".

        With a `stack` it starts from the outputs of its frozen layers.
        """
        weighted = tuple(i for kind, i in columns if kind == "w") if columns is not None else ()
        training = mode in ("train", "call")
        key = (mode, resolved, weighted, self._freezing() if training or resolved is not None else None, stack)
        engine = self._get_engine()
        return engine.program(key, lambda: self._trace(engine, mode, resolved, weighted, stack))

    def _trace(
        self,
        engine: Engine,
        mode: str,
        resolved: Resolved | None,
        weighted: tuple[int, ...],
        stack: FrozenStack | None = None,
    ) -> Program:
        training = mode in ("train", "call")
        trace = Trace(engine.dtype, None if mode == "direct" else training, engine.slab.index_of)
        trace.sampling = mode == "sample"
        result = self._call_traced(trace) if stack is None else stack.outputs(trace)
        outputs = flatten(result)
        if resolved is None:
            structure = None if not isinstance(result, (list, tuple, dict)) else map_structure(lambda _: None, result)
            return Program(trace, outputs, training, structure=structure)
        resolved.add_nodes(trace, outputs, weighted)
        weights = self.trainable_weights
        trace.add_penalties(weights)
        left = trace.add_constraints(weights) if mode == "train" else []
        return Program(trace, (), training, update=mode == "train", constrained=left)

    def _call_traced(self, trace: Trace) -> Any:
        """The model's outputs for inputs of this trace."""
        return self.trace_call((self._traced_inputs(trace),), {})

    def _traced_inputs(self, trace: Trace) -> Any:
        numbers = itertools.count()
        return map_structure(lambda t: trace.input(("x", next(numbers)), t.shape[1:], t.dtype, t.name), self._inputs)

    def _freezing(self) -> Any:
        """All trainable flags, regularizers and constraints: a program of training or evaluation holds for these."""
        count = freeze_count()
        if self._frozen[0] != count:
            flags = tuple((v.trainable, v.regularizer, v.constraint) for v in self.weights)
            self._frozen = (count, (flags, tuple(layer.trainable for layer in self._all_layers())))
        return self._frozen[1]

    def _get_engine(self) -> Engine:
        count = structure_count()
        if self._engine is None or self._structure != count:
            self._engine = engine_of(cast("Layer", self))
            self._structure, self._shortcut = count, None
        return self._engine

    def _dtype_now(self) -> str:
        if self._engine is not None and self._structure == structure_count():
            return self._engine.dtype
        return self._compute_dtype

    def _draw(self, batches: int) -> tuple[int, int]:
        """Seed and step for a call outside of `fit` whose layers draw random numbers."""
        step = self._calls
        self._calls += batches
        return self._seed_now() ^ _CALL_SEED, step

    def _seed_now(self) -> int:
        if self._seed is None:
            self._seed = next_seed()
        return self._seed
