"""Losses with a kernel of their own: value and gradient in one pass (`csrc/ops/loss.h`).

The formulas are Keras's on JAX, so probabilities are clipped at 1e-7. `from_logits=True` is the exact way to a
crossentropy.
"""

from __future__ import annotations

from typing import Any

from . import formulas
from .loss import Loss


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

    def formula(self, y_true: Any, y_pred: Any) -> Any:
        return getattr(formulas, self.kind)(y_true, y_pred)


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

    def formula(self, y_true: Any, y_pred: Any) -> Any:
        options = {name: value for name, value in self.options().items() if name != "kind"}
        return getattr(formulas, self.kind)(y_true, y_pred, **options)

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
