"""Gradients for whoever asks: of the compiled loss, of any number made from outputs, and of the outputs themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .columns import rows_in, target_columns
from .engine import FORWARD_ROWS, Engine, rows_for
from .locks import add_locks
from .program import Columns, Program, begin
from .runtime import Runtime
from .trace import Feed, Trace
from .tree import flatten, pack_like

if TYPE_CHECKING:
    import threading

    from .layers.layer import Layer
    from .tensor import KerasTensor
    from .variable import Variable

_WANTED = ("weights", "inputs")


class Differentiation(Runtime):
    """What a model has for training loops of one's own, reinforcement learning and surrogates."""

    def gradients(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        wrt: Any = "weights",
        training: bool = True,
        by_path: bool = False,
        return_logs: bool = False,
        update_statistics: bool = False,
    ) -> Any:
        """Gradients of the compiled loss, penalties included, on one batch. Weights and optimizer stay as they are.

        Parameters
        ----------
        x, y, sample_weight
            One batch, as for `train_on_batch`.
        wrt : {"weights", "inputs"} or a tuple of both
            What the loss is differentiated by.
        training : bool
            Whether layers run as in training (dropout draws anew in every call, BatchNormalization takes the batch's
            statistics) or as in inference.
        by_path : bool
            Return those of weights as a dict by `Variable.path`.
        return_logs : bool
            Return a dict of the loss and the metrics of this batch besides.
        update_statistics : bool
            Whether moving statistics follow this batch, as they do in `fit`.

        Returns
        -------
        list of ndarray, dict of str to ndarray, or ndarray
            Of weights: a list in the order of `trainable_weights`, each of its weight's shape; zeros where the loss
            does not depend on it. Of inputs: an array of x's shape, or the structure of them that the model's inputs
            have, with None for codes and strings. For a tuple in `wrt`, a tuple of both in its order. With
            `return_logs`, a tuple of this and the logs.

        Raises
        ------
        ValueError
            If the model is not compiled with a loss, or data does not fit it.

        Examples
        --------
        >>> import numpy as np, hotloop as keras
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
        >>> model.compile(loss="mse")
        >>> x, y = np.array([[1.0, 2.0]]), np.array([[1.0]])
        >>> [g.tolist() for g in model.gradients(x, y)]
        [[[4.0], [8.0]], [4.0]]
        >>> model.gradients(x, y, wrt="inputs")
        array([[4., 4.]], dtype=float32)
        """
        where = "gradients"
        wanted = _wanted(wrt, where)
        self._require(where)
        if not self._has_loss():
            raise ValueError(f"[{where}] expected a model compiled with a loss. Call model.compile again.")
        columns = self._columns(x, y, sample_weight, None, where)
        resolved = self._resolve(columns, where)
        weighted = tuple(i for kind, i in columns if kind == "w")
        keep = not (training and update_statistics)

        def add_loss(trace: Trace, outputs: list[Any]) -> None:
            resolved.add_nodes(trace, outputs, weighted)
            trace.add_penalties(self.trainable_weights)

        engine = self._get_engine()
        key = (where, resolved, weighted, wanted, bool(training), keep, self._freezing())
        program = engine.program(key, lambda: self._differentiated(engine, wanted, training, keep, add_loss))
        n = rows_in(columns)
        seed, step = self._draw(1) if program.draws else (0, 0)
        run = _Run(self, engine, program, columns, n, wanted, seed, step, where)
        begin(run.plan, resolved.first_rows())
        found = run.backward(columns, [])
        logs = resolved.logs(run.plan.metrics()) if return_logs else None
        run.close()
        if by_path:
            found = {**found, "weights": _by_path(self.trainable_weights, found.get("weights", []))}
        result = _arranged(found, wrt)
        return (result, logs) if return_logs else result

    def vjp(self, x: Any, *, wrt: Any = "weights", training: bool = False) -> tuple[Any, Backward]:
        """Outputs, and a function that carries gradients of any number computed from them back.

        For losses that are no function of targets alone: policy gradients, physics, adversarial training. The model
        need not be compiled.

        Parameters
        ----------
        x : array_like, or list or dict of them
            One batch of n rows.
        wrt : {"weights", "inputs"} or a tuple of both
            What the outputs are differentiated by.
        training : bool
            Whether layers run as in training; moving statistics follow the batch then, as in ``model(x,
            training=True)``.

        Returns
        -------
        y : ndarray (n, ...), or the structure of them that the model's outputs have
        backward : Backward
            ``backward(dy)``, with dy of y's shape the gradient of some L with respect to y, gives the gradients of L as
            `gradients` does: a list of arrays in the order of `trainable_weights`, or arrays of x's shape. For
            several outputs dy is a list or dict of arrays; None stands for zeros. It may be called several times, and
            does not run the model forward again: call it before weights change.

        Notes
        -----
        Penalties of regularizers are no part of the outputs, hence not of these gradients; `losses` has them.

        Examples
        --------
        One step of REINFORCE for one state, one action and its return:

        >>> import numpy as np, hotloop as keras
        >>> policy = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, "softmax", kernel_initializer="zeros")])
        >>> policy.compile(optimizer=keras.optimizers.SGD(0.1))
        >>> p, backward = policy.vjp(np.ones((1, 4)))
        >>> action, reward = 0, 1.0
        >>> dp = np.zeros_like(p)
        >>> dp[0, action] = -reward / p[0, action]  # L = -reward log p
        >>> policy.optimizer.apply(backward(dp), policy.trainable_weights)
        >>> bool(policy(np.ones((1, 4)))[0, action] > p[0, action])
        True
        """
        wanted = _wanted(wrt, "vjp")
        columns = self._columns(x, where="vjp")
        run, outputs = self._forward_resumable(columns, wanted, bool(training), "vjp")
        y = pack_like(self._outputs, [output.copy() for output in outputs])
        return y, Backward(self, run, outputs, wrt)

    def jacobian(self, x: Any) -> Any:
        """Derivatives of all outputs with respect to all inputs, in inference mode.

        Parameters
        ----------
        x : array_like, or list or dict of them
            n rows.

        Returns
        -------
        ndarray of shape (n, outputs .., inputs ..)
            Of row i of y with respect to row i of x; rows do not depend on one another. For a model with several
            outputs or inputs, the structure of its outputs with, for each, the structure of its inputs.

        Notes
        -----
        One backward pass for each output, without the weights' part; what it costs grows with the number of outputs.

        Examples
        --------
        >>> import numpy as np, hotloop as keras
        >>> square = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x * x)])
        >>> square.jacobian(np.array([[1.0, 3.0]]))
        array([[[2., 0.],
                [0., 6.]]], dtype=float32)
        """
        columns = self._columns(x, where="jacobian")
        codes = [tensor.name for tensor in self.inputs if not tensor.dtype.startswith("float")]
        if codes:
            raise ValueError(f"[jacobian] expected inputs of numbers, received the codes or strings of '{codes[0]}'.")
        n, dtype = rows_in(columns), self._dtype_now()
        shapes = [[(*out.shape[1:], *x.shape[1:]) for x in self.inputs] for out in self.outputs]
        results = [[np.empty((n, *shape), dtype) for shape in row] for row in shapes]
        for start in range(0, n, FORWARD_ROWS):
            rows = slice(start, start + FORWARD_ROWS)
            part = {key: array[rows] for key, array in columns.items()}
            run, outputs = self._forward_resumable(part, ("inputs",), False, "jacobian")
            if run.program.couples_rows:
                run.close()
                raise ValueError(
                    "[jacobian] expected rows that do not depend on one another, received a model that sums over the "
                    "batch. Take `vjp`."
                )
            dy = [np.zeros_like(output) for output in outputs]
            given = {**part, **{("y", i): array for i, array in enumerate(dy)}}
            for array, row in zip(dy, results, strict=True):
                units = array.reshape(len(array), -1)
                for unit in range(units.shape[1]):
                    units[:, unit] = 1
                    found = run.backward(given, outputs)
                    units[:, unit] = 0
                    for result, gradient in zip(row, flatten(found["inputs"]), strict=True):
                        result.reshape(n, units.shape[1], *gradient.shape[1:])[rows, unit] = gradient
            run.close()
        return pack_like(self._outputs, [pack_like(self._inputs, row) for row in results])

    def _watched(self, columns: Columns) -> tuple[list[tuple[Layer, np.ndarray]], list[np.ndarray]]:
        """What each layer makes of some rows in training, and the gradients of the trainable weights.

        No counter moves: the random numbers are those of the step to come.
        """
        where = "monitor"
        resolved = self._resolve(columns, where)
        weighted = tuple(i for kind, i in columns if kind == "w")
        engine = self._get_engine()

        def make() -> Program:
            trace = Trace(engine.dtype, True, engine.slab.index_of)
            trace.keeps_statistics, trace.watched = True, []
            outputs = flatten(self._call_traced(trace))
            seen: dict[int, tuple[Layer, Any]] = {}
            for layer, result in trace.watched:
                leaf = flatten(result)[0]
                if not isinstance(layer, Runtime) and leaf.dtype == trace.dtype and leaf.shape[:1] == (None,):
                    seen.setdefault(id(layer), (layer, leaf))
            program = Program(trace, [leaf for _, leaf in seen.values()], True, backward=True)
            program.watched = [layer for layer, _ in seen.values()]
            trace.watched = None
            resolved.add_nodes(trace, outputs, weighted)
            trace.add_penalties(self.trainable_weights)
            return program

        program = engine.program((where, resolved, weighted, self._freezing()), make)
        n, optimizer = rows_in(columns), self._require(where).optimizer
        step = 0 if optimizer is None else optimizer.batches
        run = _Run(self, engine, program, columns, n, ("weights",), self._seed_now(), step, where)
        outputs = [np.empty((n, *shape), program.dtype) for shape in program.output_shapes]
        gradients = run.run(columns, outputs, "whole")
        run.close()
        return list(zip(program.watched, outputs, strict=True)), gradients

    def _forward_resumable(
        self, columns: Columns, wanted: tuple[str, ...], training: bool, where: str
    ) -> tuple[_Run, list[np.ndarray]]:
        """The outputs, and the run that waits for their gradients."""

        def add_loss(trace: Trace, outputs: list[Any]) -> None:
            attrs = {"kind": "linear", "reduction": "sum"}  # sum dy y: its gradient is dy
            for i, (output, name) in enumerate(zip(outputs, self.output_names, strict=True)):
                dy = trace.fed(Feed(("y", i), tuple(output.shape[1:]), trace.dtype, name), trace.dtype)
                trace.add_loss_or_metric("loss", [output.value(trace.dtype), dy], attrs, name)

        engine = self._get_engine()
        key = ("vjp", wanted, training, self._freezing())
        program = engine.program(key, lambda: self._differentiated(engine, wanted, training, False, add_loss, True))
        n = rows_in(columns)
        seed, step = self._draw(1) if program.draws else (0, 0)
        run = _Run(self, engine, program, columns, n, wanted, seed, step, where)
        outputs = [np.empty((n, *shape), program.dtype) for shape in program.output_shapes]
        # nothing is read of dy: any array of its shape will do
        run.run({**columns, **{("y", i): output for i, output in enumerate(outputs)}}, outputs, "fixed")
        return run, outputs

    def _differentiated(
        self,
        engine: Engine,
        wanted: tuple[str, ...],
        training: bool,
        keep: bool,
        add_loss: Callable[[Trace, list[Any]], None],
        resumable: bool = False,
    ) -> Program:
        trace = Trace(engine.dtype, training, engine.slab.index_of)
        trace.keeps_statistics, trace.freezes = keep, "weights" not in wanted
        outputs = flatten(self._call_traced(trace))
        program = Program(
            trace, outputs if resumable else (), training, backward=True,
            input_gradients="inputs" in wanted, resumable=resumable,
        )  # fmt: skip
        add_loss(trace, outputs)
        program.penalties = len(trace.penalties)
        return program


