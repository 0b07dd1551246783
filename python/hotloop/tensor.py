"""KerasTensor: a symbolic value between layers, and the nodes that record which layer made it from what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .naming import auto_name
from .tree import flatten, map_structure

Shape = tuple[Any, ...]  # of ints; axis 0, the batch, is None


class TraceError(TypeError):
    """A symbolic value was used where Python needs a number."""


class Symbolic:
    """What KerasTensors and the values inside a traced `call` have in common: a shape, a dtype and arithmetic."""

    shape: Shape
    dtype: str
    __array_priority__ = 1000
    __array_ufunc__ = None  # `array + tensor` must come here, not loop over the array's elements

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __add__(self, other: Any) -> Any:
        from . import ops

        return ops.add(self, other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        from . import ops

        return ops.subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        from . import ops

        return ops.subtract(other, self)

    def __mul__(self, other: Any) -> Any:
        from . import ops

        return ops.multiply(self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        from . import ops

        return ops.divide(self, other)

    def __neg__(self) -> Any:
        from . import ops

        return ops.negative(self)

    def __matmul__(self, other: Any) -> Any:
        from . import ops

        return ops.matmul(self, other)

    def _refuse(self, what: str) -> Any:
        raise TraceError(
            f"[trace] expected an operation of hotloop.ops on a symbolic tensor of shape {self.shape}, received "
            f"{what}, which needs its values. They are only known when the model runs; `training` is a Python bool."
        )

    def __lt__(self, other: Any) -> Any:
        return self._refuse("a comparison")

    __gt__ = __le__ = __ge__ = __lt__

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
        return self._refuse("a NumPy function")


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
    """

    def __init__(self, shape: Shape, dtype: str, name: str | None = None) -> None:
        self.shape = tuple(shape)
        self.dtype = dtype
        self.name = name or auto_name("keras_tensor")
        self.node: Node
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
    """

    def __init__(self, operation: Operation, args: tuple, kwargs: dict[str, Any], outputs: Any) -> None:
        self.operation = operation
        self.args, self.kwargs, self.result = args, kwargs, outputs
        self.inputs = [t for t in flatten((args, kwargs)) if isinstance(t, KerasTensor)]
        self.outputs: list[KerasTensor] = flatten(outputs)
        for index, tensor in enumerate(self.outputs):
            tensor.node, tensor.index = self, index
        operation.nodes.append(self)

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
        self.name = name or auto_name(op)
        self.nodes = []

    def trace_call(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        from . import ops

        return ops.apply(self.op, list(args), self.attrs)
