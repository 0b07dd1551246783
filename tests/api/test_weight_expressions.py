"""Weights, and what is made of them, in expressions: transposed, reshaped, sliced, joined, multiplied by each other."""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras
from hotloop import ops
from traced_functions import DenseTranspose

RNG = np.random.default_rng(4)
X = RNG.standard_normal((13, 5))
Y = RNG.standard_normal((13, 4))


class Made(keras.layers.Layer):
    """x times a matrix (5, 4) that `make` makes of weights of these shapes."""

    def __init__(self, make, shapes, **kwargs):
        super().__init__(**kwargs)
        self.make, self.shapes = make, shapes

    def build(self, input_shape):
        self.parts = [
            self.add_weight(shape=s, initializer="glorot_normal" if len(s) > 1 else "random_normal", name=f"w{i}")
            for i, s in enumerate(self.shapes)
        ]

    def call(self, inputs):
        return ops.matmul(inputs, self.make(ops, *self.parts))


MADE = {
    "transposed": (lambda o, w: o.transpose(w), [(4, 5)]),
    "transposed, and used otherwise": (lambda o, w: o.transpose(w) + o.square(o.transpose(w)), [(4, 5)]),
    "transposed twice": (lambda o, w: o.transpose(o.tanh(o.transpose(w))), [(5, 4)]),
    "axes permuted": (lambda o, w: o.reshape(o.transpose(w, (2, 0, 1)), (5, 4)), [(2, 2, 5)]),
    "reshaped": (lambda o, w: o.reshape(w, (5, 4)), [(2, 10)]),
    "a vector reshaped": (lambda o, w: o.reshape(w, (5, -1)), [(20,)]),
    "sliced": (lambda o, w: w[1:6, ::2], [(7, 8)]),
    "reversed": (lambda o, w: o.flip(w, 0)[:, ::-1], [(5, 4)]),
    "a row for all": (lambda o, v, w: w * v[2][:, None], [(3, 5), (5, 4)]),
    "rows picked": (lambda o, w: o.take(w, [3, 0, 0, 2, 1], axis=0), [(4, 4)]),
    "joined": (lambda o, a, b: o.concatenate([a, b], axis=0), [(2, 4), (3, 4)]),
    "joined across": (lambda o, a, b: o.concatenate([a, o.square(b)], axis=-1), [(5, 1), (5, 3)]),
    "stacked": (lambda o, *columns: o.stack(columns, axis=1), [(5,)] * 4),
    "a product": (lambda o, a, b: o.matmul(a, b), [(5, 2), (2, 4)]),
    "a product of products": (lambda o, a, b, c: o.matmul(o.matmul(a, b), o.tanh(c)), [(5, 3), (3, 3), (3, 4)]),
    "a product with itself": (lambda o, w: o.matmul(o.matmul(w, o.transpose(w)), w), [(5, 4)]),
    "times a constant": (lambda o, w: o.matmul(np.arange(15.0).reshape(5, 3) / 10, w), [(3, 4)]),
    "split": (lambda o, w: o.split(w, 2, axis=1)[1] - o.split(w, 2, axis=1)[0], [(5, 8)]),
    "wide": (lambda o, a, b: o.matmul(a, b)[:, 30:34], [(5, 37), (37, 70)]),
}


class NumpyOps:
    """The same functions of arrays."""

    def __getattr__(self, name):
        return getattr(np, name)


@pytest.mark.parametrize("name", MADE)
def test_what_is_made_of_weights_has_numpys_value_and_its_gradient(name, float64):
    make, shapes = MADE[name]
    keras.utils.set_random_seed(3)
    layer = Made(make, shapes)
    model = keras.Sequential([keras.Input((5,)), layer])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    values = [w.numpy() for w in layer.parts]

    def loss(weights):
        return np.mean((X @ make(NumpyOps(), *weights) - Y) ** 2)

    np.testing.assert_allclose(model.predict(X, verbose=0), X @ make(NumpyOps(), *values), rtol=1e-12, atol=1e-12)
    model.train_on_batch(X, Y)
    for i, (before, weight) in enumerate(zip(values, layer.parts, strict=True)):
        gradient = before - weight.numpy()
        slope = np.empty_like(before)
        for place in np.ndindex(before.shape):
            up, down = ([v.copy() for v in values] for _ in range(2))
            up[i][place] += 1e-6
            down[i][place] -= 1e-6
            slope[place] = (loss(up) - loss(down)) / 2e-6
        np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", ["transposed", "sliced", "a product with itself", "joined across"])