class _Run:
    """A plan at work on one batch, from which gradients are read."""

    def __init__(
        self,
        model: Differentiation,
        engine: Engine,
        program: Program,
        columns: Columns,
        n: int,
        wanted: tuple[str, ...],
        seed: int,
        step: int,
        where: str,
    ) -> None:
        self.engine, self.program, self.columns, self.n, self.where = engine, program, columns, n, where
        self.seed, self.step = seed, step
        self.inputs: list[KerasTensor] | None = model.inputs if "inputs" in wanted else None
        self.structure = model._inputs
        self.weights: list[Variable] | None = model.trainable_weights if "weights" in wanted else None
        self.plan = program.take_plan(engine.trainer, rows_for(n))

    def run(self, columns: Columns, outputs: Sequence[np.ndarray], part: str) -> list[np.ndarray]:
        """Run a part of the plan; returns the gradients of the weights, if they are wanted."""
        engine = self.engine
        dataset = self.program.bind(columns, self.where)
        with engine.slab.at_home():
            engine.trainer.run(
                self.plan, dataset, 0, 1, self.n, self.n, None, None, self.step, self.seed, list(outputs), part=part
            )
            if self.weights is None or part == "fixed":
                return []
            return [engine.trainer.plan_gradient(self.plan, engine.slab.index_of(v)) for v in self.weights]

    def backward(self, columns: Columns, outputs: Sequence[np.ndarray]) -> dict[str, Any]:
        """Run the rest, or the whole where nothing has run; what is wanted by its name in `wrt`."""
        part = "rest" if self.program.options["resumable"] else "whole"
        weights = self.run(columns, outputs, part)
        found: dict[str, Any] = {"weights": weights}
        if self.inputs is not None:
            gradients = [self._input(i, tensor) for i, tensor in enumerate(self.inputs)]
            found["inputs"] = pack_like(self.structure, gradients)
        return found

    def _input(self, i: int, tensor: KerasTensor) -> np.ndarray | None:
        """The sum over all graph inputs that this input of the model feeds."""
        if not tensor.dtype.startswith("float"):
            return None
        total = np.zeros((self.n, *tensor.shape[1:]), self.program.dtype)
        places = [k for k, feed in enumerate(self.program.feeds) if feed.source == ("x", i)]
        parts = [self.plan.input_gradient(k, self.n).reshape(total.shape) for k in places]
        return parts[0] if len(parts) == 1 else sum(parts, start=total)

    def close(self) -> None:
        """Give the plan back."""
        self.program.give_plan(self.plan)


