"""Losses: what `compile(loss=...)` takes, and functions and objects that compute them on arrays.

The formulas are the engine's (`csrc/ops/loss.h`); they are Keras's on JAX, so probabilities are clipped at 1e-7.
`from_logits=True` is the exact way to a crossentropy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from . import rowwise
from .config import floatx
from .identifiers import Configurable, Initialised, Table, function_of, name_of, unknown_name
from .identifiers import serialize as serialize
from .overrides import is_ours, refuse_overrides
from .trace import squeezed_alike

_REDUCTIONS = ("sum_over_batch_size", "sum", "none", "mean", "mean_with_sample_weight")
_TRAINED = ("sum_over_batch_size", "sum")
_CHOSEN_BY_SHAPE = ("crossentropy", "ce")


class Loss(Initialised, Configurable):
    """Base class of losses.

    Parameters
    ----------
    name : str, optional
    reduction : str
        "sum_over_batch_size" (or "mean"): sum of weight * value, divided by the number of values, whatever the
        weights; "sum"; and for calls on arrays also "none": one value a sample, and "mean_with_sample_weight":
        divided by the sum of the weights.
    dtype : str, optional
        Of calls on arrays; `config.floatx()` unless told.
    """

    kind = ""
    made_first = "dtype"
    not_called = ("__call__",)
    class_numbers = False  # y_true holds class numbers, one axis less than y_pred
    whole_row = False  # the last axis of y_pred is one distribution, not values of their own

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: str | None = None
    ) -> None:
        reduction = "none" if reduction is None else reduction
        if reduction not in _REDUCTIONS:
            raise unknown_name(f"{type(self).__name__} reduction", reduction, _REDUCTIONS)
        self.reduction = "sum_over_batch_size" if reduction == "mean" else reduction
        self.name = name or self.kind
        self.dtype = dtype

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The values of the samples, from tensors or arrays: what a subclass writes with `hotloop.ops`.

        It is traced once; y_true has the dtype of y_pred. It may return a value for each sample, or several, or one
        for the batch (`ops.mean(..)` over all axes), which then counts for each sample.
        """
        return self.values(y_true, y_pred)

    @property
    def custom(self) -> bool:
        """Whether `call` is a subclass's own."""
        return not is_ours(type(self).call)

    def options(self) -> dict[str, Any]:
        """The op's attributes that say what is computed."""
        if self.custom:
            return {"kind": "value"}
        if not self.kind:
            raise ValueError(
                f"[loss] expected one of hotloop.losses, received {type(self).__name__}, which no kernel computes."
            )
        return {"kind": self.kind}

    def node_attrs(self) -> dict[str, Any]:
        """Attributes of the loss node of a model.

        Raises
        ------
        ValueError
            If the reduction is only for calls on arrays.
        """
        if self.reduction not in _TRAINED:
            raise ValueError(
                f"[loss '{self.name}'] expected reduction 'sum_over_batch_size' or 'sum' in a model, "
                f"received '{self.reduction}'."
            )
        return {**self.options(), "reduction": self.reduction}

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The loss of arrays.

        Parameters
        ----------
        y_true, y_pred : array_like
            Of one shape; for sparse losses y_true has one axis less. An axis of size 1 at the end may be missing.
        sample_weight : array_like, optional
            Shape (samples,), (samples, 1), or that of the values.

        Returns
        -------
        float or ndarray
            A NumPy scalar; an array of the values for reduction "none".
        """
        if self.custom:
            return self._reduced(self.call(*_as_floats(y_true, y_pred, self.dtype)), sample_weight)
        if np.ndim(y_pred) == 1 and not self.whole_row:
            y_pred = np.reshape(y_pred, (-1, 1))
        rows = rowwise.to_rows(self.name, y_true, y_pred, class_numbers=self.class_numbers, dtype=self.dtype)
        weight = rowwise.to_weights(rows, sample_weight)
        scalar = rows.y_pred.dtype.type
        if self.reduction == "none":
            values = rowwise.each("loss", rows, self.options())
            return values if weight is None else values * weight.reshape(rows.shape)
        total, count = rowwise.total("loss", rows, self.options(), weight)
        if self.reduction == "sum":
            return scalar(total)
        if self.reduction == "mean_with_sample_weight" and weight is not None:
            count = float(weight.sum(dtype=np.float64))
        return scalar(rowwise.weighted_mean(total, count))

    def _reduced(self, values: Any, sample_weight: Any) -> Any:
        values = np.asarray(values, self.dtype or floatx())
        weight = np.ones((), values.dtype)
        if sample_weight is not None:
            weight = np.asarray(sample_weight, values.dtype)
            if weight.ndim == values.ndim + 1 and weight.shape[-1] == 1:
                weight = weight[..., 0]
            weight = weight.reshape(weight.shape + (1,) * (values.ndim - weight.ndim))
        weighted = values * weight
        if self.reduction == "none":
            return weighted
        total = weighted.sum(dtype=np.float64)
        count = weighted.size
        if self.reduction == "mean_with_sample_weight" and sample_weight is not None:
            count = np.broadcast_to(weight, weighted.shape).sum(dtype=np.float64)
        return values.dtype.type(total if self.reduction == "sum" else rowwise.weighted_mean(total, count))

    def values(self, y_true: Any, y_pred: Any) -> np.ndarray:
        """One value for each distribution or last axis of y_pred: what the functions of this module return."""
        rows = rowwise.to_rows(self.name, y_true, y_pred, class_numbers=self.class_numbers, dtype=self.dtype)
        return rowwise.each("loss", rows, self.options())

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "reduction": self.reduction}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, reduction={self.reduction}>"


class LossFunctionWrapper(Loss):
    """A function of y_true and y_pred as a loss: what `compile(loss=function)` makes.

    An axis of size 1 at the end of one of the two that the other lacks is taken away first, as in Keras.

    Parameters
    ----------
    fn : callable
        `fn(y_true, y_pred, **kwargs)`, written with `hotloop.ops` and operators; see `Loss.call`.
    reduction, name, dtype
        Of `Loss`; the function's name unless told.
    **kwargs
        Further arguments of `fn`.

    Examples
    --------
    >>> from hotloop import ops
    >>> fourth = LossFunctionWrapper(lambda y_true, y_pred: ops.mean((y_true - y_pred) ** 4, axis=-1))
    >>> float(fourth([[0.0, 1.0]], [[1.0, 3.0]]))
    8.5
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name or name_of(fn), reduction, dtype)
        self.fn, self._kwargs = function_of(type(self).__name__, fn), kwargs

    custom = True

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.fn(*squeezed_alike(y_true, y_pred), **self._kwargs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "fn": self.fn, **self._kwargs}


