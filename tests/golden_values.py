"""Single values of Keras functions and classes, each a call that works on Keras and on hotloop alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

X = np.array([[-30.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 30.0]], np.float32)
ONE_HOT = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
P = np.array([[0.7, 0.2, 0.1], [0.3, 0.4, 0.3]], np.float32)
Q = np.array([[0.9, 0.8, 0.1], [0.3, 0.4, 0.3]], np.float32)  # rows that do not add to 1
Z = np.array([[2, 0.5, -1], [0.1, 0.3, -0.2]], np.float32)
SATURATED = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]], np.float32)
LABELS = np.array([0, 1], np.int32)
YB = np.array([[1], [0]], np.float32)
PB = np.array([[0.8], [0.3]], np.float32)
ZB = np.array([[1.2], [-0.7]], np.float32)
A = np.array([[1, 2, 3], [0, -1, 0.5]], np.float32)
B = np.array([[1.5, 1, 3], [0.2, -0.5, 2]], np.float32)
W = np.array([1, 3], np.float32)
FOUR = np.eye(3, dtype=np.float32)[[0, 1, 2, 1]]
FOUR_P = np.array([[0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.4, 0.35, 0.25], [0.6, 0.3, 0.1]], np.float32)
COINS, CHANCES = np.array([0, 0, 1, 1], np.float32), np.array([0.1, 0.6, 0.5, 0.9], np.float32)
SAMPLES = np.array([1, 3, 0.5, 2], np.float32)
_RNG = np.random.default_rng(5)
CODES, OTHER_CODES = np.array([0, 1, 2, 2, 1, 0, 2, 1, 0, 2]), np.array([0, 2, 2, 1, 1, 0, 2, 0, 2, 2])
MANY_COINS = _RNG.integers(0, 2, 60).astype(np.float32)
MANY_CHANCES = np.clip(0.3 * MANY_COINS + _RNG.uniform(0, 0.8, 60), 0, 1).astype(np.float32)
MANY_WEIGHTS = _RNG.uniform(0.5, 2, 60).astype(np.float32)
GRADIENTS = np.array([[0.5, -1.0], [-0.25, 0.75], [0.1, 0.2]], np.float32)

Value = Callable[[Any], Any]


def _activation(name: str, **options: Any) -> Value:
    return lambda keras: getattr(keras.activations, name)(X, **options)


def _activation_layer(name: str, **options: Any) -> Value:
    return lambda keras: getattr(keras.layers, name)(**options)(X)


def _loss(name: str, y: np.ndarray, p: np.ndarray, weight: np.ndarray | None = None, **options: Any) -> Value:
    return lambda keras: getattr(keras.losses, name)(**options)(y, p, sample_weight=weight)


def _metric(name: str, *updates: tuple[Any, ...], **options: Any) -> Value:
    def value(keras: Any) -> Any:
        metric = getattr(keras.metrics, name)(**options)
        for y, p, *weight in updates:
            metric.update_state(y, p, sample_weight=weight[0] if weight else None)
        return metric.result()

    return value


def _schedule(**options: Any) -> Value:
    def value(keras: Any) -> Any:
        schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5, **options)
        return [float(schedule(k)) for k in (0, 1, 5, 6, 10, 11, 15, 30)]

    return value


def _trajectory(make: Value) -> Value:
    """Weights after each of three steps with given gradients: a dense net fed the identity, linear in its kernel."""

    def value(keras: Any) -> Any:
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, use_bias=False)])
        model.set_weights([np.array([[1.0, -2.0]], np.float32)])
        model.compile(make(keras), keras.losses.MeanSquaredError(reduction="sum"))
        path = []
        for g in GRADIENTS:  # d/dw mean((y - w)^2) = (w - y) for two columns
            w = model.get_weights()[0]
            model.train_on_batch(np.ones((1, 1), np.float32), w - g)
            path.append(model.get_weights()[0].ravel())
        return np.array(path)

    return value


def _deep(make: Value) -> Value:
    """Weights of a net with high and wide matrices after five steps."""

    def value(keras: Any) -> Any:
        rng = np.random.default_rng(5)
        widths = (3, 20, 5, 2)
        dense = [keras.layers.Dense(n, activation="tanh") for n in widths[1:-1]]
        model = keras.Sequential([keras.Input((3,)), *dense, keras.layers.Dense(2, name="last")])
        model.set_weights([rng.normal(0, 0.4, w.shape).astype(np.float32) for w in model.get_weights()])
        model.compile(make(keras), "mse")
        x, y = rng.normal(size=(16, 3)).astype(np.float32), rng.normal(size=(16, 2)).astype(np.float32)
        for _ in range(5):
            model.train_on_batch(x, y)
        return np.concatenate([w.ravel() for w in model.get_weights()])

    return value


def _norm(then_infer: bool) -> Value:
    def value(keras: Any) -> Any:
        x = np.array([[1, 2], [3, 5], [5, 11]], np.float32)
        layer = keras.layers.BatchNormalization()
        out = layer(x, training=True)
        return layer(x) if then_infer else np.concatenate([np.asarray(out), np.asarray(layer.get_weights()[2:])])

    return value


def _of_positions(name: str, **options: Any) -> Value:
    """A layer on two samples of three positions with four channels."""

    def value(keras: Any) -> Any:
        x = np.sin(np.arange(24) * 1.7).reshape(2, 3, 4).astype(np.float32)
        return getattr(keras.layers, name)(**options)(3 * x + 1)

    return value


def _embedding(keras: Any) -> Any:
    layer = keras.layers.Embedding(5, 2)
    layer.build()
    layer.set_weights([np.sin(np.arange(10) * 1.7).reshape(5, 2).astype(np.float32)])
    return layer(np.array([[0, 4, 4], [2, 1, 3]]))


def _spectral(keras: Any) -> Any:
    layer = keras.layers.SpectralNormalization(keras.layers.Dense(3), power_iterations=2)
    layer.build((None, 4))
    wave = np.sin(np.arange(18) * 1.7).astype(np.float32)
    layer.set_weights([wave[:12].reshape(4, 3), wave[None, 12:15], wave[15:]])
    outputs = layer(3 * wave[:8].reshape(2, 4), training=True)
    return np.concatenate([np.asarray(a).ravel() for a in (outputs, *layer.get_weights())])


def _of_images(name: str, *args: Any, **options: Any) -> Value:
    """A layer on two images of 4 x 5 pixels with three channels."""

    def value(keras: Any) -> Any:
        x = (2 + np.sin(np.arange(120) * 1.7)).reshape(2, 4, 5, 3).astype(np.float32)
        return getattr(keras.layers, name)(*args, **options)(x)

    return value


_ACTIVATIONS: dict[str, Value] = {
    "activation_" + name: _activation(name)
    for name in [
        "linear",
        "relu",
        "leaky_relu",
        "elu",
        "selu",
        "sigmoid",
        "tanh",
        "softmax",
        "softplus",
        "relu6",
        "celu",
        "gelu",
        "log_sigmoid",
        "hard_sigmoid",
        "sparse_sigmoid",
        "hard_tanh",
        "tanh_shrink",
        "sparse_plus",
        "squareplus",
        "softsign",
        "silu",
        "hard_silu",
        "mish",
        "exponential",
        "soft_shrink",
        "hard_shrink",
        "log_softmax",
        "sparsemax",
    ]
}
_LOSSES: dict[str, Value] = {
    "cce": _loss("CategoricalCrossentropy", ONE_HOT, P, reduction="none"),
    "cce_smooth": _loss("CategoricalCrossentropy", ONE_HOT, P, reduction="none", label_smoothing=0.1),
    "cce_unnormalised": _loss("CategoricalCrossentropy", ONE_HOT, Q, reduction="none"),
    "cce_saturated": _loss("CategoricalCrossentropy", ONE_HOT, SATURATED, reduction="none"),
    "cce_logits": _loss("CategoricalCrossentropy", ONE_HOT, Z, reduction="none", from_logits=True),
    "scce": _loss("SparseCategoricalCrossentropy", LABELS, P, reduction="none"),
    "scce_column": _loss("SparseCategoricalCrossentropy", LABELS[:, None], P, reduction="none"),
    "scce_saturated": _loss("SparseCategoricalCrossentropy", LABELS, SATURATED, reduction="none"),
    "scce_logits": _loss("SparseCategoricalCrossentropy", LABELS, Z, reduction="none", from_logits=True),
    "bce": _loss("BinaryCrossentropy", YB, PB, reduction="none"),
    "bce_smooth": _loss("BinaryCrossentropy", YB, PB, reduction="none", label_smoothing=0.1),
    "bce_saturated": _loss("BinaryCrossentropy", YB, 1 - YB, reduction="none"),
    "bce_logits": _loss("BinaryCrossentropy", YB, ZB, reduction="none", from_logits=True),
    "bce_huge_logits": _loss("BinaryCrossentropy", YB, 100 * ZB, reduction="none", from_logits=True),
    "mse": _loss("MeanSquaredError", A, B, reduction="none"),
    "mae": _loss("MeanAbsoluteError", A, B, reduction="none"),
    "mse_mean": _loss("MeanSquaredError", A, B),
    "mse_weighted": _loss("MeanSquaredError", A, B, W),
    "mse_weighted_column": _loss("MeanSquaredError", A, B, W[:, None]),
    "mse_sum_weighted": _loss("MeanSquaredError", A, B, W, reduction="sum"),
    "mse_rank": _loss("MeanSquaredError", A[:, 0], B[:, :1]),
    "mape": _loss("MeanAbsolutePercentageError", A, B, reduction="none"),
    "msle": _loss("MeanSquaredLogarithmicError", A, B, reduction="none"),
    "huber": _loss("Huber", A, B, reduction="none"),
    "huber_delta": _loss("Huber", A, B, reduction="none", delta=0.4),
    "huber_weighted": _loss("Huber", A, B, W),
    "log_cosh": _loss("LogCosh", A, B, reduction="none"),
    "poisson": _loss("Poisson", abs(A), abs(B), reduction="none"),
    "kl_divergence": _loss("KLDivergence", ONE_HOT, P, reduction="none"),
    "cosine": _loss("CosineSimilarity", A, B, reduction="none"),
    "cosine_axis": _loss("CosineSimilarity", A, B, reduction="none", axis=0),
    "cosine_zero": _loss("CosineSimilarity", A, 0 * B, reduction="none"),
    "hinge": _loss("Hinge", YB, ZB, reduction="none"),
    "hinge_signs": _loss("Hinge", 2 * YB - 1, ZB, reduction="none"),
    "squared_hinge": _loss("SquaredHinge", YB, ZB, reduction="none"),
    "categorical_hinge": _loss("CategoricalHinge", ONE_HOT, Z, reduction="none"),
    "binary_focal": _loss("BinaryFocalCrossentropy", YB, PB, reduction="none"),
    "binary_focal_balanced": _loss(
        "BinaryFocalCrossentropy", YB, ZB, apply_class_balancing=True, reduction="none", alpha=0.3, gamma=1.5,
        from_logits=True, label_smoothing=0.1,
    ),
    "categorical_focal": _loss("CategoricalFocalCrossentropy", ONE_HOT, P, reduction="none"),
    "categorical_focal_logits": _loss(
        "CategoricalFocalCrossentropy", ONE_HOT, Z, reduction="none", from_logits=True, label_smoothing=0.1, gamma=3.0
    ),
    "generalized": _loss("CategoricalGeneralizedCrossEntropy", LABELS, P, reduction="none", q=0.7),
    "dice": _loss("Dice", YB, PB),
    "dice_rows": _loss("Dice", ONE_HOT, P, axis=-1, reduction="none"),
    "tversky": _loss("Tversky", YB, PB, alpha=0.3, beta=0.6),
}  # fmt: skip
_POINTS = np.array([[1, 2], [3, 5], [5, 11]], np.float32)


def _of_points(module: str, name: str, *args: Any, **options: Any) -> Value:
    return lambda keras: getattr(getattr(keras, module), name)(*args, **options)(_POINTS)


def _orthogonal(*args: Any, **options: Any) -> Value:
    """Through a layer: on a NumPy array Keras's own fails."""

    def value(keras: Any) -> Any:
        layer = keras.layers.Dense(2, kernel_regularizer=keras.regularizers.OrthogonalRegularizer(*args, **options))
        layer.build((None, 3))
        layer.set_weights([_POINTS, np.zeros(2)])
        return layer.losses[0]

    return value


