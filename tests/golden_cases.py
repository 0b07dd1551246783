"""Training runs that must come out the same in hotloop and in Keras 3.

Each case is written once against a module called `keras`: tools/record_golden.py runs it with the real one and
keeps the numbers, the tests run it with hotloop. Data and initial weights are closed formulas, so that no random
generator has to agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

ROWS, FEATURES, CLASSES, BATCH = 48, 6, 3, 10  # five batches an epoch, the last of 8 rows
SHORT, LONG = 2, 10  # epochs: ten and fifty steps


def wave(*shape: int, phase: float = 0.0) -> np.ndarray:
    """Numbers in (-1, 1) that look random: sines of a stride that shares no period with pi."""
    n = int(np.prod(shape))
    return np.sin(np.arange(1, n + 1) * 12.9898 + phase).reshape(shape).astype(np.float32)


def features(phase: float = 0.0, columns: int = FEATURES) -> np.ndarray:
    return 1.5 * wave(ROWS, columns, phase=phase)


def targets(columns: int = CLASSES, phase: float = 0.5) -> np.ndarray:
    return (0.5 * features(phase)[:, :columns] * features(phase)[:, 1 : columns + 1]).astype(np.float32)


def labels() -> np.ndarray:
    return np.argmax(features(0.25)[:, :CLASSES] + features()[:, :CLASSES], axis=1).astype(np.int32)


def one_hot() -> np.ndarray:
    return np.eye(CLASSES, dtype=np.float32)[labels()]


def coins(columns: int = 1) -> np.ndarray:
    return (features()[:, :columns] + wave(ROWS, columns, phase=2.0) > 0).astype(np.float32)


def initial_weights(shapes: list[tuple[int, ...]], names: list[str]) -> list[np.ndarray]:
    """Kernels of Glorot's size, small biases, and batch-norm variables near their usual start."""
    centre = {"gamma": 1.0, "moving_variance": 1.0, "variance": 1.0}
    weights = []
    for i, (shape, name) in enumerate(zip(shapes, names, strict=True)):
        size = np.sqrt(6.0 / sum(shape)) if len(shape) == 2 else 0.1
        weights.append((centre.get(name, 0.0) + size * wave(*shape, phase=i)).astype(np.float32))
    return weights


@dataclass(frozen=True)
class Case:
    """One training run; `build` and `optimizer` are given the module."""

    build: Callable[[Any], Any]
    optimizer: Callable[[Any], Any]
    loss: Any
    x: Callable[[], Any]
    y: Callable[[], Any]
    compile: dict[str, Any] = field(default_factory=dict)
    fit: Callable[[], dict[str, Any]] = dict


def run(case: Case, keras: Any) -> dict[str, np.ndarray]:
    """Train, and return weights after ten and fifty steps, the history and a prediction, by name."""
    model = case.build(keras)
    shapes = [tuple(w.shape) for w in model.get_weights()]
    model.set_weights(initial_weights(shapes, [w.name for w in model.weights]))
    loss = case.loss(keras) if callable(case.loss) else case.loss
    model.compile(optimizer=case.optimizer(keras), loss=loss, **case.compile)
    x, y, result = case.x(), case.y(), {}
    for label, start, stop in (("short", 0, SHORT), ("long", SHORT, LONG)):
        model.set_weights(
            model.get_weights()
        )  # Keras on JAX cannot train weights that share memory with their averages
        history = model.fit(
            x, y, batch_size=BATCH, initial_epoch=start, epochs=stop, shuffle=False, verbose=0, **case.fit()
        )
        for i, w in enumerate(model.get_weights()):
            result[f"{label}/weight{i}"] = np.asarray(w)
        for key, values in history.history.items():
            result[f"{label}/{key}"] = np.asarray(values, np.float32)
    predictions = model.predict(x, batch_size=7, verbose=0)
    for i, p in enumerate(predictions if isinstance(predictions, list) else [predictions]):
        result[f"predict/{i}"] = np.asarray(p)[:8]
    return result


# Optimizers.
def sgd(keras: Any) -> Any:
    return keras.optimizers.SGD(learning_rate=0.05)


def momentum(keras: Any) -> Any:
    return keras.optimizers.SGD(learning_rate=0.02, momentum=0.9)


def nesterov(keras: Any) -> Any:
    return keras.optimizers.SGD(learning_rate=0.02, momentum=0.9, nesterov=True)


