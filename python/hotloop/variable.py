"""Variable: a named array with one home, its own memory or one slab."""

from __future__ import annotations

import itertools
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from .operators import Operators

if TYPE_CHECKING:
    from .slab import Slab

# While a file is read, the `saving.allowance.Allowance` that bounds what its description may make.
allowance: ContextVar[Any] = ContextVar("allowance", default=None)

# The Trace whose `call` is running in this thread: weights are symbols then, not numbers.
tracing: ContextVar[Any] = ContextVar("tracing", default=None)

COMPACT = ("int8", "float16", "bfloat16")  # how weights that are not trained may be stored

_changes = itertools.count(1)
_last_freeze = 0
_last_structure = 0
_last_pruning = 0
_last_constant = 0


def freeze_count() -> int:
    """A number that grows whenever any `trainable` flag changes: what was traced before may be out of date."""
    return _last_freeze


def note_freeze() -> None:
    """A `trainable` flag has changed."""
    global _last_freeze
    _last_freeze = next(_changes)


def pruning_count() -> int:
    """A number that grows whenever any `keep_zeros` flag changes: optimizers must be told."""
    return _last_pruning


def constant_count() -> int:
    """A number that grows whenever a variable of whole numbers is assigned, which graphs hold as a constant."""
    return _last_constant


def _note_constant() -> None:
    global _last_constant
    _last_constant = next(_changes)
    note_structure()


def structure_count() -> int:
    """A number that grows whenever a layer makes a weight or a model changes its layers."""
    return _last_structure


def note_structure() -> None:
    """A layer has a new weight, or a model other layers."""
    global _last_structure
    _last_structure = next(_changes)


