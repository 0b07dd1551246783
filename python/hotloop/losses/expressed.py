"""Losses that are expressions of `hotloop.ops`; `formulas.py` says how, and where they come from."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import ops
from ..config import epsilon
from ..trace import squeezed_alike
from . import formulas
from .loss import Loss


class _Expressed(Loss):
    """A function of `formulas` with its options as attributes."""

    custom = True
    options_in_order: ClassVar[tuple[str, ...]] = ()

    def call(self, y_true: Any, y_pred: Any) -> Any:
        options = {name: getattr(self, name) for name in self.options_in_order}
        return getattr(formulas, self.kind)(*squeezed_alike(y_true, y_pred), **options)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **{name: getattr(self, name) for name in self.options_in_order}}

    def _check(self, name: str, within: bool) -> None:
        if not within:
            raise ValueError(f"[{self.name}] received {name}={getattr(self, name)!r}, which is out of range.")


class MeanAbsolutePercentageError(_Expressed):
    """100 abs((y_true - y_pred) / max(abs y_true, epsilon)), mean over the last axis.

    Parameters
    ----------
    reduction, name, dtype
        Of `Loss`.
    """

    kind = "mean_absolute_percentage_error"

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)


class MeanSquaredLogarithmicError(_Expressed):
    """(log(y_pred + 1) - log(y_true + 1))^2, mean over the last axis; what is below epsilon counts as epsilon.

    Parameters
    ----------
    reduction, name, dtype
        Of `Loss`.
    """

    kind = "mean_squared_logarithmic_error"

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)


class Huber(_Expressed):
    """e^2 / 2 up to `delta`, then a straight line; mean over the last axis.

    Parameters
    ----------
    delta : float
        Where the square becomes a straight line.
    reduction, name, dtype
        Of `Loss`.
    """

    kind = "huber"
    options_in_order = ("delta",)

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.delta = float(delta)
        self._check("delta", self.delta > 0)


class LogCosh(_Expressed):
    """log cosh(y_pred - y_true), mean over the last axis.

    Parameters
    ----------
    reduction, name, dtype
        Of `Loss`.
    """

    kind = "log_cosh"

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)


class Quantile(_Expressed):
    """Pinball loss: max(q e, (q - 1) e) with e = y_true - y_pred, mean over the last axis.

    Parameters
    ----------
    q : float
        The quantile that y_pred becomes; between 0 and 1.
    reduction, name, dtype
        Of `Loss`.
    """

    kind = "quantile"
    options_in_order = ("q",)

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.q = float(q)
        self._check("q", 0 < self.q < 1)


class Poisson(_Expressed):
    """y_pred - y_true log(y_pred + epsilon), mean over the last axis: counts.

    Parameters
    ----------
    reduction, name, dtype
        Of `Loss`.
    """

    kind = "poisson"

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)


class KLDivergence(_Expressed):
    """Sum of y_true log(y_true / y_pred) over the last axis, both clipped to [epsilon, 1].

    Parameters
    ----------
    reduction, name, dtype
        Of `Loss`.
    """

    kind = "kl_divergence"

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)


class CosineSimilarity(_Expressed):
    """Minus the cosine of the angle between y_true and y_pred: -1 is best.

    Parameters
    ----------
    axis : int
        Along which the vectors lie.
    reduction, name, dtype
        Of `Loss`.
    """

    kind = "cosine_similarity"
    options_in_order = ("axis",)

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.axis = axis


class Hinge(_Expressed):
    """max(1 - y_true y_pred, 0), mean over the last axis; y_true of -1 and 1, or of 0 and 1.

    Parameters
    ----------
    reduction, name, dtype
        Of `Loss`.
    """

    kind = "hinge"

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)


class SquaredHinge(_Expressed):
    """max(1 - y_true y_pred, 0)^2, mean over the last axis; y_true of -1 and 1, or of 0 and 1.

    Parameters
    ----------
    reduction, name, dtype
        Of `Loss`.
    """

    kind = "squared_hinge"

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)


class CategoricalHinge(_Expressed):
    """max(0, largest wrong score - right score + 1); y_true one-hot on the last axis.

    Parameters
    ----------
    reduction, name, dtype
        Of `Loss`.
    """

    kind = "categorical_hinge"

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)


class BinaryFocalCrossentropy(_Expressed):
    """Binary crossentropy in which sure answers count less; mean over the last axis.

    Parameters
    ----------
    apply_class_balancing : bool
        Multiply by alpha for y = 1, by 1 - alpha for y = 0.
    alpha : float
        Weight of class 1.
    gamma : float
        How much sure answers count less.
    from_logits : bool
        y_pred holds log-odds rather than probabilities.
    label_smoothing : float
        y becomes y (1 - s) + s / 2.
    axis : int
        -1.
    reduction, name, dtype
        Of `Loss`.
    """

    kind = "binary_focal_crossentropy"
    options_in_order = ("apply_class_balancing", "alpha", "gamma", "from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.apply_class_balancing = bool(apply_class_balancing)
        self.alpha = float(alpha)
        self.gamma = float(gamma)
        self.from_logits = bool(from_logits)
        self.label_smoothing = float(label_smoothing)
        self.axis = axis
        self._check("label_smoothing", 0 <= self.label_smoothing <= 1)
        self._check("axis", self.axis == -1)


class CategoricalFocalCrossentropy(_Expressed):
    """Categorical crossentropy in which sure answers count less; y_true one-hot on the last axis.

    Parameters
    ----------
    alpha : float
        A factor.
    gamma : float
        How much sure answers count less.
    from_logits : bool
        y_pred holds scores before softmax rather than probabilities.
    label_smoothing : float
        y becomes y (1 - s) + s / classes.
    axis : int
        -1.
    reduction, name, dtype
        Of `Loss`.
    """

    kind = "categorical_focal_crossentropy"
    options_in_order = ("alpha", "gamma", "from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.alpha = float(alpha)
        self.gamma = float(gamma)
        self.from_logits = bool(from_logits)
        self.label_smoothing = float(label_smoothing)
        self.axis = axis
        self._check("label_smoothing", 0 <= self.label_smoothing <= 1)
        self._check("axis", self.axis == -1)


class CategoricalGeneralizedCrossEntropy(_Expressed):
    """(1 - p[y]^q) / q for class numbers y that may be wrong.

    Parameters
    ----------
    q : float
        From crossentropy (near 0) to the absolute error (near 1).
    reduction, name, dtype
        Of `Loss`.
    """

    kind = "categorical_generalized_cross_entropy"
    options_in_order = ("q",)

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.q = float(q)
        self._check("q", 0 < self.q < 1)


class Dice(_Expressed):
    """1 - 2 sum(y p) / (sum y + sum p + epsilon).

    Parameters
    ----------
    axis : int or tuple of int, optional
        Summed over; None: the whole batch.
    reduction, name, dtype
        Of `Loss`.
    """

    kind = "dice"
    options_in_order = ("axis",)

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        axis: Any = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.axis = axis


class Tversky(_Expressed):
    """1 - I / (I + alpha sum((1 - p) y) + beta sum(p (1 - y)) + epsilon), I = sum(y p).

    Parameters
    ----------
    alpha : float
        Weight of what y_pred misses.
    beta : float
        Weight of what y_pred has too much.
    axis : int or tuple of int, optional
        Summed over; None: the whole batch.
    reduction, name, dtype
        Of `Loss`.
    """

    kind = "tversky"
    options_in_order = ("alpha", "beta", "axis")

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        axis: Any = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.alpha = float(alpha)
        self.beta = float(beta)
        self.axis = axis


class MarginRanking(_Expressed):
    """max(0, margin - y (a - b)) for two scores in the columns of y_pred; y is 1 where the first belongs
    before, else -1.

    Parameters
    ----------
    margin : float
        By how much the right score should be larger.
    reduction, name, dtype
        Of `Loss`.
    """

    kind = "margin_ranking"
    options_in_order = ("margin",)

    def __init__(
        self,
        margin: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.margin = float(margin)


class Contrastive(_Expressed):
    """y d^2 + (1 - y) max(margin - d, 0)^2 for distances d of pairs; y is 1 for a pair of the same kind, else 0.

    Parameters
    ----------
    margin : float
        How far pairs of different kinds should be apart.
    reduction, name, dtype
        Of `Loss`.
    """

    kind = "contrastive"
    options_in_order = ("margin",)

    def __init__(
        self,
        margin: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.margin = float(margin)


class Triplet(_Expressed):
    """max(0, d_same - d_other + margin) for an anchor's two distances in the columns of y_pred; y_true is not
    looked at.

    Parameters
    ----------
    margin : float
        How much farther the other kind should be.
    reduction, name, dtype
        Of `Loss`.
    """

    kind = "triplet"
    options_in_order = ("margin",)

    def __init__(
        self,
        margin: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.margin = float(margin)


class Circle(_Expressed):
    """log(1 + P N) of every embedding of a batch: how far those of its label are, times how near the others.

    With d = max(1 - cosine, 0), P is the sum of exp(gamma max(margin + d, 0) (d - margin)) over the samples of its
    label, and N that of exp(gamma max(1 + margin - d, 0) (1 - margin - d)) over the others.

    Parameters
    ----------
    gamma : float
        The scale of similarities.
    margin : float
        Below this distance those of one label, and above 1 - margin the others, count for little.
    remove_diagonal : bool
        Leave out each sample beside itself.
    reduction, name, dtype
        Of `Loss`. Samples whose loss is 0 are not counted in the mean.

    Notes
    -----
    y_true holds whole numbers, y_pred (batch, D) vectors of length 1: end the model with `UnitNormalization`. A sample
    with nobody of its label, or nobody else, in the batch has loss 0 and no gradient (in Keras on JAX a NaN).
    `losses.circle` takes other references than the batch. Sun et al., "Circle loss: a unified perspective of pair
    similarity optimization", CVPR 2020.

    Examples
    --------
    >>> print(round(float(Circle(gamma=2.0)([0, 0, 1], [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])), 4))
    0.6141
    """

    kind = "circle"
    options_in_order = ("gamma", "margin", "remove_diagonal")
    whole_row = True

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "circle",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.gamma, self.margin, self.remove_diagonal = float(gamma), float(margin), bool(remove_diagonal)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        values = super().call(y_true, y_pred)
        if self.reduction != "sum_over_batch_size":
            return values
        return values * (ops.sum(ops.ones_like(values)) / (ops.sum(values > 0) + epsilon()))

    def _reduced(self, values: Any, sample_weight: Any) -> Any:
        return super()._reduced(values, self._counted(values, sample_weight))

    def _reduced_tensor(self, values: Any, weight: Any) -> Any:
        return super()._reduced_tensor(values, self._counted(values, weight))

    def _counted(self, values: Any, weight: Any) -> Any:
        """The weights, 0 where the loss is, of which the mean divides by the sum."""
        if self.reduction != "mean_with_sample_weight":
            return weight
        return ops.cast(values > 0, values.dtype) * (1.0 if weight is None else ops.reshape(weight, (-1,)))
