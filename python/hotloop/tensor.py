"""KerasTensor: a symbolic value between layers, and the nodes that record which layer made it from what."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any
from weakref import ref

from .naming import auto_name
from .operators import Operators
from .tree import flatten, map_structure, pack_like

Shape = tuple[Any, ...]  # of ints; axis 0, the batch, is None


# What NumPy asks a tensor to do when an array stands on the left of the operator.
_OPERATORS = {
    "add": "__radd__", "subtract": "__rsub__", "multiply": "__rmul__", "divide": "__rtruediv__", "power": "__rpow__",
    "floor_divide": "__rfloordiv__", "remainder": "__rmod__", "matmul": "__rmatmul__", "less": "__gt__",
    "greater": "__lt__", "less_equal": "__ge__", "greater_equal": "__le__",
}  # fmt: skip


class TraceError(TypeError):
    """A symbolic value was used where Python needs a number."""


def _place() -> str:
    """Where the user's code is, the innermost that is not this package's."""
    package = __name__.partition(".")[0]
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] not in (package, "numpy"):
            return f" in {frame.f_code.co_filename}, line {frame.f_lineno}"
        frame = frame.f_back
    return ""


class Symbolic(Operators):
    """What KerasTensors and the values inside a traced `call` have in common: a shape, a dtype and arithmetic."""

    shape: Shape
    dtype: str
    __array_priority__ = 1000

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def _refuse(self, what: str, hint: str = "") -> Any:
        raise TraceError(
            f"[trace] expected an operation of hotloop.ops on a symbolic tensor of shape {self.shape}, received "
            f"{what}{_place()}, which needs its values. They are only known when the model runs; `training` is a "
            f"Python bool.{hint}"
        )

    def __getattr__(self, name: str) -> Any:
        from . import ops

        hint = f"Write hotloop.ops.{name}(x)." if name in ops.__all__ else "hotloop.ops has what can be done with one."
        raise AttributeError(f"[trace] expected shape, ndim or dtype of a symbolic tensor, received x.{name}. {hint}")

    def __getitem__(self, key: Any) -> Any:
        from .shaping import get_item

        return get_item(self, key)

    def __bool__(self) -> bool:
        return self._refuse("a Python condition (if, while, and, or)")

    def __float__(self) -> float:
        return self._refuse("float()")

    def __int__(self) -> int:
        return self._refuse("int()")

    def __iter__(self) -> Any:
        return self._refuse("a loop over its elements")

    def __len__(self) -> int:
        return self._refuse("len()")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        return self._refuse("a NumPy function", " hotloop.ops has its own functions.")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """`array + tensor` is left to the tensor; any other function of NumPy is refused."""
        from . import ops

        name = ufunc.__name__
        if method == "__call__" and name in _OPERATORS and not isinstance(inputs[0], Symbolic):
            return getattr(inputs[1], _OPERATORS[name])(inputs[0])
        hint = f" Write hotloop.ops.{name}(x)." if name in ops.__all__ else " Take one of hotloop.ops."
        return self._refuse(f"numpy.{name}", hint)


class KerasTensor(Symbolic):
    """A value in a model that is being described; what `Input` and calls of layers give.

    Attributes
    ----------
    shape : tuple
        Axis 0, the batch, is None.
    dtype : str
    name : str
    node : Node
        The call that made it.
    operation : Operation
        What was called.
    """

    def __init__(self, shape: Shape, dtype: str, name: str | None = None) -> None:
        self.shape = tuple(shape)
        self.dtype = dtype
        self.name = name or auto_name("keras_tensor")
        self.node: Node
        self.operation: Operation
        self.index = 0

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"


class Node:
    """One call of an operation (a layer, mostly) on KerasTensors.

    Attributes
    ----------
    operation : Operation
    args, kwargs
        Of the call; KerasTensors may stand anywhere in nested lists, tuples and dicts.
    inputs, outputs : list of KerasTensor
        Those in `args` and `kwargs`, and those in the result.

    Notes
    -----
    References go from outputs to inputs: a tensor holds its node and operation, an operation its nodes, a node its
    inputs. The other way they are weak, so that a model is freed with its last reference.
    """

    def __init__(self, operation: Operation, args: tuple, kwargs: dict[str, Any], outputs: Any) -> None:
        self._operation = ref(operation)
        self.args, self.kwargs = args, kwargs
        self.inputs = [t for t in flatten((args, kwargs)) if isinstance(t, KerasTensor)]
        tensors = flatten(outputs)
        self._structure = map_structure(lambda _: None, outputs)
        self._described = [(tensor.shape, tensor.dtype, tensor.name) for tensor in tensors]
        self._outputs = [self._adopt(tensor, index) for index, tensor in enumerate(tensors)]
        operation.nodes.append(self)

    @property
    def operation(self) -> Operation:
        """What was called."""
        operation = self._operation()
        assert operation is not None, "the operation, or a tensor that it made, is held by whoever has its node"
        return operation

    @property
    def outputs(self) -> list[KerasTensor]:
        """The tensors in the result; one that nobody held is made anew."""
        return [self._output(index) for index in range(len(self._outputs))]

    @property
    def result(self) -> Any:
        """What the call gave: a tensor, or the structure of them."""
        return pack_like(self._structure, self.outputs)

    def _output(self, index: int) -> KerasTensor:
        tensor = self._outputs[index]()
        if tensor is None:
            tensor = KerasTensor(*self._described[index])
            self._outputs[index] = self._adopt(tensor, index)
        return tensor

    def _adopt(self, tensor: KerasTensor, index: int) -> ref[KerasTensor]:
        tensor.node, tensor.index, tensor.operation = self, index, self.operation
        return ref(tensor)

    def arguments(self, replace: Callable[[KerasTensor], Any]) -> tuple[tuple, dict[str, Any]]:
        """The call's arguments with every KerasTensor replaced."""
        return map_structure(
            lambda leaf: replace(leaf) if isinstance(leaf, KerasTensor) else leaf, (self.args, self.kwargs)
        )


class Operation:
    """Anything that a node may hold: a layer, or a bare op such as `x + 1`."""

    name: str
    nodes: list[Node]

    def trace_call(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Run on traced tensors (trace.py)."""
        raise NotImplementedError

    def _single_node(self, what: str) -> Node:
        if not self.nodes:
            raise AttributeError(f"Layer '{self.name}' has never been called and thus has no defined {what}.")
        return self.nodes[0]

    @property
    def input(self) -> Any:
        """The symbolic input of the first call; a list if there are several."""
        inputs = self._single_node("input").inputs
        return inputs[0] if len(inputs) == 1 else inputs

    @property
    def output(self) -> Any:
        """The symbolic output of the first call."""
        return self._single_node("output").result


class OpCall(Operation):
    """A bare op on KerasTensors: in the graph and in the saved configuration, but no layer."""

    def __init__(self, op: str, attrs: dict[str, Any], name: str | None = None) -> None:
        self.op, self.attrs = op, attrs
        self.name = name or auto_name(attrs["kind"] if op in ("elementwise", "reduce") else op)
        self.nodes = []

    def trace_call(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        from . import ops

        return ops.apply(self.op, list(args), self.attrs)
