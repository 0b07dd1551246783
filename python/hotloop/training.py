"""Training: compile, fit, evaluate, predict and their one-batch forms; what every model can do."""

from __future__ import annotations

import functools
import inspect
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import optimizers
from .columns import target_columns
from .compiled import Compiled
from .config import next_seed
from .data import is_stream, positive, unpack
from .differentiation import Differentiation
from .exporting import Exporting
from .fitting import evaluate_data, fit_data
from .identifiers import unknown_argument
from .overrides import refuse_overrides
from .own_loss import compiled_loss
from .population import Population
from .predicting import predict_columns, predict_samples, predict_stream
from .stepping import StepTerms, check_steps, own_step, packed, predict_step, run_step
from .trace import trace_of
from .tree import flatten, pack_like


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


class Training(Population, Differentiation, Exporting):
    """What a model adds to a layer. Its methods are Keras's, with Keras's arguments and defaults."""

    not_called: tuple[str, ...] = (
        "make_train_function", "make_test_function", "make_predict_function"
    )  # fmt: skip
    called_by_steps = ("compute_metrics", "metrics", "reset_metrics")  # of one's own

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
        steps = positive(steps_per_execution, "compile", "steps_per_execution")
        rule = None if optimizer is None else optimizers.get(optimizer)
        for part in (*self._all_layers(), *([] if rule is None else [rule])):
            part._refuse_uncalled() if isinstance(part, Training) else refuse_overrides(part)
        check_steps(self)
        compiled = Compiled(rule, loss, loss_weights, metrics, weighted_metrics)
        if self._outputs is not None:
            compiled.check_outputs(self.output_names)
        self._compiled, self._steps_per_execution = compiled, steps
        if rule is not None:
            rule.serve(self)
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
        """Begin anew with the metrics that steps of one's own add up. In compiled loops metrics belong to a call."""
        self._sums = {}
        for metric in self.metrics:
            metric.reset_state()

    def _refuse_uncalled(self) -> None:
        refuse_overrides(self)
        if not (own_step(self, "train") or own_step(self, "test")):
            refuse_overrides(self, *self.called_by_steps)

    def get_compile_config(self) -> dict[str, Any] | None:
        """The arguments of `compile` as numbers, strings, lists and dicts; None if it was not called."""
        from .state import compile_config

        return None if self._compiled is None else compile_config(self._compiled)

    def compile_from_config(self, config: dict[str, Any] | None) -> None:
        """Compile with what `get_compile_config` gave."""
        if config is not None:
            self.compile(**config)

    def memory_usage(self) -> dict[str, int]:
        """Memory that this model holds, in bytes; all of it is placed before the first batch runs.

        Returns
        -------
        dict
            "weights", "gradients" and "optimizer" (its slots) from the first run on; "batches": activations, their
            gradients and scratch for each size of batch that has been run. The number of epochs does not matter.

            `fit` with shuffle=True needs 8 bytes for each row besides, 16 between two epochs.

        Examples
        --------
        >>> import numpy as np, hotloop as keras
        >>> model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(16)])
        >>> model.compile("adam", "mse")
        >>> _ = model.fit(np.zeros((8, 64)), np.zeros((8, 16)), verbose=0)
        >>> {part: used // 64 for part, used in model.memory_usage().items() if part != "batches"}
        {'weights': 65, 'gradients': 65, 'optimizer': 130}
        """
        if self._engine is None:
            weights = sum(v.size * np.dtype(v.dtype).itemsize for v in self.weights)
            return {"weights": weights, "gradients": 0, "optimizer": 0, "batches": 0}
        return self._engine.trainer.memory()

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
        *,
        resume: Any = None,
        cache_frozen: bool | str = "auto",
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
        resume : str, optional
            A file that `save`, ModelCheckpoint or BackupAndRestore wrote during a `fit` of the same model with the
            same data and callbacks: training goes on behind the batch it was written after, to the very bits of a run
            that was never interrupted, with any number of threads. Takes the place of `initial_epoch`.
        cache_frozen : bool or "auto"
            Compute the outputs of frozen layers at the bottom of a Sequential or functional model once, not in every
            epoch; weights and logs stay the same to the bit. These are layers of the package that neither train nor
            draw random numbers, up to the first one that does; a BatchNormalization counts where it is frozen.
            "auto": for arrays, several epochs without `steps_per_epoch`, no callback between batches, and outputs of
            at most 256 MiB, for training and validation data each. True: for arrays of any size, and whatever
            callbacks there are; changes that these make take effect at the next epoch. What is kept is made anew when
            layers are frozen or thawed, or frozen weights change, between epochs.

        Returns
        -------
        History
            `.history` maps names to lists with a number for each epoch.

        Raises
        ------
        ValueError, TypeError
            For data that does not fit the model; nothing has changed then.
        RuntimeError
            If it is called inside a callback of a fit of the same model.
        """
        arguments = {k: v for k, v in locals().items() if k != "self"}
        with self._lock:  # another thread's fit waits; one's own must not begin in the middle of an epoch
            here = (os.getpid(), threading.get_ident())
            if self._fitting == here:
                raise RuntimeError(
                    f"[fit] expected no fit of '{self.name}' inside a callback of its own fit, received one. "
                    "Use train_on_batch there, or call fit again when this one has returned."
                )
            self._fitting = here
            try:
                return fit_data(self, **arguments)
            finally:
                self._fitting = None

    @_suggests
    def find_learning_rate(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        min_rate: float = 1e-5,
        max_rate: float = 10.0,
        epochs: int = 1,
    ) -> Any:
        """Train with a learning rate that grows exponentially from step to step, until the loss explodes.

        The model, its optimizer and its random numbers are afterwards as before.

        Parameters
        ----------
        x, y : array_like
        batch_size : int, optional
            32 unless told.
        min_rate, max_rate : float
        epochs : int
            Passes over the data within which the rate grows from one to the other.

        Returns
        -------
        RateSearch
            `rates`, `losses`, `suggestion` and `plot()`.

        Notes
        -----
        Smith, "Cyclical Learning Rates for Training Neural Networks", WACV 2017.
        """
        from .rate_search import find_learning_rate

        with self._lock:
            return find_learning_rate(self, x, y, batch_size, min_rate, max_rate, epochs)  # type: ignore[arg-type]

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
        if is_stream(x):
            outputs = predict_stream(self, x, verbose, steps, callbacks)
        else:
            outputs = predict_columns(self, self._columns(x, where="predict"), batch_size, verbose, steps, callbacks)
        return pack_like(self._outputs, outputs)

    def predict_mc(self, x: Any, samples: int = 100, batch_size: int | None = None) -> tuple[Any, Any]:
        """Mean and standard deviation of predictions with the random layers on: Monte Carlo dropout.

        Layers that are `stochastic` (dropout and noise) run as in training, all others as in inference; what comes
        before the first of them is computed once. The memory needed does not grow with `samples`.

        Parameters
        ----------
        x : array_like, or list or dict of them
        samples : int
        batch_size : int, optional
            A hint how much memory to use: results do not depend on it.

        Returns
        -------
        mean, std : ndarray, or the structures of them that the model's outputs have
            `std` as `np.std` over the samples. For a model without random layers it is zero.

        Notes
        -----
        Every call draws anew; `utils.set_random_seed` before `compile` makes a program repeat.
        Gal and Ghahramani, "Dropout as a Bayesian Approximation", ICML 2016.

        Examples
        --------
        >>> import hotloop as keras, numpy as np
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5), keras.layers.Dense(2)])
        >>> mean, std = model.predict_mc(np.ones((4, 3)), samples=10)
        >>> mean.shape, std.shape
        ((4, 2), (4, 2))
        """
        count = positive(samples, "predict_mc", "samples")
        means, deviations = predict_samples(self, self._columns(x, where="predict_mc"), count, batch_size)
        return pack_like(self._outputs, means), pack_like(self._outputs, deviations)

    # One batch.

    @_suggests
    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One step of training on one batch; returns loss and metrics of this batch, as `evaluate` does."""
        if self._calls_step("train"):
            data = self._packed(x, y, sample_weight, class_weight, "train_on_batch")
            with self._lock:
                return StepTerms().result(run_step(self, "train", data), return_dict)
        with self._lock:
            compiled = self._require("train_on_batch", training=True)
            columns = self._plain_columns(x, y) if sample_weight is None and class_weight is None else None
            columns = columns or self._columns(x, y, sample_weight, class_weight, "train_on_batch")
            resolved = self._resolve(columns, "train_on_batch")
            engine = self._get_engine()
            engine.use_optimizer(compiled.optimizer)
            program = self._program("train", resolved, columns)
            rows = self._one_batch(engine, program, resolved, columns, compiled.optimizer)
            return resolved.result(resolved.logs(rows), return_dict)

    @_suggests
    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics of one batch, in inference mode."""
        if self._calls_step("test"):
            data = self._packed(x, y, sample_weight, None, "test_on_batch")
            return StepTerms().result(run_step(self, "test", data), return_dict)
        self._require("test_on_batch")
        columns = self._columns(x, y, sample_weight, None, "test_on_batch")
        resolved = self._resolve(columns, "test_on_batch")
        program = self._program("test", resolved, columns)
        rows = self._one_batch(self._get_engine(), program, resolved, columns)
        return resolved.result(resolved.logs(rows), return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """Outputs of one batch, in inference mode."""
        if self._calls_step("predict"):
            return pack_like(self._outputs, predict_step(self, self._columns(x, where="predict_on_batch")))
        return self._forward(x, False, "predict_on_batch")

    # Steps, which a subclass may write anew. Python runs once for every batch then.

    def train_step(self, data: Any) -> dict[str, Any]:
        """Train on one batch: what a subclass overrides for a loop of its own.

        `fit` calls an overridden `train_step` for every batch, with NumPy arrays; its callbacks, History and the
        progress bar go on as ever, with the numbers of the dict that it returns. At the end of an epoch the last dict
        counts, as in Keras. Such a loop enters Python once for every batch, which costs small models most of their
        speed; a loss of one's own that is written with `hotloop.ops` does not.

        Parameters
        ----------
        data : x, (x, y) or (x, y, sample_weight)
            `utils.unpack_x_y_sample_weight` gives all three.

        Returns
        -------
        dict of str to float
            Loss and metrics; of this method, over all batches since `reset_metrics`.

        Notes
        -----
        What such a method may use: `self(x, training=True)`, `self.gradients(x, y)`, `self.vjp(x, training=True)`,
        `self.optimizer.apply(gradients, self.trainable_weights)`, `self.compute_metrics`, `super().train_step(data)`,
        `self.train_on_batch`. Tapes of TensorFlow, JAX and PyTorch see nothing of hotloop's arithmetic.

        Examples
        --------
        Gradients of two halves, one update::

            class Accumulating(keras.Sequential):
                def train_step(self, data):
                    x, y = data
                    halves = [self.gradients(x[i::2], y[i::2]) for i in range(2)]
                    mean = [(a + b) / 2 for a, b in zip(*halves)]
                    self.optimizer.apply(mean, self.trainable_weights)
                    return {"largest": max(np.abs(g).max() for g in mean)}
        """
        x, y, sample_weight = unpack(data)
        with self._lock:
            compiled = self._require("train_step")
            if compiled.optimizer is None:
                raise ValueError("[train_step] expected a model compiled with an optimizer. Call model.compile again.")
            columns = self._columns(x, y, sample_weight, None, "train_step")
            engine = self._get_engine()
            engine.use_optimizer(compiled.optimizer)
            return self._summed("train", columns, compiled.optimizer)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Loss and metrics of one batch, in inference mode: what `evaluate` and validation call where a subclass
        overrides it, as `fit` calls `train_step`."""
        x, y, sample_weight = unpack(data)
        self._require("test_step")
        return self._summed("test", self._columns(x, y, sample_weight, None, "test_step"))

    def predict_step(self, data: Any) -> Any:
        """Outputs of one batch, in inference mode: what `predict` calls where a subclass overrides it."""
        return self._forward(unpack(data)[0], False, "predict_step")

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The compiled loss of some predictions, penalties included.

        An overridden one is traced once for each mode and becomes part of the compiled loop: it costs no Python in
        training. It is given symbolic tensors, and returns one made of them with `hotloop.ops`: a number for the batch,
        or one for each sample, of which the mean counts. `super().compute_loss(...)` may be added to, and multiplied by
        numbers. Penalties of regularizers are part of `super().compute_loss(...)`; a loss without it adds
        `sum(self.losses)`, or has none.

        Parameters
        ----------
        x, y, y_pred : array_like, or list or dict of them
        sample_weight : array_like, optional
        training : bool

        Returns
        -------
        float

        Examples
        --------
        A loss that keeps outputs small::

            class Shrinking(keras.Sequential):
                def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
                    loss = super().compute_loss(x, y, y_pred, sample_weight)
                    return loss + 0.1 * keras.ops.mean(y_pred**2)
        """
        if trace_of(flatten(y_pred)) is not None:
            if self._require("compute_loss").loss is None:
                raise ValueError("[compute_loss] expected a model compiled with a loss. Call model.compile again.")
            return compiled_loss(self, y, y_pred)
        targets, resolved = self._terms_of(y, "compute_loss")
        predictions, weights = flatten(y_pred), flatten(sample_weight) * len(self.output_names)
        total = float(sum(self.losses))
        for term in resolved.losses:
            i = term.output
            total += term.weight * float(term.node(targets["y", i], predictions[i], weights[i]))
        return total

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Count one batch in the compiled metrics; for steps of one's own.

        Parameters
        ----------
        x
            Not used.
        y, y_pred : array_like, or list or dict of them
        sample_weight : array_like, optional
            Of weighted metrics alone.

        Returns
        -------
        dict of str to float
            The metrics since `reset_metrics`.
        """
        targets, resolved = self._terms_of(y, "compute_metrics")
        predictions = flatten(y_pred)
        for term in resolved.metrics:
            weight = sample_weight if term.weighted else None
            term.node.update_state(targets["y", term.output], predictions[term.output], weight)
        return {term.log_name: term.node.result() for term in resolved.metrics}

    def _terms_of(self, y: Any, where: str) -> tuple[Any, Any]:
        """Targets as columns, and what was compiled for them."""
        compiled, names = self._require(where), self.output_names
        targets = target_columns(y, names, None, self._dtype_now(), where)
        shapes = tuple((None, *targets["y", i].shape[1:]) if ("y", i) in targets else None for i in range(len(names)))
        resolved = compiled.resolve(
            names, [tensor.shape for tensor in self.outputs], shapes, isinstance(self._outputs, dict)
        )
        absent = sorted(i for i in resolved.targets() if ("y", i) not in targets)
        if absent:
            raise ValueError(f"[{where}] expected y for output '{names[absent[0]]}', received none.")
        return targets, resolved

    def _summed(self, mode: str, columns: Any, optimizer: Any = None) -> dict[str, Any]:
        resolved = self._resolve(columns, f"{mode}_step")
        program = self._program(mode, resolved, columns)
        known, sums = self._sums.get(mode, (None, None))
        before = sums if known is resolved else None
        rows = self._one_batch(self._get_engine(), program, resolved, columns, optimizer, before)[:, :2]
        self._sums[mode] = resolved, rows
        return resolved.logs(rows)

    def _packed(self, x: Any, y: Any, sample_weight: Any, class_weight: Any, where: str) -> Any:
        return packed(self, self._columns(x, y, sample_weight, class_weight, where))

    def _calls_step(self, mode: str) -> bool:
        """Whether a call goes to a step of one's own, and does not come from one."""
        return own_step(self, mode) and self._in_step != threading.get_ident()

    @contextmanager
    def _inside_step(self) -> Iterator[None]:
        outer, self._in_step = self._in_step, threading.get_ident()
        try:
            yield
        finally:
            self._in_step = outer