class Backward:
    """Carries the gradients of outputs back: what `Model.vjp` returns next to them."""

    _lock: threading.RLock

    def __init__(self, model: Differentiation, run: _Run, outputs: list[np.ndarray], wrt: Any) -> None:
        self._run, self._outputs, self._wrt = run, outputs, wrt
        self._names, self._dtype = list(model.output_names), str(run.program.dtype)
        add_locks(self, "_lock")

    def __call__(self, dy: Any) -> Any:
        """Gradients of L, given dy = dL/dy.

        Parameters
        ----------
        dy : array_like of y's shape, or list or dict of them

        Returns
        -------
        As `Model.gradients`.

        Raises
        ------
        ValueError
            If dy has another shape than y.
        """
        given = target_columns(dy, self._names, None, self._dtype, "backward")
        if not given:
            raise ValueError("[backward] expected dy, the gradient of some number with respect to y, received None.")
        for i, output in enumerate(self._outputs):
            array = given.setdefault(("y", i), np.zeros_like(output))
            if array.shape != output.shape:
                raise ValueError(
                    f"[backward] expected dy of shape {output.shape} for output '{self._names[i]}', received "
                    f"{array.shape}. It is the gradient of one number with respect to y, and has y's shape."
                )
        with self._lock:
            return _arranged(self._run.backward({**self._run.columns, **given}, self._outputs), self._wrt)

    def __del__(self) -> None:
        run = getattr(self, "_run", None)
        if run is not None:
            run.close()


def _wanted(wrt: Any, where: str) -> tuple[str, ...]:
    names = (wrt,) if isinstance(wrt, str) else tuple(wrt) if isinstance(wrt, (tuple, list)) else ()
    if not names or any(name not in _WANTED for name in names) or len(set(names)) != len(names):
        raise ValueError(f"[{where}] expected wrt 'weights', 'inputs' or a tuple of both, received {wrt!r}.")
    return tuple(name for name in _WANTED if name in names)


def _arranged(found: dict[str, Any], wrt: Any) -> Any:
    return found[wrt] if isinstance(wrt, str) else tuple(found[name] for name in wrt)


def _by_path(variables: Sequence[Variable], gradients: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    paths = [variable.path for variable in variables]
    double = next((path for i, path in enumerate(paths) if path in paths[:i]), None)
    if double is not None:
        raise ValueError(
            f"[gradients] expected weights of different paths for by_path=True, received two of '{double}'. "
            "Name the layers differently, or take the list."
        )
    return dict(zip(paths, gradients, strict=True))