class MeanSquaredError(Loss):
    """Mean of (y_true - y_pred)^2 over the last axis.

    Parameters
    ----------
    reduction, name, dtype
        Of `Loss`.

    Examples
    --------
    >>> float(MeanSquaredError()([[0.0, 1.0]], [[0.0, 3.0]]))
    2.0
    """

    kind = "mean_squared_error"

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = None, dtype: str | None = None
    ) -> None:
        super().__init__(name, reduction, dtype)


class MeanAbsoluteError(MeanSquaredError):
    """Mean of abs(y_true - y_pred) over the last axis.

    Parameters
    ----------
    reduction, name, dtype
        Of `Loss`.
    """

    kind = "mean_absolute_error"


class _Crossentropy(Loss):
    def __init__(
        self, from_logits: bool, label_smoothing: float, axis: int, reduction: str | None, name: str | None,
        dtype: str | None,
    ) -> None:  # fmt: skip
        super().__init__(name, reduction, dtype)
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"[{self.name}] expected label_smoothing from 0 to 1, received {label_smoothing}.")
        if axis != -1:
            raise ValueError(f"[{self.name}] expected axis=-1, received {axis}. Move the classes to the last axis.")
        self.from_logits, self.label_smoothing = bool(from_logits), float(label_smoothing)

    def options(self) -> dict[str, Any]:
        return {
            **super().options(), "from_logits": self.from_logits, "label_smoothing": self.label_smoothing
        }  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "from_logits": self.from_logits, "label_smoothing": self.label_smoothing
        }  # fmt: skip


class BinaryCrossentropy(_Crossentropy):
    """Mean of -(y log p + (1 - y) log(1 - p)) over the last axis, each an own yes-or-no question.

    Parameters
    ----------
    from_logits : bool
        y_pred holds log-odds rather than probabilities.
    label_smoothing : float
        y becomes y (1 - s) + s / 2.
    axis : int
        -1.
    reduction, name, dtype
        Of `Loss`.
    """

    kind = "binary_crossentropy"

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)


class CategoricalCrossentropy(BinaryCrossentropy):
    """-sum(y log p) over the classes on the last axis, y one-hot or a distribution.

    Parameters
    ----------
    from_logits : bool
        y_pred holds scores before softmax rather than probabilities.
    label_smoothing : float
        y becomes y (1 - s) + s / classes.
    axis : int
        -1.
    reduction, name, dtype
        Of `Loss`.
    """

    kind = "categorical_crossentropy"
    whole_row = True


class SparseCategoricalCrossentropy(_Crossentropy):
    """-log p[y] for class numbers y, shape (samples,) or (samples, 1).

    Parameters
    ----------
    from_logits : bool
        y_pred holds scores before softmax rather than probabilities.
    ignore_class : None
        Give those samples a weight of 0 instead.
    reduction : str
        Of `Loss`.
    axis : int
        -1.
    name, dtype
        Of `Loss`.

    Examples
    --------
    >>> round(float(SparseCategoricalCrossentropy()([1], [[0.5, 0.5]])), 6)
    0.693147
    """

    kind = "sparse_categorical_crossentropy"
    class_numbers = whole_row = True

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(from_logits, 0.0, axis, reduction, name, dtype)
        if ignore_class is not None:
            raise ValueError(
                f"[{self.name}] expected ignore_class=None, received {ignore_class}. Give those samples a "
                "sample_weight of 0."
            )

    def options(self) -> dict[str, Any]:
        return {"kind": self.kind, "from_logits": self.from_logits}

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "reduction": self.reduction, "from_logits": self.from_logits}


