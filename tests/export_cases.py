"""Models that are written for use elsewhere, and inputs to compare with: name to a function that makes a model."""

from __future__ import annotations

from typing import Any

import numpy as np

import hotloop as keras
from hotloop import layers, ops
from hotloop.elementwise import elementwise
from hotloop.pretraining import Autoencoder
from reference_elementwise import KINDS

ACTIVATIONS = [name for name in keras.activations.names() if name not in ("linear", "threshold")]
UNARY = [name for name, (_, *slopes) in KINDS.items() if len(slopes) == 1]
BINARY = [name for name, (_, *slopes) in KINDS.items() if len(slopes) == 2]
POSITIVE = ("sqrt", "rsqrt", "log", "log1p", "power", "arcsin", "arccos", "arctanh")


def filled(model: Any, seed: int = 0) -> Any:
    """The model with weights and statistics as after a training."""
    rng = np.random.default_rng(seed)

    def values(weight: np.ndarray, name: str) -> np.ndarray:
        if name in ("variance", "moving_variance"):
            return rng.uniform(0.5, 2.0, weight.shape)
        width = weight.shape[0] if weight.ndim == 2 else 1
        return rng.standard_normal(weight.shape) / np.sqrt(width)

    with_names = [(v.numpy(), v.name) for v in model.weights]
    model.set_weights([values(w, name).astype(w.dtype) if w.dtype.kind == "f" else w for w, name in with_names])
    return model


def stack(*of: Any, shape: tuple[int, ...] = (6,), dtype: str | None = None) -> Any:
    return filled(keras.Sequential([keras.Input(shape, dtype=dtype), *of]))


def inputs_for(model: Any, rows: int = 13, seed: int = 1) -> list[np.ndarray]:
    """An array for each input; codes from 0 to 3."""
    rng = np.random.default_rng(seed)
    arrays = []
    for tensor in model.inputs:
        shape = (rows, *tensor.shape[1:])
        codes = tensor.dtype == "int32"
        arrays.append(rng.integers(0, 4, shape).astype(np.int32) if codes else 2 * rng.standard_normal(shape))
    return [a if a.dtype == np.int32 else a.astype(model.dtype) for a in arrays]


