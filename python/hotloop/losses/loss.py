"""Loss, the base class of losses, and functions of one's own as losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import rowwise
from ..config import floatx
from ..elementwise import is_symbolic
from ..identifiers import Configurable, Initialised, function_of, name_of, unknown_name
from ..overrides import is_ours
from ..trace import squeezed_alike

_REDUCTIONS = ("sum_over_batch_size", "sum", "none", "mean", "mean_with_sample_weight")
_TRAINED = ("sum_over_batch_size", "sum")


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
        return self.formula(y_true, y_pred) if is_symbolic([y_true, y_pred]) else self.values(y_true, y_pred)

    def formula(self, y_true: Any, y_pred: Any) -> Any:
        """The same values as an expression of tensors, for losses that other losses are made of."""
        raise NotImplementedError(f"[{type(self).__name__}] expected arrays, received tensors.")

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
        """The loss of arrays; inside a loss of one's own also of tensors.

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
        if is_symbolic([y_true, y_pred]):
            return self._reduced_tensor(self.call(y_true, y_pred), sample_weight)
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

    def _reduced_tensor(self, values: Any, weight: Any) -> Any:
        from .. import ops

        if weight is not None:
            while len(weight.shape) < len(values.shape):
                weight = ops.expand_dims(weight, -1)
            if len(weight.shape) == len(values.shape) + 1 and weight.shape[-1] == 1:
                weight = ops.squeeze(weight, -1)
            values = values * weight
        if self.reduction == "none":
            return values
        if self.reduction == "mean_with_sample_weight" and weight is not None:
            return ops.sum(values) / ops.sum(weight)
        return ops.sum(values) if self.reduction == "sum" else ops.mean(values)

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


def _as_floats(y_true: Any, y_pred: Any, dtype: str | None) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(y_true, dtype or floatx()), np.asarray(y_pred, dtype or floatx())