def adam(keras: Any) -> Any:
    return keras.optimizers.Adam(learning_rate=0.01)


def adam_changed(keras: Any) -> Any:
    return keras.optimizers.Adam(learning_rate=0.02, beta_1=0.8, beta_2=0.95, epsilon=1e-3)


def rmsprop(**options: Any) -> Callable[[Any], Any]:
    return lambda keras: keras.optimizers.RMSprop(learning_rate=0.003, **options)


def optimizer_with(**options: Any) -> Callable[[Any], Any]:
    return lambda keras: keras.optimizers.SGD(learning_rate=0.05, momentum=0.9, **options)


def exponential(staircase: bool) -> Callable[[Any], Any]:
    def make(keras: Any) -> Any:
        schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 7, 0.8, staircase=staircase)
        return keras.optimizers.SGD(schedule, momentum=0.9)

    return make


# Models.
def chain(output: int, last: str | None, *middle: Callable[[Any], Any], hidden: str = "tanh") -> Callable[[Any], Any]:
    def build(keras: Any) -> Any:
        inner = [make(keras) for make in middle] or [keras.layers.Dense(7, activation=hidden)]
        return keras.Sequential(
            [keras.Input((FEATURES,)), *inner, keras.layers.Dense(output, activation=last)], name="net"
        )

    return build


def dense(units: int, activation: str | None = None, **options: Any) -> Callable[[Any], Any]:
    return lambda keras: keras.layers.Dense(units, activation=activation, **options)


def norm(**options: Any) -> Callable[[Any], Any]:
    return lambda keras: keras.layers.BatchNormalization(**options)


def act(name: str) -> Callable[[Any], Any]:
    return lambda keras: keras.layers.Activation(name)


def frozen(keras: Any) -> Any:
    model = chain(CLASSES, None, dense(7), norm(), act("relu"))(keras)
    model.layers[0].trainable = False
    model.layers[1].trainable = False
    return model


def rank_three(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((FEATURES,)),
            layers.Reshape((3, 2)),
            layers.Dense(5, activation="tanh"),
            layers.BatchNormalization(axis=1),
            layers.Flatten(),
            layers.Dense(CLASSES),
        ]
    )


def inner_axes(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((FEATURES,)),
            layers.Reshape((3, 2)),
            layers.LayerNormalization(axis=1, beta_regularizer="l2"),
            layers.Permute((2, 1)),
            layers.GroupNormalization(2, axis=1, gamma_constraint="non_neg"),
            layers.Softmax(axis=1),
            layers.Flatten(),
            layers.PReLU(alpha_regularizer="l1"),
            layers.Dense(CLASSES),
        ]
    )


def embedded(keras: Any) -> Any:
    layers = keras.layers
    table = layers.Embedding(4, 3, embeddings_regularizer="l2", embeddings_constraint="max_norm")
    return keras.Sequential(
        [keras.Input((FEATURES,), dtype="int32"), table, layers.Flatten(), layers.Dense(CLASSES, "tanh")]
    )


def codes() -> np.ndarray:
    return (2.6 * np.abs(features())).astype(np.int32)


def preprocessed(keras: Any) -> Any:
    layers = keras.layers
    norm_layer = layers.Normalization(mean=np.full(FEATURES, 0.1), variance=np.full(FEATURES, 1.3))
    return keras.Sequential(
        [
            keras.Input((FEATURES,)),
            layers.Rescaling(0.5, offset=0.25),
            norm_layer,
            layers.Dense(7, "elu"),
            layers.Dense(CLASSES),
        ]
    )


def wide_and_deep(keras: Any) -> Any:
    layers = keras.layers
    wide, deep = keras.Input((FEATURES,), name="wide"), keras.Input((4,), name="deep")
    hidden = layers.Dense(7, activation="relu")(deep)
    hidden = layers.Add()([hidden, layers.Dense(7, activation="tanh")(hidden)])
    both = layers.Concatenate()([wide, hidden])
    return keras.Model(inputs=[wide, deep], outputs=layers.Dense(CLASSES, name="out")(both))


def two_heads(keras: Any) -> Any:
    layers = keras.layers
    x = keras.Input((FEATURES,))
    hidden = layers.Dense(7, activation="selu")(x)
    number = layers.Dense(2, name="number")(hidden)
    kind = layers.Dense(CLASSES, activation="softmax", name="kind")(hidden)
    return keras.Model(x, [number, kind])