class Expression(layers.Layer):
    """A function of the inputs."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def call(self, inputs: Any) -> Any:
        return self.function(inputs)


class Gated(layers.Layer):
    """Products by weights that are made of weights."""

    def build(self, input_shape: Any) -> None:
        self.v = self.add_weight((input_shape[-1], 4), "glorot_uniform", name="v")
        self.mask = self.add_weight((input_shape[-1], 4), "glorot_uniform", name="mask")
        self.shift = self.add_weight((4,), "zeros", name="shift")

    def call(self, inputs: Any) -> Any:
        kernel = self.v * ops.sigmoid(self.mask)
        kernel = kernel / ops.sqrt(ops.sum(ops.square(kernel), axis=0, keepdims=True))
        return ops.matmul(inputs, kernel) + self.shift * 2.0


def unary(kind: str) -> Any:
    def function(x: Any) -> Any:
        if kind in POSITIVE:
            x = ops.sigmoid(x)
        return elementwise(kind, 1.1 + ops.square(x) if kind == "arccosh" else ops.clip(x, -1.3, 1.3))

    return lambda: stack(Expression(function))


def binary(kind: str) -> Any:
    def function(x: Any) -> Any:
        a, b = x[:, :3], x[:, 3:]
        if kind in ("less_equal", "equal", "not_equal", "logical_and", "logical_or", "arctan2"):
            a, b = ops.round(a) + 0.0, ops.round(b) + 0.0  # no -0
        return elementwise(kind, ops.sigmoid(a) if kind in POSITIVE else a, b)

    return lambda: stack(Expression(function))


def branches() -> Any:
    """Two inputs, two outputs, a shared layer, branches."""
    a, b = keras.Input((5,), name="left"), keras.Input((3,), name="right")
    shared = layers.Dense(4, activation="tanh")
    first, second = shared(a), shared(layers.Dense(5)(b))
    both = layers.Concatenate()([first, second, b])
    merged = layers.Add()([layers.Multiply()([first, second]), layers.Average()([first, second]),
                           layers.Maximum()([first, second]), layers.Minimum()([first, second]),
                           layers.Subtract()([first, second])])  # fmt: skip
    out = layers.Dense(3, activation="softmax", name="classes")(layers.BatchNormalization()(both))
    return filled(keras.Model([a, b], [out, layers.Dense(1, name="value")(merged)]))


def columns() -> Any:
    """Codes, bins and numbers."""
    code, several = keras.Input((1,), dtype="int32", name="code"), keras.Input((3,), dtype="int32", name="several")
    number = keras.Input((2,), name="number")
    parts = [
        layers.Flatten()(layers.Embedding(5, 3)(code)),
        layers.CategoryEncoding(6, "one_hot")(code),
        layers.CategoryEncoding(6, "multi_hot")(several),
        layers.CategoryEncoding(6, "count")(several),
        layers.Flatten()(layers.Embedding(3, 2)(layers.Discretization(bin_boundaries=[-1.0, 1.0])(number))),
        layers.Flatten()(layers.Embedding(3, 2)(layers.Lambda(lambda x: ops.round(x))(number))),
        layers.Normalization()(number),
    ]
    return filled(keras.Model([code, several, number], layers.Dense(4)(layers.Concatenate()(parts))))


def _mixed(x: Any) -> Any:
    y = ops.transpose(x, (0, 2, 1))[:, ::-1, 1:]
    y = ops.pad(y, [(0, 0), (1, 0), (0, 2)])
    y = ops.concatenate([y, y[:, :1] * 2.0], axis=1)
    return ops.max(y, axis=1) + ops.mean(y, axis=1) - ops.sum(y, axis=1) * ops.min(y, axis=1)


def tied_autoencoder():
    model = Autoencoder([5, 3], "tanh", "sigmoid", tied=True)
    model(np.zeros((1, 6), np.float32))
    return filled(model)


CASES: dict[str, Any] = {
    **{f"activation {name}": (lambda name=name: stack(layers.Activation(name))) for name in ACTIVATIONS},
    **{f"elementwise {kind}": unary(kind) for kind in UNARY},
    **{f"elementwise {kind}": binary(kind) for kind in BINARY},
    "where": lambda: stack(Expression(lambda x: ops.where(x > 0.2, x, ops.square(x[:, :1])))),
    "threshold": lambda: stack(Expression(lambda x: keras.activations.threshold(x, 0.3, -1.0))),
    "relu options": lambda: stack(layers.ReLU(max_value=1.5, negative_slope=0.1, threshold=0.4)),
    "gelu tanh": lambda: stack(Expression(lambda x: ops.gelu(x, approximate=True))),
    "leaky relu, elu": lambda: stack(layers.LeakyReLU(0.3), layers.ELU(0.7)),
    "prelu": lambda: stack(layers.PReLU()),
    "prelu shared": lambda: stack(layers.PReLU(shared_axes=[1]), shape=(3, 4)),
    "rrelu": lambda: stack(layers.RReLU()),
    "tied weights": lambda: tied_autoencoder(),
    "dense": lambda: stack(layers.Dense(7, activation="relu"), layers.Dense(3, use_bias=False)),
    "dense of rows": lambda: stack(layers.Dense(5, activation="elu"), layers.Dense(2), shape=(3, 4)),
    "batch norm": lambda: stack(layers.BatchNormalization(), layers.Dense(3), layers.BatchNormalization(scale=False)),
    "batch norm of rows": lambda: stack(layers.BatchNormalization(axis=1, center=False), shape=(3, 4)),
    "batch norm of pixels": lambda: stack(layers.BatchNormalization(axis=[1, 2]), shape=(3, 4)),
    "layer norm": lambda: stack(layers.LayerNormalization()),
    "layer norm plain": lambda: stack(layers.LayerNormalization(center=False, scale=False, epsilon=1e-2)),
    "layer norm of two axes": lambda: stack(layers.LayerNormalization(axis=[1, 2], scale=False), shape=(3, 4)),
    "rms norm": lambda: stack(layers.RMSNormalization(), layers.RMSNormalization(axis=-1)),
    "unit norm": lambda: stack(layers.UnitNormalization()),
    "group norm": lambda: stack(layers.GroupNormalization(2), shape=(3, 4)),
    "normalization": lambda: stack(layers.Normalization(), layers.Normalization(axis=None, invert=True)),
    "rescaling": lambda: stack(layers.Rescaling(1 / 16, offset=-1.0)),
    "softmax": lambda: stack(layers.Dense(4), layers.Softmax()),
    "softmax of an axis": lambda: stack(layers.Softmax(axis=1), shape=(3, 4)),
    "reshaping": lambda: stack(layers.Reshape((2, 3)), layers.Permute((2, 1)), layers.Flatten(),
                               layers.RepeatVector(2), layers.Flatten()),
    "idle layers": lambda: stack(layers.Dropout(0.5), layers.GaussianNoise(0.3), layers.Identity(), layers.Dense(2)),
    "drop connect": lambda: stack(layers.DropConnectDense(3, 0.5)),
    "spectral norm": lambda: stack(layers.SpectralNormalization(layers.Dense(3))),
    "einsum dense": lambda: stack(layers.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d"), shape=(3, 4)),
    "batch ensemble": lambda: stack(layers.RepeatVector(3), layers.BatchEnsembleDense(4, "elu")),
    "block sparse": lambda: stack(layers.BlockSparseDense(20, 7, "relu"), layers.BlockSparseDense(3, 1)),
    "augmentation": lambda: stack(layers.RandomFlip(), layers.RandomBrightness(0.1), layers.RandomRotation(0.1),
                                  layers.Flatten(), layers.Dense(2), shape=(3, 4, 1)),
    "branches": branches,
    "columns": columns,
    "weights of weights": lambda: stack(Gated(), layers.Dense(2)),
    "indices": lambda: stack(Expression(_mixed), shape=(3, 4)),
    "sorting": lambda: stack(Expression(lambda x: ops.concatenate(
        [ops.sort(x), ops.cumsum(x, -1), ops.top_k(x, 2)[0], ops.expand_dims(ops.argmax(x, -1), -1),
         ops.expand_dims(ops.argmin(x, -1), -1), ops.argsort(x)], axis=-1))),
    "dot": lambda: stack(Expression(lambda x: layers.Dot(axes=1)([x[:, :3], x[:, 3:]]))),
    "input as output": lambda: stack(layers.Identity()),
    "nested": lambda: stack(keras.Sequential([keras.Input((6,)), layers.Dense(4, activation="mish")]), layers.Dense(2)),
    "subclass": lambda: filled(_built(Own())),
}  # fmt: skip


class Own(keras.Model):
    """A model with a `call` of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = layers.Dense(5, activation="silu"), layers.Dense(2)

    def call(self, inputs: Any) -> Any:
        return self.second(self.first(inputs)) + 1.0


