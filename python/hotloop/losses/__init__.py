"""Losses: what `compile(loss=...)` takes, and functions and objects that compute them on arrays and on tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..elementwise import is_symbolic
from ..identifiers import Table
from ..identifiers import serialize as serialize
from ..overrides import refuse_overrides
from . import formulas
from .expressed import (
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    CategoricalHinge,
    Circle,
    Contrastive,
    CosineSimilarity,
    Dice,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MarginRanking,
    MeanAbsolutePercentageError,
    MeanSquaredLogarithmicError,
    Poisson,
    Quantile,
    SquaredHinge,
    Triplet,
    Tversky,
)
from .formulas import (
    binary_focal_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    categorical_hinge,
    circle,
    contrastive,
    cosine_similarity,
    dice,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    margin_ranking,
    mean_absolute_percentage_error,
    mean_squared_logarithmic_error,
    poisson,
    quantile,
    squared_hinge,
    triplet,
    tversky,
)
from .fused import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    MeanAbsoluteError,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
)
from .loss import Loss, LossFunctionWrapper

_CHOSEN_BY_SHAPE = ("crossentropy", "ce")


def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of (y_true - y_pred)^2 over the last axis; one value a sample."""
    if is_symbolic([y_true, y_pred]):
        return formulas.mean_squared_error(y_true, y_pred)
    return MeanSquaredError().values(y_true, y_pred)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of abs(y_true - y_pred) over the last axis; one value a sample."""
    if is_symbolic([y_true, y_pred]):
        return formulas.mean_absolute_error(y_true, y_pred)
    return MeanAbsoluteError().values(y_true, y_pred)


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """`BinaryCrossentropy`, one value a sample."""
    if is_symbolic([y_true, y_pred]):
        return formulas.binary_crossentropy(y_true, y_pred, from_logits, label_smoothing, axis)
    return BinaryCrossentropy(from_logits, label_smoothing, axis).values(y_true, y_pred)


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """`CategoricalCrossentropy`, one value a sample."""
    if is_symbolic([y_true, y_pred]):
        return formulas.categorical_crossentropy(y_true, y_pred, from_logits, label_smoothing, axis)
    return CategoricalCrossentropy(from_logits, label_smoothing, axis).values(y_true, y_pred)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: None = None, axis: int = -1
) -> Any:
    """`SparseCategoricalCrossentropy`, one value a sample."""
    if is_symbolic([y_true, y_pred]):
        return formulas.sparse_categorical_crossentropy(y_true, y_pred, from_logits, ignore_class, axis)
    return SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis).values(y_true, y_pred)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "mean_squared_error": mean_squared_error,
    "mean_absolute_error": mean_absolute_error,
    "binary_crossentropy": binary_crossentropy,
    "categorical_crossentropy": categorical_crossentropy,
    "sparse_categorical_crossentropy": sparse_categorical_crossentropy,
    "mean_absolute_percentage_error": mean_absolute_percentage_error,
    "mean_squared_logarithmic_error": mean_squared_logarithmic_error,
    "huber": huber,
    "log_cosh": log_cosh,
    "quantile": quantile,
    "poisson": poisson,
    "kl_divergence": kl_divergence,
    "cosine_similarity": cosine_similarity,
    "hinge": hinge,
    "squared_hinge": squared_hinge,
    "categorical_hinge": categorical_hinge,
    "binary_focal_crossentropy": binary_focal_crossentropy,
    "categorical_focal_crossentropy": categorical_focal_crossentropy,
    "categorical_generalized_cross_entropy": categorical_generalized_cross_entropy,
    "dice": dice,
    "tversky": tversky,
    "margin_ranking": margin_ranking,
    "contrastive": contrastive,
    "triplet": triplet,
    "circle": circle,
}
_TABLE: Table[Loss] = Table(
    "loss",
    Loss,
    {
        "mean_squared_error": MeanSquaredError,
        "mean_absolute_error": MeanAbsoluteError,
        "binary_crossentropy": BinaryCrossentropy,
        "categorical_crossentropy": CategoricalCrossentropy,
        "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
        "mean_absolute_percentage_error": MeanAbsolutePercentageError,
        "mean_squared_logarithmic_error": MeanSquaredLogarithmicError,
        "huber": Huber,
        "log_cosh": LogCosh,
        "quantile": Quantile,
        "poisson": Poisson,
        "kl_divergence": KLDivergence,
        "cosine_similarity": CosineSimilarity,
        "hinge": Hinge,
        "squared_hinge": SquaredHinge,
        "categorical_hinge": CategoricalHinge,
        "binary_focal_crossentropy": BinaryFocalCrossentropy,
        "categorical_focal_crossentropy": CategoricalFocalCrossentropy,
        "categorical_generalized_cross_entropy": CategoricalGeneralizedCrossEntropy,
        "dice": Dice,
        "tversky": Tversky,
        "margin_ranking": MarginRanking,
        "contrastive": Contrastive,
        "triplet": Triplet,
        "circle": Circle,
    },
    aliases={
        "mse": "mean_squared_error", "MSE": "mean_squared_error", "mae": "mean_absolute_error",
        "MAE": "mean_absolute_error", "bce": "binary_crossentropy", "BCE": "binary_crossentropy",
        "mape": "mean_absolute_percentage_error", "MAPE": "mean_absolute_percentage_error",
        "msle": "mean_squared_logarithmic_error", "MSLE": "mean_squared_logarithmic_error",
        "kld": "kl_divergence", "KLD": "kl_divergence",
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
