"""Training: compile, fit, evaluate, predict and their one-batch forms; what every model can do."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from . import _core, optimizers
from .columns import check_rows, class_weight_column, input_columns, rows_in, target_columns, weight_columns
from .compiled import Compiled, Resolved
from .config import next_seed
from .eager import engine_of
from .engine import Engine, rows_for
from .fitting import evaluate_data, fit_data, predict_columns, predict_stream
from .identifiers import unknown_argument
from .program import Columns, Program
from .shortcut import Shortcut, shortcut_for
from .tensor import KerasTensor
from .trace import Trace
from .tree import flatten, map_structure, pack_like
from .variable import freeze_count, structure_count

_CALL_SEED = 0x5DEECE66D  # keeps the masks of model(x, training=True) apart from those of fit


def _suggests(method: Callable[..., Any]) -> Any:
    """Answers an unknown keyword with a suggestion."""
    known = tuple(inspect.signature(method).parameters)[1:]

    @functools.wraps(method)
    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        for name in kwargs:
            if name not in known:
                raise TypeError(unknown_argument(method.__name__, name, known))
        return method(self, *args, **kwargs)

    return checked


class Training:
    """What a model adds to a layer. Its methods are Keras's, with Keras's arguments and defaults."""

    def _init_training(self) -> None:
        self._compiled: Compiled | None = None
        self._terms: dict[Any, Resolved] = {}  # for the targets seen last
        self._steps_per_execution = 1
        self.stop_training = False
        self.stop_evaluating = False
        self.stop_predicting = False
        self.history: Any = None
        self._seed: int | None = None
        self._passes = 0  # over data sets: the number of the next shuffle
        self._calls = 0  # batches outside of fit that drew random numbers
        self._frozen: tuple[int, Any] = (-1, None)
        self._structure = -1
        self._shortcut: Shortcut | None = None

    # Compiling.

    @_suggests
    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Say how to train. Everything from an earlier `compile` is forgotten; weights stay.

        Parameters
        ----------
        optimizer : str or Optimizer
        loss : str, Loss, list (one for each output) or dict by output name
        loss_weights : float, list or dict, optional
            Factors of the outputs' losses in the total.
        metrics, weighted_metrics : list or dict, optional
            For several outputs a list of lists, or a dict by output name. Only weighted metrics see sample weights.
        steps_per_execution : int
            Batches between two calls of batch hooks.
        run_eagerly, jit_compile, auto_scale_loss
            Kept for code written for Keras; every model is compiled.

        Raises
        ------
        ValueError
            For an unknown name (with a suggestion), or lists that do not match the outputs.
        """
        from .data import positive

        steps = positive(steps_per_execution, "compile", "steps_per_execution")
        rule = None if optimizer is None else optimizers.get(optimizer)
        compiled = Compiled(rule, loss, loss_weights, metrics, weighted_metrics)
        if self._outputs is not None:  # type: ignore[attr-defined]
            compiled.check_outputs(self.output_names)  # type: ignore[attr-defined]
        self._compiled, self._steps_per_execution = compiled, steps
        self._terms = {}
        self._seed = next_seed()
        self.stop_training = False

    @property
    def compiled(self) -> bool:
        """Whether `compile` has been called."""
        return self._compiled is not None

    @property
    def optimizer(self) -> Any:
        """The optimizer, or None."""
        return None if self._compiled is None else self._compiled.optimizer

    @property
    def loss(self) -> Any:
        """The loss that `compile` was given."""
        return None if self._compiled is None else self._compiled.loss

    @property
    def metrics(self) -> list[Any]:
        """The metrics in use."""
        return [] if self._compiled is None else self._compiled.metric_objects()

    @property
    def metrics_names(self) -> list[str]:
        """Names in the order of `evaluate`'s list; of the metrics only once a data set has been seen."""
        if self._compiled is None or not self._compiled.last:
            return ["loss"]
        return self._compiled.last.names_in_order()

    def reset_metrics(self) -> None:
        """Metrics belong to a call; there is nothing to reset between calls."""

    def get_compile_config(self) -> dict[str, Any] | None:
        """The arguments of `compile` as numbers, strings, lists and dicts; None if it was not called."""
        from .state import compile_config

        return None if self._compiled is None else compile_config(self._compiled)

    def compile_from_config(self, config: dict[str, Any] | None) -> None:
        """Compile with what `get_compile_config` gave."""
        if config is not None:
            self.compile(**config)

    # Training and its kin on whole data sets.

    @_suggests
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | str = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> Any:
        """Train for some epochs.

        Parameters
        ----------
        x : array_like, DataFrame, list or dict of them, PyDataset, generator or other iterable of batches
        y : array_like, or list or dict of them
            None where x makes batches of (x, y).
        batch_size : int, optional
            32 unless told; the last batch may be smaller.
        epochs : int
            Number of the last epoch; training starts with `initial_epoch`.
        verbose : {"auto", 0, 1, 2}
            1 a progress bar, 2 a line for each epoch, 0 nothing; "auto" is 1 where someone watches.
        callbacks : list of Callback, optional
        validation_split : float
            This share of the rows, the last ones, is held out.
        validation_data : tuple (x, y) or (x, y, sample_weight), or an iterable of batches, optional
        shuffle : bool or "batch"
            A new order of the rows in every epoch; "batch" only within each batch.
        class_weight : dict of int to float, optional
            Weights of the samples by class.
        sample_weight : array_like, optional
            One number a sample.
        initial_epoch : int
        steps_per_epoch : int, optional
            Batches in an epoch; the next one goes on with the following batches.
        validation_steps, validation_batch_size : int, optional
        validation_freq : int or list of int
            Validate in every n-th epoch, or in these (from 1).

        Returns
        -------
        History
            `.history` maps names to lists with a number for each epoch.

        Raises
        ------
        ValueError, TypeError
            For data that does not fit the model; nothing has changed then.
        """
        arguments = {k: v for k, v in locals().items() if k != "self"}
        with self._lock:  # type: ignore[attr-defined]
            return fit_data(self, **arguments)

    @_suggests
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics on a data set, in inference mode.

        Returns
        -------
        float, list of float or dict
            The loss alone; with metrics a list in the order of `metrics_names`, or a dict with `return_dict`.
        """
        resolved, logs = evaluate_data(self, x, y, batch_size, verbose, sample_weight, steps, callbacks)
        return resolved.result(logs, return_dict)

    @_suggests
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Outputs for all rows of x, in inference mode.

        Parameters
        ----------
        x : as for `fit`
        batch_size : int, optional
            A hint how much memory to use: a row's result does not depend on it.
        verbose : {"auto", 0, 1, 2}
        steps : int, optional
            Stop after this many batches.
        callbacks : list of Callback, optional

        Returns
        -------
        ndarray, or the structure of them that the model's outputs have
        """
        from .data import is_stream

        if is_stream(x):
            outputs = predict_stream(self, x, verbose, steps, callbacks)
        else:
            outputs = predict_columns(self, self._columns(x, where="predict"), batch_size, verbose, steps, callbacks)
        return pack_like(self._outputs, outputs)  # type: ignore[attr-defined]

    # One batch.

    @_suggests
    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One step of training on one batch; returns loss and metrics of this batch, as `evaluate` does."""
        with self._lock:  # type: ignore[attr-defined]
            compiled = self._require("train_on_batch", training=True)
            columns = self._plain_columns(x, y) if sample_weight is None and class_weight is None else None
            columns = columns or self._columns(x, y, sample_weight, class_weight, "train_on_batch")
            resolved = self._resolve(columns, "train_on_batch")
            engine = self._get_engine()
            engine.use_optimizer(compiled.optimizer)
            program = self._program("train", resolved, columns)
            logs = self._one_batch(engine, program, resolved, columns, compiled.optimizer)
            return resolved.result(logs, return_dict)

    @_suggests
    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics of one batch, in inference mode."""
        self._require("test_on_batch")
        columns = self._columns(x, y, sample_weight, None, "test_on_batch")
        resolved = self._resolve(columns, "test_on_batch")
        program = self._program("test", resolved, columns)
        return resolved.result(self._one_batch(self._get_engine(), program, resolved, columns), return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """Outputs of one batch, in inference mode."""
        return self._forward(x, False, "predict_on_batch")

    def _one_batch(
        self, engine: Engine, program: Program, resolved: Resolved, columns: Columns, optimizer: Any = None
    ) -> dict[str, Any]:
        where = "test_on_batch" if optimizer is None else "train_on_batch"
        n = rows_in(columns)
        dataset = program.bind(columns, where)
        step, rates = 0, None
        if optimizer is not None:
            step = optimizer.iterations
            rates = optimizer.rates(step, 1)
        plan = program.take_plan(engine.trainer, rows_for(n))
        plan.reset_metrics()
        engine.claim()
        try:
            engine.trainer.run(plan, dataset, 0, 1, n, n, None, rates, step, self._seed_now())
        finally:
            rows = plan.metrics()
            if optimizer is not None and rows[0, 1] > 0:  # counted: the step was made, whatever interrupts us now
                optimizer.iterations = step + 1
        program.give_plan(plan)
        return resolved.logs(rows)

    def _forward(self, x: Any, training: bool, where: str = "call") -> Any:
        """Outputs for x. In training mode the rows are one batch, drawn with fresh random numbers."""
        short = self._shortcut
        if short is not None and not training and type(x) is np.ndarray and x.ndim and self._structure == structure_count():
            outputs = short(x)
            if outputs is not None:
                return outputs
        columns = self._columns(x, where=where)
        program = self._program("call" if training else "predict")
        engine = self._get_engine()
        if not training:
            self._shortcut = shortcut_for(engine, program)
        n = rows_in(columns)
        seed, step = self._draw(n) if program.draws else (0, 0)
        results = engine.forward(program, columns, n, where, step, seed)
        return results[0] if program.structure is None else pack_like(program.structure, results)

    # What the others share.

    def _plain_columns(self, x: Any, y: Any) -> Columns | None:
        """The short way for arrays that are as a model with one input and one output wants them."""
        symbol = self._inputs  # type: ignore[attr-defined]
        if (
            type(x) is np.ndarray
            and type(y) is np.ndarray
            and type(symbol) is KerasTensor
            and type(self._outputs) is KerasTensor  # type: ignore[attr-defined]
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
        built = self._inputs is not None  # type: ignore[attr-defined]
        columns = input_columns(x, self.inputs if built else None, dtype, where)  # type: ignore[attr-defined]
        names = self.output_names if built else None  # type: ignore[attr-defined]
        early = {**columns, **target_columns(y, names or ["y"], None, dtype, where)} if names or y is not None else columns
        check_rows(early, where)
        if not built:
            array = columns["x", 0]
            kind = "string" if array.dtype.kind in "UO" else dtype
            self._build_for(KerasTensor((None, *array.shape[1:]), kind))  # type: ignore[attr-defined]
            columns = input_columns(x, self.inputs, dtype, where)  # type: ignore[attr-defined]
            columns.update(target_columns(y, self.output_names, None, dtype, where))  # type: ignore[attr-defined]
        else:
            columns = early
        if class_weight is not None:
            if sample_weight is not None:
                raise ValueError(f"[{where}] expected class_weight or sample_weight, received both.")
            n_outputs = len(self.output_names)  # type: ignore[attr-defined]
            sample_weight = class_weight_column(class_weight, columns, n_outputs, where)
        if sample_weight is not None:
            n = rows_in(columns)
            columns.update(weight_columns(sample_weight, self.output_names, n, dtype, where))  # type: ignore[attr-defined]
        check_rows(columns, where)
        return columns

    def _require(self, where: str, training: bool = False) -> Compiled:
        compiled = self._compiled
        if compiled is None:
            raise ValueError(f"[{where}] expected a compiled model. Call model.compile(optimizer=..., loss=...) first.")
        if training and (compiled.optimizer is None or compiled.loss is None):
            missing = "an optimizer" if compiled.optimizer is None else "a loss"
            raise ValueError(f"[{where}] expected a model compiled with {missing}. Call model.compile again.")
        return compiled

    def _resolve(self, columns: Columns, where: str) -> Resolved:
        compiled = self._require(where)
        names = self.output_names  # type: ignore[attr-defined]
        targets = tuple((None, *columns["y", i].shape[1:]) if ("y", i) in columns else None for i in range(len(names)))
        key = (structure_count(), targets)
        resolved = self._terms.get(key)
        if resolved is None:
            shapes = [tensor.shape for tensor in self.outputs]  # type: ignore[attr-defined]
            resolved = compiled.resolve(names, shapes, targets)
            for i in sorted(resolved.targets()):
                if targets[i] is None:
                    raise ValueError(f"[{where}] expected y for output '{names[i]}', received none.")
            self._terms = {key: resolved}
        return resolved

    def _program(self, mode: str, resolved: Resolved | None = None, columns: Columns | None = None) -> Program:
        """The program of a mode: "train", "test", "predict", or "call", which predicts in training mode."""
        weighted = tuple(i for kind, i in columns if kind == "w") if columns is not None else ()
        training = mode in ("train", "call")
        key = (mode, resolved, weighted, self._freezing() if training else None)
        engine = self._get_engine()
        return engine.program(key, lambda: self._trace(engine, mode, resolved, weighted))

    def _trace(self, engine: Engine, mode: str, resolved: Resolved | None, weighted: tuple[int, ...]) -> Program:
        training = mode in ("train", "call")
        trace = Trace(engine.dtype, training, engine.index_of)
        numbers = itertools.count()
        inputs = map_structure(
            lambda t: trace.input(("x", next(numbers)), t.shape[1:], t.dtype, t.name),
            self._inputs,  # type: ignore[attr-defined]
        )
        result = self.trace_call((inputs,), {})  # type: ignore[attr-defined]
        outputs = flatten(result)
        if resolved is None:
            structure = None if not isinstance(result, (list, tuple, dict)) else map_structure(lambda _: None, result)
            return Program(trace, outputs, training, structure=structure)
        resolved.add_nodes(trace, outputs, weighted)
        return Program(trace, (), training, update=mode == "train")

    def _freezing(self) -> Any:
        """All trainable flags: a program in training mode holds for these."""
        count = freeze_count()
        if self._frozen[0] != count:
            flags = tuple(v.trainable for v in self.weights)  # type: ignore[attr-defined]
            self._frozen = (count, (flags, tuple(layer.trainable for layer in self._all_layers())))  # type: ignore[attr-defined]
        return self._frozen[1]

    def _get_engine(self) -> Engine:
        count = structure_count()
        if self._engine is None or self._structure != count:  # type: ignore[has-type]
            self._engine = engine_of(self)  # type: ignore[arg-type]
            self._structure, self._shortcut = count, None
        return self._engine

    def _dtype_now(self) -> str:
        if self._engine is not None and self._structure == structure_count():
            return self._engine.dtype
        return self._compute_dtype  # type: ignore[attr-defined]

    def _draw(self, batches: int) -> tuple[int, int]:
        """Seed and step for a call outside of `fit` whose layers draw random numbers."""
        step = self._calls
        self._calls += batches
        return self._seed_now() ^ _CALL_SEED, step

    def _seed_now(self) -> int:
        if self._seed is None:
            self._seed = next_seed()
        return self._seed
