"""Metrics: what `compile(metrics=[...])` takes, and objects that add up values over arrays.

In a model a metric is a node of the graph (`csrc/ops/metric.h`); on arrays the same op runs on what is given.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..identifiers import Table
from ..identifiers import serialize as serialize
from ..losses import (
    binary_crossentropy,
    categorical_crossentropy,
    categorical_hinge,
    crossentropy_for,
    hinge,
    kl_divergence,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from ..overrides import refuse_overrides
from .accuracy import (
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from .confusion import (
    AUC,
    FalseNegatives,
    FalsePositives,
    Precision,
    PrecisionAtRecall,
    Recall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
    TrueNegatives,
    TruePositives,
)
from .correlation import (
    ConcordanceCorrelation,
    PearsonCorrelation,
    concordance_correlation,
    pearson_correlation,
)
from .errors import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    MeanAbsoluteError,
    MeanSquaredError,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
)
from .expressed import (
    Accuracy,
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsolutePercentageError,
    MeanSquaredLogarithmicError,
    Poisson,
    SquaredHinge,
)
from .metric import Mean, MeanMetricWrapper, Metric, Sum
from .overlap import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
from .scores import F1Score, FBetaScore, R2Score

_CHOSEN_BY_SHAPE = {"accuracy": "up", "acc": "up", "crossentropy": "down", "ce": "down"}
_FUNCTIONS: tuple[Callable[..., np.ndarray], ...] = (
    binary_accuracy, categorical_accuracy, sparse_categorical_accuracy, mean_squared_error, mean_absolute_error,
    binary_crossentropy, categorical_crossentropy, sparse_categorical_crossentropy, mean_absolute_percentage_error,
    mean_squared_logarithmic_error, hinge, squared_hinge, categorical_hinge, kl_divergence, poisson,
    top_k_categorical_accuracy, sparse_top_k_categorical_accuracy, pearson_correlation, concordance_correlation,
)  # fmt: skip
_TABLE: Table[Metric] = Table(
    "metric",
    Metric,
    {
        "binary_accuracy": BinaryAccuracy, "categorical_accuracy": CategoricalAccuracy,
        "sparse_categorical_accuracy": SparseCategoricalAccuracy, "mean_squared_error": MeanSquaredError,
        "root_mean_squared_error": RootMeanSquaredError, "mean_absolute_error": MeanAbsoluteError,
        "binary_crossentropy": BinaryCrossentropy, "categorical_crossentropy": CategoricalCrossentropy,
        "sparse_categorical_crossentropy": SparseCategoricalCrossentropy, "mean": Mean, "sum": Sum,
        "accuracy": Accuracy,
        "top_k_categorical_accuracy": TopKCategoricalAccuracy,
        "sparse_top_k_categorical_accuracy": SparseTopKCategoricalAccuracy,
        "mean_absolute_percentage_error": MeanAbsolutePercentageError,
        "mean_squared_logarithmic_error": MeanSquaredLogarithmicError, "log_cosh_error": LogCoshError,
        "hinge": Hinge, "squared_hinge": SquaredHinge, "categorical_hinge": CategoricalHinge,
        "kl_divergence": KLDivergence, "poisson": Poisson, "cosine_similarity": CosineSimilarity,
        "precision": Precision, "recall": Recall, "true_positives": TruePositives, "true_negatives": TrueNegatives,
        "false_positives": FalsePositives, "false_negatives": FalseNegatives, "auc": AUC,
        "sensitivity_at_specificity": SensitivityAtSpecificity,
        "specificity_at_sensitivity": SpecificityAtSensitivity, "precision_at_recall": PrecisionAtRecall,
        "recall_at_precision": RecallAtPrecision, "f1_score": F1Score, "f_beta_score": FBetaScore,
        "r2_score": R2Score, "io_u": IoU, "binary_io_u": BinaryIoU, "mean_io_u": MeanIoU, "one_hot_io_u": OneHotIoU,
        "one_hot_mean_io_u": OneHotMeanIoU, "pearson_correlation": PearsonCorrelation,
        "concordance_correlation": ConcordanceCorrelation,
    },
    aliases={
        "mse": "mean_squared_error", "MSE": "mean_squared_error", "mae": "mean_absolute_error",
        "MAE": "mean_absolute_error", "rmse": "root_mean_squared_error", "RMSE": "root_mean_squared_error",
        "bce": "binary_crossentropy", "BCE": "binary_crossentropy", "mape": "mean_absolute_percentage_error",
        "MAPE": "mean_absolute_percentage_error", "msle": "mean_squared_logarithmic_error",
        "MSLE": "mean_squared_logarithmic_error",
    },
    further=_CHOSEN_BY_SHAPE,
)  # fmt: skip
find = _TABLE.find


def get(identifier: Any) -> Any:
    """The metric of a name, a function (one's own too), a dict, a class or a `Metric`. None stays None.

    Raises
    ------
    ValueError
        For an unknown name (with a suggestion), or anything else; also for "accuracy", which only `resolve` can tell
        apart.

    Examples
    --------
    >>> get("mae")
    <MeanAbsoluteError name=mean_absolute_error>
    """
    if identifier is None:
        return None
    if inspect.isfunction(identifier) and identifier in _FUNCTIONS:
        return _TABLE.get(identifier.__name__)
    if _depends_on_shape(identifier):
        raise ValueError(
            f"[metric] expected a metric that does not depend on the data, received {identifier!r}. Take "
            "BinaryAccuracy, CategoricalAccuracy or SparseCategoricalAccuracy, or metrics.resolve with the shapes."
        )
    if callable(identifier) and not isinstance(identifier, (Metric, type)):
        return MeanMetricWrapper(identifier)
    if isinstance(identifier, Mapping) and identifier.get("class_name") == "MeanMetricWrapper":
        return MeanMetricWrapper.from_config(identifier["config"])
    return _TABLE.get(identifier)


def resolve(identifier: Any, y_true_shape: Sequence[Any], y_pred_shape: Sequence[Any]) -> Any:
    """The metric that a model logs: "accuracy" and "crossentropy" by the shapes (batch axis first), else as `get`.

    The name is that of the log: a string's own, a function's or an object's name.

    Examples
    --------
    >>> metric = resolve("acc", (None, 1), (None, 10))
    >>> metric.name, type(metric).__name__
    ('acc', 'SparseCategoricalAccuracy')
    """
    if not isinstance(identifier, str):
        return get(identifier)
    name = identifier
    if _depends_on_shape(identifier):
        name = crossentropy_for(y_true_shape, y_pred_shape)
        if identifier.lower() in ("accuracy", "acc"):
            name = name.replace("crossentropy", "accuracy")
    metric = get(name)
    metric.name = identifier
    return metric


def check(identifier: Any) -> None:
    """Refuse what a model of any shape would refuse."""
    if not _depends_on_shape(identifier):
        metric = get(identifier)
        if metric is not None:
            refuse_overrides(metric)
            metric.node_attrs()


def _depends_on_shape(identifier: Any) -> bool:
    return isinstance(identifier, str) and identifier.lower() in _CHOSEN_BY_SHAPE


def better(log_key: str, metrics: Iterable[Metric] = ()) -> str | None:
    """Which way a logged number is better, "up" or "down"; None if its name does not tell.

    Parameters
    ----------
    log_key : str
        As in History: "val_loss", "accuracy", "val_age_mean_squared_error", "mae_1".
    metrics : iterable of Metric
        The model's own, whose names come first.

    Examples
    --------
    >>> better("val_loss"), better("val_kind_accuracy"), better("clock")
    ('down', 'up', None)
    """
    key = log_key.removeprefix("val_")
    plain = re.sub(r"_\d+$", "", key)
    for metric in metrics:
        if metric.name in (key, plain):
            return metric.direction
    known = {"loss": "down", **_CHOSEN_BY_SHAPE}
    known.update((name, direction) for name in _TABLE.names if (direction := _TABLE.find(name).direction))
    for name in sorted(known, key=len, reverse=True):
        if plain == name or plain.endswith("_" + name):
            return known[name]
    return None


def deserialize(config: Mapping[str, Any]) -> Metric:
    """The metric that `serialize` described."""
    return get(config)