def _built(model: Any) -> Any:
    model(np.zeros((1, 6), np.float32))
    return model


def random_network(seed: int) -> Any:
    """Dense layers, activations, normalisations, branches, by chance."""
    rng = np.random.default_rng(seed)

    def some(of: Any) -> Any:
        return of[int(rng.integers(len(of)))]

    x = keras.Input((int(rng.integers(1, 9)),), name="x")
    tensors = [x]
    for _ in range(int(rng.integers(2, 9))):
        y = some(tensors)
        kind = some(["dense", "dense", "activation", "norm", "merge", "idle"])
        if kind == "dense":
            y = layers.Dense(int(rng.integers(1, 12)), activation=some([None, "relu", "gelu", "tanh", "selu"]))(y)
        elif kind == "activation":
            y = layers.Activation(some(["elu", "mish", "silu", "softmax", "softplus", "hard_silu", "squareplus"]))(y)
        elif kind == "norm":
            y = some([layers.BatchNormalization, layers.LayerNormalization, layers.RMSNormalization])()(y)
        elif kind == "merge":
            other = some(tensors)
            same = other.shape == y.shape
            y = (some([layers.Add, layers.Multiply, layers.Maximum]) if same else layers.Concatenate)()([y, other])
        else:
            y = some([layers.Dropout(0.3), layers.Rescaling(0.5, 0.1)])(y)
        tensors.append(y)
    outputs = [layers.Dense(2, name="last")(tensors[-1])]
    if seed % 2:
        outputs.append(layers.Dense(1, activation="sigmoid", name="other")(some(tensors)))
    return filled(keras.Model(x, outputs if len(outputs) > 1 else outputs[0]), seed)