def shared_layer(keras: Any) -> Any:
    layers = keras.layers
    left, right = keras.Input((FEATURES,)), keras.Input((FEATURES,))
    tower = layers.Dense(5, activation="tanh")
    joined = layers.Concatenate()([tower(left), tower(right)])
    return keras.Model([left, right], layers.Dense(CLASSES)(joined))


def regularized(keras: Any) -> Any:
    layers, l1_l2 = keras.layers, keras.regularizers.L1L2
    hidden = layers.Dense(
        7, "tanh", kernel_regularizer=l1_l2(0.01, 0.02), bias_regularizer="l2",
        activity_regularizer=keras.regularizers.L1(0.003),
    )  # fmt: skip
    norm_layer = layers.BatchNormalization(gamma_regularizer="l2", beta_regularizer="l1")
    last = layers.Dense(CLASSES, kernel_regularizer=keras.regularizers.OrthogonalRegularizer(0.1, "columns"))
    return keras.Sequential(
        [keras.Input((FEATURES,)), hidden, norm_layer, layers.ActivityRegularization(l2=0.01), last]
    )


def constrained(keras: Any) -> Any:
    layers, constraints = keras.layers, keras.constraints
    hidden = layers.Dense(7, "tanh", kernel_constraint=constraints.MaxNorm(0.8), bias_constraint="non_neg")
    norm_layer = layers.BatchNormalization(gamma_constraint=constraints.MinMaxNorm(0.5, 1.0, rate=0.4))
    last = layers.Dense(CLASSES, kernel_constraint=constraints.UnitNorm(axis=1))
    return keras.Sequential([keras.Input((FEATURES,)), hidden, norm_layer, last])


def _loss(name: str, **options: Any) -> Callable[[Any], Any]:
    return lambda keras: getattr(keras.losses, name)(**options)


def _sample_weight() -> dict[str, Any]:
    return {"sample_weight": np.abs(wave(ROWS, phase=3.0)) * 2}


def _mse(build: Callable[[Any], Any], optimizer: Callable[[Any], Any] = momentum, **more: Any) -> Case:
    return Case(build, optimizer, "mse", features, targets, **more)