def test_such_models_are_trained_and_saved_like_others(name, tmp_path):
    def build():
        keras.utils.set_random_seed(3)
        model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(5, "tanh"), Made(*MADE[name])])
        model.compile("adam", "mse")
        return model

    x, y = np.tile(X, (10, 1)), np.tile(Y, (10, 1))
    model, twin = build(), build()
    history = model.fit(x, y, epochs=30, batch_size=16, verbose=0).history["loss"]
    assert history[-1] < history[0]
    assert twin.fit(x, y, epochs=30, batch_size=16, verbose=0).history["loss"] == history
    whole = model.predict(x, verbose=0)
    assert model.predict(x, batch_size=7, verbose=0).tobytes() == whole.tobytes()
    assert model.predict(x[:1], verbose=0).tobytes() == whole[:1].tobytes()
    model.save_weights(tmp_path / "w.safetensors")
    fresh = build()
    fresh.load_weights(tmp_path / "w.safetensors")
    assert fresh.predict(x, verbose=0).tobytes() == whole.tobytes()


@pytest.mark.parametrize("by", ["transpose", "einsum"])
def test_a_tied_autoencoder_learns_with_one_kernel_for_both_ways(by, float64):
    class Tied(DenseTranspose):
        def call(self, inputs):
            if by == "transpose":
                return super().call(inputs)
            return self.activation(ops.einsum("bj,ij->bi", inputs, self.dense.kernel) + self.biases)

    keras.utils.set_random_seed(1)
    encoder = keras.layers.Dense(3, activation="tanh")
    model = keras.Sequential([keras.Input((5,)), encoder, Tied(encoder, "sigmoid")])
    model.compile(keras.optimizers.SGD(0.5), "mse")
    kernel, bias, other = model.get_weights()
    model.train_on_batch(X, X)

    def loss(kernel):
        return np.mean((1 / (1 + np.exp(-(np.tanh(X @ kernel + bias) @ kernel.T + other))) - X) ** 2)

    slope = np.empty_like(kernel)
    for place in np.ndindex(kernel.shape):
        bump = np.zeros_like(kernel)
        bump[place] = 1e-6
        slope[place] = (loss(kernel + bump) - loss(kernel - bump)) / 2e-6
    np.testing.assert_allclose((kernel - model.get_weights()[0]) / 0.5, slope, rtol=1e-5, atol=1e-8)


def test_kernels_are_pushed_towards_orthogonal_columns_by_a_regularizer_of_ones_own():
    def orthogonal(w):
        return 10.0 * ops.sum(ops.square(ops.matmul(ops.transpose(w), w) - np.eye(4)))

    keras.utils.set_random_seed(1)
    layer = keras.layers.Dense(4, kernel_regularizer=orthogonal)
    model = keras.Sequential([keras.Input((5,)), layer])
    model.compile(keras.optimizers.SGD(0.003), "mse")
    before = model.evaluate(X, Y, verbose=0)
    kernel = layer.kernel.numpy()
    penalty = 10.0 * np.sum((kernel.T @ kernel - np.eye(4)) ** 2)
    np.testing.assert_allclose(before, np.mean((X @ kernel - Y) ** 2) + penalty, rtol=1e-5)
    model.fit(X, model.predict(X, verbose=0), epochs=300, verbose=0)
    kernel = layer.kernel.numpy()
    assert np.abs(kernel.T @ kernel - np.eye(4)).max() < 0.05


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda o, w: o.transpose(w, (0, 0)), "axes as those of"),
        (lambda o, w: o.reshape(w, (3, 7)), "a shape of 20 elements"),
        (lambda o, w: o.matmul(w, w), "as many columns in a as rows in b"),
        (lambda o, w: o.concatenate([w, w[:, :2]], axis=0), "differ on axis 0 alone"),
        (lambda o, w: o.flip(w, 2), "an axis of"),
        (lambda o, w: w[7], "an index from -5 to 4 on axis 0"),
    ],
)
def test_what_cannot_be_made_is_refused(make, message):
    with pytest.raises((ValueError, IndexError), match=message):
        keras.Sequential([keras.Input((5,)), Made(make, [(5, 4)])])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_expressions_of_weights_have_the_same_bits_for_any_team(dtype):
    def trained(threads):
        keras.config.set_num_threads(threads)
        keras.config.set_floatx(dtype)
        try:
            keras.utils.set_random_seed(2)
            encoder = keras.layers.Dense(70, "tanh")
            low_rank = Made(lambda o, a, b: o.matmul(a, b), [(300, 33), (33, 300)])
            model = keras.Sequential([keras.Input((300,)), low_rank, encoder, DenseTranspose(encoder)])
            model.compile("adam", "mse")
            x = np.random.default_rng(0).standard_normal((256, 300))
            model.fit(x, x, epochs=2, verbose=0)
            return [w.tobytes() for w in model.get_weights()]
        finally:
            keras.config.set_num_threads(None)
            keras.config.set_floatx("float32")

    alone = trained(1)
    assert all(trained(threads) == alone for threads in (2, 3))
