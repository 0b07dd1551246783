"""Program: a traced graph, the arrays it wants, and the plans made from it."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from .arrays import check_codes, readable, with_sample_shape
from .locks import add_locks
from .trace import Feed, Trace, Traced
from .variable import Variable

if TYPE_CHECKING:
    import threading

    from .slab import Slab

Columns = dict[tuple[str, int], np.ndarray]  # by Feed.source; checked, samples along axis 0
_SIZES = 12  # sizes of batches that plans are kept for; the one unused for longest goes first
_IDLE = 4  # plans of one size kept for threads that predict at the same time


class Program:
    """A graph in one mode.

    Parameters
    ----------
    trace : Trace
        Complete but for the outputs.
    outputs : sequence of Traced
        Values to write out.
    training : bool
        Layers see training=True: random numbers and batch statistics count rows of the whole call.
    update : bool
        Plans run backward and the optimizer.
    structure : optional
        The nesting that the outputs are returned in.
    constrained : sequence of Variable
        Those whose constraint is Python, called after every batch.
    backward : bool
        Plans run backward, without the optimizer.
    **options
        Of `Trainer.plan`, besides.
    """

    _lock: threading.RLock

    def __init__(
        self,
        trace: Trace,
        outputs: Sequence[Any] = (),
        training: bool = False,
        update: bool = False,
        structure: Any = None,
        constrained: Sequence[Variable] = (),
        backward: bool = False,
        **options: bool,
    ) -> None:
        self.graph = trace.graph
        self.structure = structure
        self.dtype = np.dtype(trace.dtype)
        self.training, self.update, self.draws = training, update, trace.draws
        self.options = {"training": update or backward, "update": update, "samples": trace.sampling, **options}
        self.couples_rows = trace.couples_rows
        self.penalties = len(trace.penalties)  # the last rows of `Plan.metrics()`
        self.constrained = list(constrained)
        self.watched: list[Any] = []  # the layers that made the outputs, where somebody looks at them
        for output in outputs:
            trace.graph.output(_float_value(output, trace.dtype))
        self.output_shapes = [tuple(output.shape[1:]) for output in outputs]
        self.feeds: list[Feed] = trace.feeds
        self._plans: OrderedDict[int, list[Any]] = OrderedDict()  # idle ones by size, that used last at the end
        add_locks(self, "_lock")

    def bind(self, columns: Columns, where: str) -> Any:
        """The data set of these arrays, one for each input of the graph.

        Raises
        ------
        ValueError
            If a target does not have the shape of its output, or codes and labels are out of range.
        """
        return _core.Dataset([_column(feed, columns[feed.source], where) for feed in self.feeds])

    def take_plan(self, trainer: Any, rows: int) -> Any:
        """A plan for batches of up to `rows`, for the caller alone until `give_plan`."""
        with self._lock:
            idle = self._plans.setdefault(rows, [])
            self._plans.move_to_end(rows)
            while len(self._plans) > _SIZES:
                self._plans.popitem(last=False)
            if idle:
                return idle.pop()
        return trainer.plan(self.graph, rows, **self.options)

    def constrain(self, slab: Slab) -> None:
        """Call the constraints that are Python; the caller holds the slab."""
        for variable in self.constrained:
            before = slab.read(variable)
            pruned = before == 0 if variable.keep_zeros else None
            value = variable._checked(variable.constraint(before), "constraint")
            if pruned is not None:
                value[pruned] = 0
            slab.write(variable, value)

    def give_plan(self, plan: Any) -> None:
        """Keep the plan for the next one who needs its size."""
        with self._lock:
            idle = self._plans.get(plan.max_rows)
            if idle is not None and len(idle) < _IDLE:
                idle.append(plan)

    def drop_plans(self) -> None:
        """Forget all plans: the optimizer is another one."""
        with self._lock:
            self._plans.clear()


def begin(plan: Any, before: np.ndarray | None) -> None:
    """Let a plan add to these sums, to the same bits as if it had made them; None: to nothing."""
    plan.reset_metrics()
    if before is not None:
        rows = plan.metrics()
        rows[: len(before), : before.shape[1]] = before
        plan.set_metrics(rows)


def _float_value(output: Traced, dtype: str) -> int:
    if output.dtype in ("int32", "string"):
        raise ValueError(
            f"[model] expected outputs of {dtype} values, received {output.dtype}. Encode codes and strings with "
            "CategoryEncoding or StringLookup(output_mode='one_hot')."
        )
    return output.value(dtype)


def _column(feed: Feed, array: np.ndarray, where: str) -> np.ndarray:
    kind = feed.source[0]
    if feed.lookup is not None:
        array = feed.lookup.encode(array, where)
    if array.shape[1:] != feed.shape:
        fitted = with_sample_shape(array, feed.shape) if kind == "y" else array.reshape(len(array), *feed.shape)
        if fitted is None:
            raise ValueError(
                f"[{where}] expected y of shape {(None, *feed.shape)} for output '{feed.name}', received {array.shape}."
                + _target_hint(feed, array)
            )
        array = fitted
    if feed.limit is not None:
        if array.dtype == np.float16:
            array = array.astype(np.float32)
        array = readable(array)
        check_codes(
            array, feed.limit, where, f"{'labels' if kind == 'y' else 'codes'} of '{feed.name}'", _limit_hint(feed)
        )
    elif kind == "x" and feed.dtype == "float32" and array.dtype.kind in "iu" and array.dtype.itemsize > 2:
        _warn_of_rounding(feed, array, where)
    return readable(array)


def _warn_of_rounding(feed: Feed, array: np.ndarray, where: str) -> None:
    """float32 holds every whole number up to 2**24, and few of those beyond: codes and keys would become others."""
    if not array.size or -(2**24) <= int(array.min()) <= int(array.max()) <= 2**24:
        return
    wrong = array[array.astype(np.float32).astype(np.float64) != array]
    if wrong.size:
        warnings.warn(
            f"[{where}] expected whole numbers that float32 holds in input '{feed.name}', received {wrong.flat[0]}, "
            f"which becomes {np.float32(wrong.flat[0]):.0f}. Look codes up (IntegerLookup, Hashing, Embedding), scale "
            "numbers beforehand, or compute in float64.",
            RuntimeWarning,
            stacklevel=2,
        )


def _target_hint(feed: Feed, array: np.ndarray) -> str:
    if feed.limit is not None:
        return " This loss or metric takes class numbers; for one-hot targets take its categorical variant."
    if array.ndim == 1 and len(feed.shape) == 1:
        classes = (
            " For class numbers take loss='sparse_categorical_crossentropy', or one-hot encode y (to_categorical)."
        )
        one = " y has one number a sample: give the last layer one unit, or y a column for each unit."
        return one + classes if array.dtype.kind in "iu" else one
    return " Give the last layer as many units as y has columns."


def _limit_hint(feed: Feed) -> str:
    if feed.source[0] == "y":
        return "Number the classes from 0, and give the last layer one unit a class."
    return (
        "Give Embedding a larger input_dim (CategoryEncoding: num_tokens), number the codes from 0, or leave such rows "
        "out."
    )