def mean_squared_error(y_true: Any, y_pred: Any) -> np.ndarray:
    """Mean of (y_true - y_pred)^2 over the last axis; one value a sample."""
    return MeanSquaredError().values(y_true, y_pred)


def mean_absolute_error(y_true: Any, y_pred: Any) -> np.ndarray:
    """Mean of abs(y_true - y_pred) over the last axis; one value a sample."""
    return MeanAbsoluteError().values(y_true, y_pred)


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> np.ndarray:
    """`BinaryCrossentropy`, one value a sample."""
    return BinaryCrossentropy(from_logits, label_smoothing, axis).values(y_true, y_pred)


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> np.ndarray:
    """`CategoricalCrossentropy`, one value a sample."""
    return CategoricalCrossentropy(from_logits, label_smoothing, axis).values(y_true, y_pred)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: None = None, axis: int = -1
) -> np.ndarray:
    """`SparseCategoricalCrossentropy`, one value a sample."""
    return SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis).values(y_true, y_pred)


def _as_floats(y_true: Any, y_pred: Any, dtype: str | None) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(y_true, dtype or floatx()), np.asarray(y_pred, dtype or floatx())


_FUNCTIONS: dict[str, Callable[..., np.ndarray]] = {
    "mean_squared_error": mean_squared_error,
    "mean_absolute_error": mean_absolute_error,
    "binary_crossentropy": binary_crossentropy,
    "categorical_crossentropy": categorical_crossentropy,
    "sparse_categorical_crossentropy": sparse_categorical_crossentropy,
}
_TABLE: Table[Loss] = Table(
    "loss",
    Loss,
    {
        "mean_squared_error": MeanSquaredError, "mean_absolute_error": MeanAbsoluteError,
        "binary_crossentropy": BinaryCrossentropy, "categorical_crossentropy": CategoricalCrossentropy,
        "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    },
    aliases={
        "mse": "mean_squared_error", "MSE": "mean_squared_error", "mae": "mean_absolute_error",
        "MAE": "mean_absolute_error", "bce": "binary_crossentropy", "BCE": "binary_crossentropy",
    },
    further=_CHOSEN_BY_SHAPE,
)  # fmt: skip
find = _TABLE.find


def get(identifier: Any) -> Any:
    """The loss of a name, a function (one's own too), a dict, a class or a `Loss`. None stays None.

    Raises
    ------
    ValueError
        For an unknown name (with a suggestion), or anything else.

    Examples
    --------
    >>> get("mse")
    <MeanSquaredError name=mean_squared_error, reduction=sum_over_batch_size>
    """
    if identifier is None:
        return None
    for name, function in _FUNCTIONS.items():
        if identifier is function:
            return _TABLE.get(name)
    if callable(identifier) and not isinstance(identifier, (Loss, type)):
        return LossFunctionWrapper(identifier)
    if isinstance(identifier, Mapping) and identifier.get("class_name") == "LossFunctionWrapper":
        return LossFunctionWrapper.from_config(identifier["config"])
    return _TABLE.get(identifier)


def resolve(identifier: Any, y_true_shape: Sequence[Any], y_pred_shape: Sequence[Any]) -> Any:
    """Like `get`; "crossentropy" (or "ce") becomes the crossentropy that fits the shapes (batch axis first).

    Examples
    --------
    >>> resolve("crossentropy", (None,), (None, 10)).name
    'sparse_categorical_crossentropy'
    """
    if isinstance(identifier, str) and identifier in _CHOSEN_BY_SHAPE:
        return _TABLE.get(crossentropy_for(y_true_shape, y_pred_shape))
    return get(identifier)


def check(identifier: Any) -> None:
    """Refuse what a model of any shape would refuse."""
    if not (isinstance(identifier, str) and identifier in _CHOSEN_BY_SHAPE):
        loss = get(identifier)
        if loss is not None:
            refuse_overrides(loss)
            loss.node_attrs()


def crossentropy_for(y_true_shape: Sequence[Any], y_pred_shape: Sequence[Any]) -> str:
    """Binary for one column of predictions, sparse for class numbers, else categorical."""
    if y_pred_shape[-1] == 1:
        return "binary_crossentropy"
    sparse = len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1] == 1
    return "sparse_categorical_crossentropy" if sparse else "categorical_crossentropy"


def deserialize(config: Mapping[str, Any]) -> Loss:
    """The loss that `serialize` described."""
    return get(config)