def rounded_to_bfloat16(array: Any) -> np.ndarray:
    """The nearest numbers of 8 bits' precision, ties to even, as float32."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return np.where((bits & 0x7FFFFFFF) > 0x7F800000, bits, rounded).view(np.float32)


class Variable(Operators):
    """A weight of a layer.

    Its value lives in one place. Until a model uses it that is an array of its own; from then on it is the slab
    of the model that used it last, so that layers may be shared by several models.

    Parameters
    ----------
    initializer : array_like or callable
        The value, or `f(shape, dtype=...)` that makes it.
    shape : tuple of int, optional
        Needed with a callable.
    dtype : str, optional
        "float32", "float64" or "int32"; `config.floatx()` unless told. A matrix that is not trained may be stored as
        "int8", "float16" or "bfloat16"; of the last NumPy has no arrays, it is seen as the float32 numbers it holds.
    trainable : bool
        Whether training updates it. A frozen variable takes part again when this is set to True.
    name : str, optional

    Attributes
    ----------
    path : str
        `layer/variable`.
    keep_zeros : bool
        Whether what is exactly 0 stays so when training updates the others (`hotloop.pruning`). From the next batch on.

    Examples
    --------
    >>> v = Variable([[1.0, 2.0]], name="kernel")
    >>> v.shape, v.assign([[3.0, 4.0]]).numpy()
    ((1, 2), array([[3., 4.]], dtype=float32))
    """

    _keep_zeros = False

    def __init__(
        self,
        initializer: Any,
        shape: tuple[int, ...] | None = None,
        dtype: str | None = None,
        trainable: bool = True,
        name: str | None = None,
    ) -> None:
        from .config import floatx

        self.dtype = dtype or floatx()
        self.name = name or "variable"
        self.path = self.name
        self._trainable = bool(trainable)
        if self._trainable and self.dtype in COMPACT:
            raise ValueError(f"[variable '{self.name}'] expected trainable=False for {self.dtype}, received True.")
        self._regularizer: Any = None
        self._constraint: Any = None
        self._home: Slab | None = None
        limit = allowance.get()
        if callable(initializer):
            if shape is None:
                raise ValueError(f"[variable '{self.name}'] expected a shape next to a callable initializer.")
            if limit is not None:
                value = limit.initial(tuple(shape), dtype=self.dtype)
            else:
                made = initializer(tuple(shape), dtype="float32" if self.dtype in COMPACT else self.dtype)
                value = np.asarray(made)
        else:
            value = np.asarray(initializer) if limit is None else limit.constant(np.asarray(initializer))
        self.shape = value.shape if shape is None else tuple(shape)
        self._value: np.ndarray | None = self._checked(value)

    @property
    def trainable(self) -> bool:
        """Whether training updates this variable."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        if value and self.dtype in COMPACT:
            raise ValueError(f"[variable '{self.path}'] expected trainable=False for {self.dtype}, received True.")
        if bool(value) != self._trainable:
            self._trainable = bool(value)
            note_freeze()

    @property
    def keep_zeros(self) -> bool:
        return self._keep_zeros

    @keep_zeros.setter
    def keep_zeros(self, value: bool) -> None:
        global _last_pruning
        if bool(value) != self._keep_zeros:
            self._keep_zeros = bool(value)
            _last_pruning = next(_changes)

    @property
    def regularizer(self) -> Any:
        """What its penalty in the loss is, or None."""
        return self._regularizer

    @regularizer.setter
    def regularizer(self, value: Any) -> None:
        from . import regularizers

        self._regularizer = regularizers.get(value)
        note_freeze()

    @property
    def constraint(self) -> Any:
        """What is done to it after every update, or None."""
        return self._constraint

    @constraint.setter
    def constraint(self, value: Any) -> None:
        from . import constraints

        self._constraint = constraints.get(value)
        note_freeze()

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """Bytes that its elements take where they are stored."""
        return self.size * (2 if self.dtype == "bfloat16" else np.dtype(self.dtype).itemsize)

    @property
    def value(self) -> np.ndarray:
        """A copy of the value, row-major."""
        return self.numpy()

    def numpy(self) -> np.ndarray:
        """A copy of the value, row-major.

        Raises
        ------
        TraceError
            While a layer's `call` is traced: the number would be a constant, which training never updates.
        """
        if tracing.get() is not None:
            from .tensor import TraceError

            raise TraceError(
                f"[{tracing.get().layer_name}] expected functions of hotloop.ops and operators, received the weight "
                f"'{self.path}' as an array. Its value is not known while `call` describes the model, and a constant "
                "would never be trained. Arithmetic, sums, products, slices, ops.transpose and ops.reshape take "
                "weights."
            )
        while True:
            value, home = self._value, self._home
            if home is not None:
                return home.read(self)
            if value is not None:  # else it has moved in between
                return value.copy()

    def assign(self, value: Any) -> Variable:
        """Replace the value; the shape must be the same.

        Raises
        ------
        ValueError
            If the shape differs.
        """
        from .slab import at_rest

        trace = tracing.get()
        symbolic = isinstance(value, Operators) and not isinstance(value, Variable)
        if trace is not None and (symbolic or trace.counted is not None):
            trace.assign(self, value)
            return self
        array = self._checked(value)
        with at_rest([self]):
            if self._home is None:
                self._value = array
            else:
                self._home.write(self, array)
        if self.dtype == "int32":
            _note_constant()
        return self

    def assign_add(self, value: Any) -> Variable:
        """Add to the value."""
        return self.assign(self + value)

    def assign_sub(self, value: Any) -> Variable:
        """Subtract from the value."""
        return self.assign(self - value)

    def _checked(self, value: Any, where: str = "") -> np.ndarray:
        where = where or f"variable '{self.path}'"
        if isinstance(value, Variable):
            value = value.numpy()
        given = np.asarray(value)
        if given.dtype.kind not in "fiub":
            raise TypeError(f"[{where}] expected real numbers for '{self.path}', received dtype {given.dtype}.")
        if given.shape != self.shape:
            raise ValueError(f"[{where}] expected shape {self.shape} for '{self.path}', received {given.shape}.")
        if self.dtype == "bfloat16":
            return rounded_to_bfloat16(given)
        array = np.array(given, dtype=self.dtype, order="C")
        if self.dtype == "int8" and not np.array_equal(array, given):
            raise ValueError(f"[{where}] expected whole numbers from -128 to 127 for '{self.path}'.")
        return array

    def _move(self, home: Slab) -> None:
        """The slab holds the value from now on."""
        self._home = home
        self._value = None

    @property
    def __array_priority__(self) -> float:
        """Inside `call`, NumPy's numbers leave `number * weight` to the weight."""
        return 0.0 if tracing.get() is None else 1000.0

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.numpy()
        return array if dtype is None else array.astype(dtype, copy=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_home": None, "_value": self.numpy()}

    def __float__(self) -> float:
        return float(self.numpy())

    def __getitem__(self, key: Any) -> Any:
        if tracing.get() is not None:
            from .shaping import get_item

            return get_item(self, key)
        return self.numpy()[key]

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}, trainable={self.trainable}>"