_PENALTIES: dict[str, Value] = {
    "l1_default": _of_points("regularizers", "L1"),
    "l2_default": _of_points("regularizers", "L2"),
    "l1_l2": _of_points("regularizers", "L1L2", 0.1, 0.2),
    "orthogonal_rows": _orthogonal(),
    "orthogonal_columns": _orthogonal(0.5, mode="columns"),
    "max_norm": _of_points("constraints", "MaxNorm", 1.0),
    "max_norm_default": _of_points("constraints", "MaxNorm"),
    "max_norm_rows": _of_points("constraints", "MaxNorm", 3.0, axis=1),
    "min_max_norm": _of_points("constraints", "MinMaxNorm", 0.5, 1.0, rate=0.3),
    "unit_norm": _of_points("constraints", "UnitNorm"),
    "unit_norm_whole": _of_points("constraints", "UnitNorm", axis=[0, 1]),
    "non_neg": lambda keras: keras.constraints.NonNeg()(_POINTS - 4),
}
_METRICS: dict[str, Value] = {
    "binary_accuracy": _metric("BinaryAccuracy", ([0, 0, 1, 1], np.array([0.1, 0.6, 0.5, 0.9], np.float32))),
    "categorical_accuracy": _metric("CategoricalAccuracy", (FOUR, FOUR_P)),
    "categorical_accuracy_tie": _metric("CategoricalAccuracy", (ONE_HOT, np.full((2, 3), 1 / 3, np.float32))),
    "sparse_categorical_accuracy": _metric("SparseCategoricalAccuracy", (np.array([0, 1, 2, 1]), FOUR_P)),
    "mean_squared_error": _metric("MeanSquaredError", (A, B)),
    "mean_squared_error_weighted": _metric("MeanSquaredError", (A, B, W)),
    "mean_squared_error_twice": _metric("MeanSquaredError", (A, B, W), (A[:1], B[:1])),
    "root_mean_squared_error": _metric("RootMeanSquaredError", (A, B), (A[:1], 2 * B[:1])),
    "mean_absolute_error": _metric("MeanAbsoluteError", (A, B)),
    "binary_crossentropy": _metric("BinaryCrossentropy", (YB, PB), from_logits=False),
    "categorical_crossentropy": _metric("CategoricalCrossentropy", (ONE_HOT, P, W)),
    "mean_absolute_percentage_error": _metric("MeanAbsolutePercentageError", (A, B, W)),
    "mean_squared_logarithmic_error": _metric("MeanSquaredLogarithmicError", (A, B)),
    "log_cosh_error": _metric("LogCoshError", (A, B, W)),
    "hinge": _metric("Hinge", (YB, PB, W)),
    "squared_hinge": _metric("SquaredHinge", (ONE_HOT, P)),
    "categorical_hinge": _metric("CategoricalHinge", (ONE_HOT, P, W)),
    "kl_divergence": _metric("KLDivergence", (ONE_HOT, P)),
    "poisson": _metric("Poisson", (ONE_HOT, P)),
    "cosine_similarity": _metric("CosineSimilarity", (A, B, W)),
    "accuracy_exact": _metric("Accuracy", (FOUR, np.round(FOUR_P))),
    "top_k": _metric("TopKCategoricalAccuracy", (FOUR, FOUR_P), k=2),
    "sparse_top_k": _metric("SparseTopKCategoricalAccuracy", (np.array([0, 1, 2, 1]), FOUR_P, SAMPLES), k=2),
    "sum": lambda keras: keras.metrics.Sum()(A, sample_weight=W[:, None]),
    "precision": _metric("Precision", (COINS, CHANCES)),
    "precision_list": _metric("Precision", (COINS, CHANCES, SAMPLES), thresholds=[0.8, 0.3]),
    "precision_top_k": _metric("Precision", (FOUR, FOUR_P), top_k=2),
    "precision_class": _metric("Precision", (FOUR, FOUR_P), thresholds=0.25, class_id=1),
    "recall": _metric("Recall", (COINS, CHANCES, SAMPLES), (COINS[:2], CHANCES[:2])),
    "recall_top_k_class": _metric("Recall", (FOUR, FOUR_P), top_k=1, class_id=1),
    "true_positives": _metric("TruePositives", (COINS, CHANCES, SAMPLES), thresholds=[0.3, 0.5]),
    "true_negatives": _metric("TrueNegatives", (COINS, CHANCES, SAMPLES)),
    "false_positives": _metric("FalsePositives", (COINS, CHANCES)),
    "false_negatives": _metric("FalseNegatives", (COINS, CHANCES, SAMPLES)),
    "auc": _metric("AUC", (MANY_COINS, MANY_CHANCES)),
    "auc_weighted": _metric("AUC", (MANY_COINS, MANY_CHANCES, MANY_WEIGHTS)),
    "auc_pr": _metric("AUC", (MANY_COINS, MANY_CHANCES), curve="PR"),
    "auc_pr_minoring": _metric("AUC", (MANY_COINS, MANY_CHANCES), curve="PR", summation_method="minoring"),
    "auc_gain": _metric("AUC", (MANY_COINS, MANY_CHANCES), curve="PRGAIN"),
    "auc_gain_minoring": _metric("AUC", (MANY_COINS, MANY_CHANCES), curve="PRGAIN", summation_method="minoring"),
    "iou": _metric("IoU", (CODES, OTHER_CODES), num_classes=4, target_class_ids=[0, 2]),
    "iou_weighted": _metric("IoU", (CODES, OTHER_CODES, CODES + 1), num_classes=4, target_class_ids=[1]),
    "iou_ignored": _metric("MeanIoU", (CODES, OTHER_CODES), num_classes=3, ignore_class=1),
    "iou_binary": _metric("BinaryIoU", (MANY_COINS, MANY_CHANCES), threshold=0.6),
    "iou_scores": _metric("MeanIoU", (np.argmax(FOUR, -1), FOUR_P), num_classes=3, sparse_y_pred=False),
    "iou_one_hot": _metric("OneHotIoU", (FOUR, FOUR_P), num_classes=3, target_class_ids=[0, 1]),
    "iou_one_hot_mean": _metric("OneHotMeanIoU", (FOUR, np.argmax(FOUR_P, -1)), num_classes=3, sparse_y_pred=True),
    "pearson": _metric("PearsonCorrelation", (FOUR, FOUR_P, SAMPLES)),
    "concordance": _metric("ConcordanceCorrelation", (FOUR, FOUR_P), (FOUR[:2], FOUR_P[:2])),
    "concordance_axis": _metric("ConcordanceCorrelation", (FOUR, FOUR_P), axis=0),
    "auc_majoring": _metric("AUC", (MANY_COINS, MANY_CHANCES), summation_method="majoring", num_thresholds=20),
    "auc_thresholds": _metric("AUC", (MANY_COINS, MANY_CHANCES), thresholds=[0.2, 0.5, 0.55]),
    "auc_logits": _metric("AUC", (MANY_COINS, 8 * MANY_CHANCES - 4), from_logits=True),
    "auc_labels": _metric("AUC", (FOUR, FOUR_P), multi_label=True, num_labels=3),
    "auc_labels_weighted": _metric("AUC", (FOUR, FOUR_P), multi_label=True, num_labels=3, label_weights=[1.0, 2, 0.5]),
    "sensitivity_at_specificity": _metric("SensitivityAtSpecificity", (MANY_COINS, MANY_CHANCES), specificity=0.7),
    "specificity_at_sensitivity": _metric("SpecificityAtSensitivity", (MANY_COINS, MANY_CHANCES), sensitivity=0.7),
    "precision_at_recall": _metric("PrecisionAtRecall", (MANY_COINS, MANY_CHANCES, MANY_WEIGHTS), recall=0.4),
    "recall_at_precision": _metric("RecallAtPrecision", (MANY_COINS, MANY_CHANCES), precision=0.6),
    "recall_at_impossible_precision": _metric("RecallAtPrecision", (COINS[:1], CHANCES[:1]), precision=1.0),
    "f1_score": _metric("F1Score", (FOUR, FOUR_P), (FOUR[:1], FOUR_P[:1])),
    "f1_score_macro": _metric("F1Score", (FOUR, FOUR_P, SAMPLES), average="macro", threshold=0.33),
    "f1_score_micro": _metric("F1Score", (FOUR, FOUR_P, SAMPLES), average="micro"),
    "fbeta_score_weighted": _metric("FBetaScore", (FOUR, FOUR_P), average="weighted", beta=2.0, threshold=0.33),
    "r2_score": _metric("R2Score", (FOUR, FOUR_P, SAMPLES), (FOUR[:2], FOUR_P[:2])),
    "r2_score_columns": _metric("R2Score", (FOUR, FOUR_P), class_aggregation=None),
    "r2_score_variance": _metric("R2Score", (FOUR, FOUR_P), class_aggregation="variance_weighted_average"),
    "r2_score_adjusted": _metric("R2Score", (FOUR[:, :1], FOUR_P[:, :1]), num_regressors=1),
    "sparse_categorical_crossentropy": _metric("SparseCategoricalCrossentropy", (LABELS, Z), from_logits=True),
}
VALUES: dict[str, Value] = (
    _ACTIVATIONS
    | _PENALTIES
    | {
        "activation_leaky_relu_slope": _activation("leaky_relu", negative_slope=0.05),
        "activation_elu_alpha": _activation("elu", alpha=0.5),
        "activation_relu_all": _activation("relu", negative_slope=0.1, max_value=2.0, threshold=0.6),
        "activation_relu_cap": _activation("relu", max_value=6.0),
        "activation_celu_alpha": _activation("celu", alpha=2.0),
        "activation_gelu_tanh": _activation("gelu", approximate=True),
        "activation_squareplus_b": _activation("squareplus", b=0.5),
        "activation_threshold": _activation("threshold", threshold=0.5, default_value=-7.0),
        "activation_glu": lambda keras: keras.activations.glu(X[:, :8]),
        "ops_gelu": lambda keras: keras.ops.gelu(X),
        "layer_prelu": _activation_layer("PReLU", alpha_initializer="ones"),
        "layer_prelu_shared": _activation_layer("PReLU", alpha_initializer="ones", shared_axes=[1]),
        "layer_relu_all": _activation_layer("ReLU", max_value=2.0, negative_slope=0.1, threshold=0.6),
        "layer_leaky_relu": _activation_layer("LeakyReLU"),
        "layer_elu": _activation_layer("ELU", alpha=0.7),
        "layer_relu": _activation_layer("ReLU"),
        "layer_softmax": _activation_layer("Softmax"),
    }
    | {"loss_" + name: value for name, value in _LOSSES.items()}
    | {"metric_" + name: value for name, value in _METRICS.items()}
    | {
        "exponential_decay": _schedule(),
        "exponential_decay_staircase": _schedule(staircase=True),
        "path_sgd": _trajectory(lambda keras: keras.optimizers.SGD(0.1)),
        "path_momentum": _trajectory(lambda keras: keras.optimizers.SGD(0.1, momentum=0.9)),
        "path_nesterov": _trajectory(lambda keras: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True)),
        "path_adam": _trajectory(lambda keras: keras.optimizers.Adam(0.1)),
        "path_amsgrad": _trajectory(lambda keras: keras.optimizers.Adam(0.1, beta_2=0.5, amsgrad=True)),
        "path_adamw": _trajectory(lambda keras: keras.optimizers.AdamW(0.1, 0.3)),
        "path_decayed_sgd": _trajectory(lambda keras: keras.optimizers.SGD(0.1, momentum=0.9, weight_decay=0.2)),
        "path_clipnorm": _trajectory(lambda keras: keras.optimizers.SGD(0.1, clipnorm=0.5)),
        "path_global_clipnorm": _trajectory(lambda keras: keras.optimizers.SGD(0.1, global_clipnorm=0.5)),
        "path_clipvalue": _trajectory(lambda keras: keras.optimizers.Adam(0.1, clipvalue=0.3, epsilon=0.1)),
        "path_averages": _trajectory(
            lambda keras: keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=2)
        ),
        "path_accumulated": _trajectory(lambda keras: keras.optimizers.Adam(0.1, gradient_accumulation_steps=2)),
        "path_adamax": _trajectory(lambda keras: keras.optimizers.Adamax(0.1)),
        "path_nadam": _trajectory(lambda keras: keras.optimizers.Nadam(0.1)),
        "path_adagrad": _trajectory(lambda keras: keras.optimizers.Adagrad(0.1)),
        "path_adadelta": _trajectory(lambda keras: keras.optimizers.Adadelta(1.0)),
        "path_lion": _trajectory(lambda keras: keras.optimizers.Lion(0.1)),
        "path_schedule_free": _trajectory(lambda keras: keras.optimizers.ScheduleFreeAdamW(0.1)),
        "path_schedule_free_warm": _trajectory(
            lambda keras: keras.optimizers.ScheduleFreeAdamW(0.1, 0.7, 0.9, epsilon=0.1, warmup_steps=4, clipnorm=0.5)
        ),
        "path_lamb": _trajectory(lambda keras: keras.optimizers.Lamb(0.1)),
        "path_lamb_decayed": _trajectory(lambda keras: keras.optimizers.Lamb(0.1, weight_decay=0.3, clipnorm=0.5)),
        "path_muon": _trajectory(lambda keras: keras.optimizers.Muon(0.1)),
        "path_muon_plain": _trajectory(
            lambda keras: keras.optimizers.Muon(
                0.1, weight_decay=0.3, nesterov=False, rms_rate=None, ns_steps=3, muon_a=2.0, clipnorm=0.5
            )
        ),
        "path_muon_by_adam": _trajectory(
            lambda keras: keras.optimizers.Muon(
                0.1, exclude_layers=["kernel"], adam_weight_decay=0.2, adam_lr_ratio=0.5
            )
        ),
        "path_muon_deep": _deep(lambda keras: keras.optimizers.Muon(0.03, adam_beta_2=0.9, exclude_layers=["last"])),
        "path_lamb_deep": _deep(lambda keras: keras.optimizers.Lamb(0.03)),
        "path_ftrl": _trajectory(lambda keras: keras.optimizers.Ftrl(0.1)),
        "path_ftrl_all": _trajectory(
            lambda keras: keras.optimizers.Ftrl(
                0.1,
                learning_rate_power=-0.7,
                initial_accumulator_value=0.3,
                l1_regularization_strength=0.1,
                l2_regularization_strength=0.2,
                l2_shrinkage_regularization_strength=0.1,
                beta=0.2,
            )
        ),
        "path_rmsprop": _trajectory(lambda keras: keras.optimizers.RMSprop(0.1)),
        "path_rmsprop_centered": _trajectory(lambda keras: keras.optimizers.RMSprop(0.1, momentum=0.5, centered=True)),
        "layer_norm": _of_positions("LayerNormalization"),
        "layer_norm_axes": _of_positions("LayerNormalization", axis=[1, 2], epsilon=0.1),
        "layer_norm_alone": _of_positions("LayerNormalization", center=False, scale=False),
        "rms_norm": _of_positions("RMSNormalization"),
        "unit_norm": _of_positions("UnitNormalization"),
        "unit_norm_axes": _of_positions("UnitNormalization", axis=[1, 2]),
        "group_norm": _of_positions("GroupNormalization", groups=2),
        "group_norm_each": _of_positions("GroupNormalization", groups=-1, epsilon=0.1),
        "layer_norm_inner": _of_positions("LayerNormalization", axis=1, epsilon=0.1),
        "unit_norm_inner": _of_positions("UnitNormalization", axis=1),
        "group_norm_inner": _of_positions("GroupNormalization", groups=3, axis=1, epsilon=0.1),
        "softmax_inner": _of_positions("Softmax", axis=1),
        "softmax_axes": _of_positions("Softmax", axis=[1, 2]),
        "permute": _of_positions("Permute", dims=(2, 1)),
        "embedding": _embedding,
        "spectral_norm": _spectral,
        "bins": _of_positions("Discretization", bin_boundaries=[-1.0, 0.0, 0.5, 2.0]),
        "bins_one_hot": _of_positions("Discretization", bin_boundaries=[-1.0, 0.5], output_mode="one_hot"),
        "bins_counted": lambda keras: keras.layers.Discretization([-1.0, 0.5, 2.0], output_mode="count")(A),
        "weighted_counts": lambda keras: keras.layers.CategoryEncoding(3, "count")(
            np.array([[0, 2, 2], [1, 1, 1]]), count_weights=np.array([[0.5, 1, 2], [1, 3, -1]])
        ),
        "batch_norm": _norm(False),
        "batch_norm_then_infer": _norm(True),
    }
)
VALUES.update(
    {
        **{
            f"translation_{fill}": _of_images("RandomTranslation", (0.375, 0.375), (-0.75, -0.75), fill, fill_value=1.5)
            for fill in ("reflect", "nearest", "wrap", "constant")
        },
        "translation_nearest_pixel": _of_images("RandomTranslation", (-0.3, -0.3), (0.5, 0.5), interpolation="nearest"),
        "rotation": _of_images("RandomRotation", (0.125, 0.125), "constant", fill_value=2.0),
        "rotation_half": _of_images("RandomRotation", (0.5, 0.5), interpolation="nearest"),
        "zoom_out": _of_images("RandomZoom", (0.5, 0.5), fill_mode="constant", fill_value=2.0),
        "zoom_in": _of_images("RandomZoom", (-0.5, -0.5), (-0.25, -0.25)),
        "center_crop": _of_images("CenterCrop", 2, 2),
        "center_crop_of_small": _of_images("CenterCrop", 6, 5),
        "brightness": _of_images("RandomBrightness", (0.25, 0.25), value_range=(0, 3)),
        "saturation": _of_images("RandomSaturation", (0.25, 0.25), value_range=(0, 1)),
        **{
            f"resizing_{kind}": _of_images("Resizing", 7, 3, kind, antialias=kind != "bilinear")
            for kind in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
        },
        "resizing_cropped": _of_images("Resizing", 2, 8, crop_to_aspect_ratio=True),
        "resizing_padded": _of_images("Resizing", 9, 3, pad_to_aspect_ratio=True, fill_value=1.5),
    }
)