_NETS: dict[str, Case] = {
    # optimizers
    "sgd": _mse(chain(CLASSES, None), sgd),
    "momentum": _mse(chain(CLASSES, None), momentum, compile={"metrics": ["mae", "mse"]}),
    "nesterov": _mse(chain(CLASSES, None), nesterov),
    "adam": _mse(chain(CLASSES, None), adam),
    "adam_changed": _mse(chain(CLASSES, None), adam_changed),
    "rmsprop": _mse(chain(CLASSES, None), rmsprop()),
    "rmsprop_momentum": _mse(chain(CLASSES, None), rmsprop(rho=0.8, momentum=0.7, epsilon=1e-3)),
    "rmsprop_centered": _mse(chain(CLASSES, None), rmsprop(centered=True, momentum=0.5)),
    "exponential_decay": _mse(chain(CLASSES, None), exponential(False)),
    "staircase_decay": _mse(chain(CLASSES, None), exponential(True)),
    # losses
    "loss_mae": Case(chain(CLASSES, None), momentum, "mae", features, targets),
    "loss_mse_sum": Case(
        chain(CLASSES, None),
        lambda k: k.optimizers.SGD(0.002),
        _loss("MeanSquaredError", reduction="sum"),
        features,
        targets,
    ),
    "loss_bce": Case(
        chain(1, "sigmoid"), momentum, "binary_crossentropy", features, coins, compile={"metrics": ["accuracy"]}
    ),
    "loss_bce_multi_label": Case(chain(4, "sigmoid"), momentum, "binary_crossentropy", features, lambda: coins(4)),
    "loss_bce_logits": Case(
        chain(1, None), momentum, _loss("BinaryCrossentropy", from_logits=True, label_smoothing=0.1), features, coins
    ),
    "loss_cce": Case(
        chain(CLASSES, "softmax"),
        momentum,
        "categorical_crossentropy",
        features,
        one_hot,
        compile={"metrics": ["accuracy"]},
    ),
    "loss_cce_smooth": Case(
        chain(CLASSES, "softmax"), momentum, _loss("CategoricalCrossentropy", label_smoothing=0.2), features, one_hot
    ),
    "loss_cce_logits": Case(
        chain(CLASSES, None),
        momentum,
        _loss("CategoricalCrossentropy", from_logits=True, label_smoothing=0.1),
        features,
        one_hot,
    ),
    "loss_scce": Case(
        chain(CLASSES, "softmax"),
        momentum,
        "sparse_categorical_crossentropy",
        features,
        labels,
        compile={"metrics": ["accuracy"]},
    ),
    "loss_scce_logits": Case(
        chain(CLASSES, None), momentum, _loss("SparseCategoricalCrossentropy", from_logits=True), features, labels
    ),
    # batch norm
    "norm_before": _mse(chain(CLASSES, None, dense(7, use_bias=False), norm(), act("elu"))),
    "norm_after_adam": _mse(chain(CLASSES, None, dense(7, "relu"), norm(momentum=0.9, epsilon=1e-2)), adam),
    "norm_first": _mse(chain(CLASSES, None, norm(center=False), dense(7, "tanh"))),
    "norm_plain": _mse(chain(CLASSES, None, dense(7, "tanh"), norm(scale=False, center=False)), nesterov),
    "norm_rank_three": _mse(rank_three),
    "norm_frozen": _mse(frozen),
    # penalties and constraints
    "l1": _mse(chain(CLASSES, None, dense(7, "tanh", kernel_regularizer="l1")), sgd),
    "l2": _mse(chain(CLASSES, None, dense(7, "tanh", kernel_regularizer="l2")), adam),
    "regularized": _mse(regularized, momentum, compile={"metrics": ["mae"]}, fit=lambda: {"validation_split": 0.3}),
    "regularized_adam": _mse(regularized, adam),
    "max_norm": _mse(chain(CLASSES, None, dense(7, "tanh", kernel_constraint="max_norm")), sgd),
    "constrained": _mse(constrained, momentum),
    "constrained_adam": _mse(constrained, adam),
    # gradients that are clipped
    "clipnorm": _mse(regularized, optimizer_with(clipnorm=0.05)),
    "clipvalue": _mse(chain(CLASSES, None), optimizer_with(clipvalue=0.01)),
    "global_clipnorm": _mse(constrained, optimizer_with(global_clipnorm=0.05, weight_decay=0.1)),
    # averages of weights
    "averages": _mse(constrained, optimizer_with(use_ema=True, ema_momentum=0.9)),
    "averages_overwrite": _mse(regularized, optimizer_with(use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=3)),
    # gradients of several batches
    "accumulated": _mse(regularized, optimizer_with(gradient_accumulation_steps=3, clipnorm=0.1, weight_decay=0.1)),
    # axes and tables
    "inner_axes": _mse(inner_axes),
    "embedded": Case(embedded, adam, "mse", codes, targets),
    "embedded_momentum": Case(embedded, momentum, "mse", codes, targets),
    # graphs
    "preprocessed": _mse(preprocessed),
    "wide_and_deep": Case(wide_and_deep, momentum, "mse", lambda: [features(), features(1.0, 4)], targets),
    "shared_layer": Case(shared_layer, momentum, "mse", lambda: [features(), features(1.0)], targets),
    "two_heads": Case(
        two_heads,
        momentum,
        lambda keras: ["mse", "sparse_categorical_crossentropy"],
        features,
        lambda: [targets(2), labels()],
        compile={"loss_weights": [0.3, 2.0], "metrics": [["mae"], ["accuracy"]]},
    ),
    # weights of samples, validation
    "sample_weight": _mse(
        chain(CLASSES, None), momentum, compile={"metrics": ["mae"], "weighted_metrics": ["mse"]}, fit=_sample_weight
    ),
    "class_weight": Case(
        chain(CLASSES, "softmax"),
        momentum,
        "sparse_categorical_crossentropy",
        features,
        labels,
        fit=lambda: {"class_weight": {0: 1.0, 1: 3.0, 2: 0.25}},
    ),
    "validation_split": _mse(
        chain(CLASSES, None), momentum, compile={"metrics": ["mae"]}, fit=lambda: {"validation_split": 0.3}
    ),
}
_ACTIVATIONS = ["linear", "relu", "leaky_relu", "elu", "selu", "sigmoid", "tanh", "softmax", "softplus"]
CASES: dict[str, Case] = _NETS | {
    f"activation_{name}": _mse(chain(CLASSES, None, hidden=name), nesterov) for name in _ACTIVATIONS
}
