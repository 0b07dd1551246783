"""Trainings drawn at random, to be run by hotloop and by Keras: network, optimizer, loss, penalties and all."""

from __future__ import annotations

from typing import Any

import numpy as np

ACTIVATIONS = [
    "linear", "relu", "relu6", "tanh", "elu", "selu", "sigmoid", "softplus", "softsign", "gelu", "silu", "mish",
    "leaky_relu", "exponential", "hard_sigmoid", "celu", "softmax", "log_softmax",
]  # fmt: skip
ROWS = 61


class Draw:
    """One training; `build` makes the same for every module that is given."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def build(self, keras: Any) -> tuple[Any, dict[str, Any]]:
        """A compiled model, and the arguments of its `fit`."""
        self._draw = np.random.default_rng(self.seed)
        self.constrained = False
        inputs = keras.Input((int(self._draw.integers(1, 12)),))
        x = inputs
        for _ in range(self._draw.integers(0, 4)):
            x = self._block(keras, x)
        units, loss, metrics, targets = self._task(keras)
        outputs = keras.layers.Dense(units, **self._bounds(keras, ["kernel", "bias"]))(x)
        if targets != "numbers" and not self.logits:
            outputs = keras.layers.Activation("sigmoid" if units == 1 else "softmax")(outputs)
        model = keras.Model(inputs, outputs)
        weighted = [] if targets == "classes" else self._pick([], ["mse"])
        model.compile(self._optimizer(keras), loss, metrics=metrics, weighted_metrics=weighted)
        return model, self._data(inputs.shape[1], units, targets)

    def _pick(self, *choices: Any) -> Any:
        return choices[self._draw.integers(len(choices))]

    def _uniform(self, low: float, high: float) -> float:
        return float(self._draw.uniform(low, high))

    def _block(self, keras: Any, x: Any) -> Any:
        """A layer with what may stand around it."""
        layers = keras.layers
        norm = self._pick(None, None, "batch", "layer", "rms", "unit")
        # a bias before a normalisation has a gradient of rounding errors, which most optimizers would blow up
        biased = norm is None and self._pick(True, True, False)
        units = int(self._draw.integers(4, 40))
        activity = self._pick(None, None, None, "l2", keras.regularizers.L1L2(0.003, 0.002))
        y = layers.Dense(
            units, use_bias=biased, activity_regularizer=activity,
            **self._bounds(keras, ["kernel", "bias"] if biased else ["kernel"]),
        )(x)  # fmt: skip
        if norm == "batch":
            y = layers.BatchNormalization(momentum=self._uniform(0.5, 0.99), center=self._pick(True, False))(y)
        elif norm is not None:
            name = {"layer": "LayerNormalization", "rms": "RMSNormalization", "unit": "UnitNormalization"}[norm]
            y = getattr(layers, name)()(y)
        y = layers.Activation(self._pick(*ACTIVATIONS))(y)
        join = self._pick(None, None, None, "add", "multiply", "maximum", "concatenate", "average")
        if join == "concatenate":
            return layers.Concatenate()([y, x])
        if join is not None and x.shape[1] == units:
            return getattr(layers, join.capitalize())()([y, x])
        return y

    def _bounds(self, keras: Any, names: list[str]) -> dict[str, Any]:
        """Regularizers and constraints; no l1 where weights stay at 0: |w| has slope 0 there, in Keras on JAX 1."""
        r, c = keras.regularizers, keras.constraints
        result: dict[str, Any] = {}
        if self._pick(*[False] * 4, True):
            self.constrained = True
            return {f"{name}_constraint": "non_neg" for name in names}
        for name in names:
            axis = 0 if name == "bias" else self._pick(0, 1, [0, 1])
            l1, l2 = self._uniform(0, 0.02), self._uniform(0, 0.02)
            result[f"{name}_regularizer"] = self._pick(None, None, None, "l1", "l2", r.L1(l1), r.L2(l2), r.L1L2(l1, l2))
            result[f"{name}_constraint"] = self._pick(
                *[None] * 6, c.MaxNorm(0.7, axis), c.UnitNorm(axis), c.MinMaxNorm(0.3, 0.9, 0.6, axis)
            )
            self.constrained |= result[f"{name}_constraint"] is not None
        if self._pick(*[False] * 9, True):
            result["kernel_regularizer"] = r.OrthogonalRegularizer(0.05, self._pick("rows", "columns"))
        return result

    def _task(self, keras: Any) -> tuple[int, Any, list[str], str]:
        """Outputs, loss, metrics and the kind of targets."""
        losses = keras.losses
        self.logits = self._pick(True, False)
        kind = self._pick("numbers", "binary", "classes", "one-hot")
        if kind == "numbers":
            name = self._pick(
                "MeanSquaredError", "MeanAbsoluteError", "Huber", "LogCosh", "CosineSimilarity", "Hinge", "SquaredHinge"
            )
            return int(self._draw.integers(1, 5)), getattr(losses, name)(), [self._pick("mse", "mae")], kind
        if kind == "binary":
            loss = losses.BinaryCrossentropy(self.logits, label_smoothing=self._pick(0.0, 0.1))
            return 1, loss, [] if self.logits else ["accuracy"], kind
        units = int(self._draw.integers(2, 6))
        if kind == "classes":
            return units, losses.SparseCategoricalCrossentropy(self.logits), ["accuracy"], kind
        return units, losses.CategoricalCrossentropy(self.logits, label_smoothing=0.1), ["accuracy"], kind

    def _optimizer(self, keras: Any) -> Any:
        pick, o = self._pick, keras.optimizers
        momentum, nesterov = pick(0.0, 0.9), pick(True, False)
        name, options = pick(
            ("SGD", {"momentum": momentum, "nesterov": nesterov and momentum > 0}), ("Adagrad", {}), ("Adadelta", {}),
            ("RMSprop", {"momentum": momentum, "centered": pick(True, False)}), ("Adamax", {}), ("Nadam", {}),
            ("Adam", {"amsgrad": pick(True, False)}), ("AdamW", {"weight_decay": self._uniform(0, 0.01)}), ("Lion", {}),
            ("Lamb", {}), ("Muon", {"nesterov": nesterov, "ns_steps": 2}),
        )  # fmt: skip
        if name != "AdamW":
            options["weight_decay"] = pick(None, None, 0.004)
        # no Ftrl: its first steps blow rounding errors up (in float64 it agrees), as a small epsilon would
        if name not in ("SGD", "Lion"):
            options["epsilon"] = 1e-3
        clip = pick(None, None, "clipnorm", "clipvalue", "global_clipnorm")
        if clip is not None:
            options[clip] = self._uniform(0.01, 0.5)
        # with accumulation averages and constraints follow updates here, in Keras batches
        if pick(*[False] * 4, True):
            options["use_ema"], options["ema_momentum"] = True, 0.9
        elif pick(*[False] * 3, True) and not self.constrained:
            options["gradient_accumulation_steps"] = 2
        scale = {"Adadelta": 1.0, "Lion": 0.001}.get(name, 0.01)
        return getattr(o, name)(self._rate(keras, scale), **options)

    def _rate(self, keras: Any, scale: float) -> Any:
        schedules = keras.optimizers.schedules
        kind = self._pick("constant", "exponential", "inverse", "polynomial", "piecewise", "cosine", "restarts")
        if kind == "exponential":
            return schedules.ExponentialDecay(scale, 5, 0.8, staircase=self._pick(True, False))
        if kind == "inverse":
            return schedules.InverseTimeDecay(scale, 5, 0.5)
        if kind == "polynomial":
            return schedules.PolynomialDecay(scale, 10, scale / 10, power=self._pick(1.0, 2.0))
        if kind == "piecewise":
            return schedules.PiecewiseConstantDecay([3, 9], [scale, scale / 2, scale / 4])
        if kind == "cosine":
            return schedules.CosineDecay(scale / 2, 15, alpha=0.1, warmup_target=scale, warmup_steps=4)
        if kind == "restarts":
            return schedules.CosineDecayRestarts(scale, 5, t_mul=2.0, m_mul=0.9)
        return scale

    def _data(self, width: int, units: int, targets: str) -> dict[str, Any]:
        draw = self._draw
        x = draw.standard_normal((ROWS, width)).astype(np.float32)
        if targets == "numbers":
            y = draw.standard_normal((ROWS, units)).astype(np.float32)
        elif targets == "binary":
            y = draw.integers(0, 2, (ROWS, 1)).astype(np.float32)
        elif targets == "classes":
            y = draw.integers(0, units, ROWS)
        else:
            y = np.eye(units, dtype=np.float32)[draw.integers(0, units, ROWS)]
        data = {"x": x, "y": y, "batch_size": int(draw.integers(1, 33)), "epochs": 2, "shuffle": False, "verbose": 0}
        weighting = self._pick(None, "rows", "classes")
        if weighting == "rows":
            data["sample_weight"] = draw.uniform(0.2, 2, ROWS).astype(np.float32)
        elif weighting == "classes" and targets == "classes":
            data["class_weight"] = {i: self._uniform(0.5, 2) for i in range(units)}
        if self._pick(True, False):
            data["validation_split"] = 0.2
        return data
