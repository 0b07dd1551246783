"""Losses, metrics, layers and activations of one's own, written with `hotloop.ops`: traced, differentiated, saved."""

from __future__ import annotations

import functools
import pickle

import numpy as np
import pytest

import hotloop as keras
from hotloop import ops

RNG = np.random.default_rng(5)
X = RNG.standard_normal((37, 4)).astype(np.float32)
Y = RNG.standard_normal((37, 3)).astype(np.float32)
WEIGHT = RNG.uniform(0.0, 2.0, 37).astype(np.float32)


def model(units=3, **dense):
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, "tanh"), keras.layers.Dense(units, **dense)])


def trained(loss, y=Y, metrics=None, units=3, **options):
    m = model(units)
    m.compile(keras.optimizers.SGD(0.1), loss, metrics=metrics, **options.pop("compile", {}))
    history = m.fit(X, y, batch_size=8, epochs=3, shuffle=False, verbose=0, **options)
    return m.get_weights(), history.history


def squared(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


def of_batch(y_true, y_pred):
    return ops.mean((y_true - y_pred) ** 2)


class Squared(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return ops.square(y_true - y_pred)


MINE = [squared, Squared(), Squared, keras.losses.LossFunctionWrapper(squared)]


@pytest.mark.parametrize(("mine", "weight"), [*[(m, w) for m in MINE for w in (None, WEIGHT)], (of_batch, None)])
def test_a_loss_of_ones_own_trains_like_the_built_in_one(mine, weight):
    weights, history = trained(mine, sample_weight=weight)
    want, expected = trained("mse", sample_weight=weight)
    for got, value in zip(weights, want, strict=True):
        np.testing.assert_allclose(got, value, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-5)


def test_the_sum_of_a_loss_of_ones_own_is_that_of_all_its_values():
    weights, _ = trained(Squared(reduction="sum"), compile={"loss_weights": 0.001})

    class Summed(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return ops.sum(ops.square(y_true - y_pred), axis=-1)

    want, _ = trained(Summed(reduction="sum"), compile={"loss_weights": 0.001})
    for got, value in zip(weights, want, strict=True):
        np.testing.assert_allclose(got, value, rtol=1e-4, atol=1e-6)


def test_the_root_of_a_batch_mean_has_the_gradient_of_the_batch():
    m = model()
    m.compile(keras.optimizers.SGD(1.0), lambda t, p: ops.sqrt(ops.mean(ops.square(t - p))))
    kernel, bias = m.layers[-1].get_weights()
    hidden = np.tanh(X @ m.layers[0].get_weights()[0] + m.layers[0].get_weights()[1])
    error = hidden @ kernel + bias - Y
    root = np.sqrt(np.mean(error**2))
    assert m.train_on_batch(X, Y) == pytest.approx(root, rel=1e-5)
    slope = error / error.size / root
    np.testing.assert_allclose(kernel - m.layers[-1].get_weights()[0], hidden.T @ slope, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(bias - m.layers[-1].get_weights()[1], slope.sum(0), rtol=1e-4, atol=1e-6)


def test_a_piecewise_loss_is_differentiated_where_it_is_taken():
    def huber(y_true, y_pred):
        error = ops.abs(y_true - y_pred)
        return ops.mean(ops.where(error < 1.0, 0.5 * error**2, error - 0.5), axis=-1)

    m = model()
    m.compile(keras.optimizers.SGD(1.0), huber)
    before = m.get_weights()[-1]
    error = m.predict(X, verbose=0) - Y
    value = m.train_on_batch(X, Y)
    size = np.abs(error)
    assert value == pytest.approx(np.where(size < 1, 0.5 * size**2, size - 0.5).mean(), rel=1e-5)
    slope = np.where(size < 1, error, np.sign(error)).sum(0) / error.size
    np.testing.assert_allclose(before - m.get_weights()[-1], slope, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shape", [(37,), (37, 1)])
def test_targets_without_their_last_axis_meet_predictions_with_it(shape):
    y = Y[:, 0].reshape(shape)
    got, _ = trained(lambda t, p: (t - p) ** 2, y=y, units=1)
    want, _ = trained("mse", y=y, units=1)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_labels_may_be_class_numbers():
    labels = RNG.integers(0, 3, 37)

    def crossentropy(y_true, y_pred):
        classes = ops.stack([ops.equal(y_true, float(k)) for k in range(3)], axis=-1)
        return ops.logsumexp(y_pred, axis=-1) - ops.sum(classes * y_pred, axis=-1)

    got, history = trained(crossentropy, y=labels)
    want, expected = trained(keras.losses.SparseCategoricalCrossentropy(from_logits=True), y=labels)
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-5)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_class_weights_weight_a_loss_of_ones_own():
    labels = RNG.integers(0, 2, 37).astype(np.float32)
    options = {"y": labels, "units": 1, "class_weight": {0: 0.3, 1: 2.0}}
    got, _ = trained(lambda t, p: ops.square(t - p), **options)
    want, _ = trained("mse", **options)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_a_metric_of_ones_own_is_logged_under_its_name():
    def close(y_true, y_pred):
        return ops.mean(ops.abs(y_true - y_pred) < 0.5, axis=-1)

    m = model()
    m.compile("sgd", "mse", metrics=[close, "mae", lambda t, p: ops.max(t - p, axis=-1)], weighted_metrics=[close])
    logs = m.evaluate(X, Y, sample_weight=WEIGHT, batch_size=10, verbose=0, return_dict=True)
    inside = (np.abs(Y - m.predict(X, verbose=0)) < 0.5).mean(-1)
    assert logs["close"] == pytest.approx(inside.mean(), rel=1e-6)
    assert logs["weighted_close"] == pytest.approx((inside * WEIGHT).sum() / WEIGHT.sum(), rel=1e-5)
    assert logs["<lambda>"] == pytest.approx((Y - m.predict(X, verbose=0)).max(-1).mean(), rel=1e-5)


def test_an_accuracy_of_ones_own_counts_largest_outputs():
    y = np.eye(3, dtype=np.float32)[RNG.integers(0, 3, 37)]

    def right(y_true, y_pred):
        return ops.equal(ops.argmax(y_true, axis=-1), ops.argmax(y_pred, axis=-1))

    m = model(activation="softmax")
    m.compile("sgd", "categorical_crossentropy", metrics=[right, "accuracy"])
    logs = m.evaluate(X, y, verbose=0, return_dict=True)
    assert logs["right"] == pytest.approx(logs["accuracy"])


def test_losses_and_metrics_of_ones_own_compute_on_arrays():
    want = ((Y - 1) ** 2).mean()
    assert Squared()(Y, np.ones_like(Y)) == pytest.approx(want, rel=1e-6)
    assert keras.losses.get(squared)(Y, np.ones_like(Y)) == pytest.approx(want, rel=1e-6)
    assert Squared(reduction="none")(Y, np.ones_like(Y)).shape == Y.shape
    weighted = ((Y - 1) ** 2 * WEIGHT[:, None]).mean()
    assert Squared()(Y, np.ones_like(Y), WEIGHT) == pytest.approx(weighted, rel=1e-5)
    metric = keras.metrics.get(squared)
    metric.update_state(Y, np.ones_like(Y), WEIGHT)
    assert metric.result() == pytest.approx((((Y - 1) ** 2).mean(-1) * WEIGHT).sum() / WEIGHT.sum(), rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda t, p: np.mean((t - p) ** 2), r"numpy|NumPy"),
        (lambda t, p: ops.mean(t - p, axis=-1) if p > 0 else p, "Python condition"),
        (lambda t, p: 0.0, "expected a tensor made from y_true and y_pred"),
        (lambda t, p: t[0], "whole batch"),
        (lambda t, p: ops.max(p), "other than the batch"),
    ],
)
def test_a_loss_that_cannot_be_traced_says_why(loss, message):
    m = model()
    m.compile("sgd", loss)
    with pytest.raises((TypeError, ValueError, IndexError), match=message):
        m.fit(X, Y, verbose=0)


def test_a_model_with_functions_of_ones_own_is_saved_by_their_names(tmp_path):
    m = model()
    m.compile("adam", squared, metrics=[of_batch])
    m.fit(X, Y, verbose=0)
    m.save(tmp_path / "m.safetensors")
    with pytest.raises(keras.FormatError, match="custom_objects"):
        keras.models.load_model(tmp_path / "m.safetensors")
    keras.models.load_model(tmp_path / "m.safetensors", compile=False)
    again = keras.models.load_model(
        tmp_path / "m.safetensors", custom_objects={"squared": squared, "of_batch": of_batch}
    )
    assert again.evaluate(X, Y, verbose=0) == m.evaluate(X, Y, verbose=0)
    assert pickle.loads(pickle.dumps(m)).evaluate(X, Y, verbose=0) == m.evaluate(X, Y, verbose=0)
    m.compile("adam", Squared())
    m.save(tmp_path / "s.safetensors")
    again = keras.models.load_model(tmp_path / "s.safetensors", custom_objects={"Squared": Squared})
    assert again.evaluate(X, Y, verbose=0) == m.evaluate(X, Y, verbose=0)
    assert pickle.loads(pickle.dumps(m)).evaluate(X, Y, verbose=0) == m.evaluate(X, Y, verbose=0)
    m.compile("adam", lambda t, p: (t - p) ** 2)
    with pytest.raises(ValueError, match="lambda"):
        m.save(tmp_path / "l.safetensors")


class Gated(keras.layers.Layer):
    """Weights of every shape, used in expressions with and without the batch."""

    def build(self, input_shape):
        self.scale = self.add_weight((input_shape[-1],), "ones", name="scale")
        self.gate = self.add_weight((), "zeros", name="gate")
        self.shift = self.add_weight((1, input_shape[-1]), "zeros", name="shift")

    def call(self, inputs):
        gate = ops.sigmoid(self.gate)
        return ops.sin(inputs * ops.exp(np.float64(0.5) * self.scale)) * gate + (1 - gate) * (inputs - self.shift) ** 2


def test_a_layer_of_ones_own_learns_weights_used_in_expressions():
    m = keras.Sequential([keras.Input((4,)), Gated(), keras.layers.Dense(3)])
    m.compile(keras.optimizers.SGD(1.0), "mse")
    layer, dense = m.layers
    scale, gate, shift = (w.astype(np.float64) for w in layer.get_weights())
    kernel, bias = (w.astype(np.float64) for w in dense.get_weights())
    rest = X.astype(np.float64)
    g, e = 1 / (1 + np.exp(-gate)), np.exp(scale / 2)
    left, right = np.sin(rest * e), (rest - shift) ** 2
    hidden = left * g + (1 - g) * right
    upstream = 2 * (hidden @ kernel + bias - Y) / Y.size @ kernel.T
    want = [
        (upstream * g * np.cos(rest * e) * rest * e / 2).sum(0),
        (upstream * (left - right)).sum() * g * (1 - g),
        (upstream * (1 - g) * -2 * (rest - shift)).sum(0, keepdims=True),
    ]
    np.testing.assert_allclose(m.predict(X, verbose=0), hidden @ kernel + bias, rtol=1e-4, atol=1e-5)
    m.train_on_batch(X, Y)
    for before, after, slope in zip((scale, gate, shift), layer.get_weights(), want, strict=True):
        np.testing.assert_allclose(before - after, slope, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("use", [lambda w: w.numpy(), np.asarray, lambda w: w.value, np.exp])
def test_a_weight_as_an_array_inside_call_is_a_silent_constant(use):
    class Constant(keras.layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight((3,), "ones", name="w")

        def call(self, inputs):
            return inputs * float(np.sum(use(self.w)))

    with pytest.raises(keras.TraceError, match=r"the weight 'constant.*/w' as an array"):
        Constant()(np.ones((1, 3)))


def gated(x):
    return x * ops.sigmoid(1.7 * x)


def test_a_model_with_an_activation_of_ones_own_is_cloned_and_saved_by_its_name(tmp_path):
    m = model(activation=gated)
    clone = keras.models.clone_model(m)
    clone.set_weights(m.get_weights())
    m.save(tmp_path / "m.safetensors")
    with pytest.raises(keras.FormatError, match="gated"):
        keras.models.load_model(tmp_path / "m.safetensors")
    again = keras.models.load_model(tmp_path / "m.safetensors", custom_objects={"gated": gated})
    for other in (clone, again, pickle.loads(pickle.dumps(m))):
        np.testing.assert_array_equal(other.predict(X, verbose=0), m.predict(X, verbose=0))


def test_an_activation_may_be_a_function_of_ones_own():
    m = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation=lambda x: x * ops.sigmoid(1.7 * x))])
    kernel, bias = m.get_weights()
    z = X @ kernel + bias
    np.testing.assert_allclose(m.predict(X, verbose=0), z / (1 + np.exp(-1.7 * z)), rtol=1e-4, atol=1e-5)
    m.compile("sgd", "mse")
    assert m.fit(X, Y, epochs=5, verbose=0).history["loss"][-1] < m.history.history["loss"][0]


class Noise(keras.layers.Layer):
    def __init__(self, kind, seed=None):
        super().__init__()
        self.kind, self.seed = kind, seed

    def call(self, inputs):
        return inputs + getattr(keras.random, self.kind)(ops.shape(inputs), seed=self.seed)


@pytest.mark.parametrize(
    ("kind", "mean", "deviation", "limit"),
    [("normal", 0.0, 1.0, 6.0), ("uniform", 0.5, 12**-0.5, 1.0), ("truncated_normal", 0.0, 0.8796, 2.0)],
)
def test_random_numbers_inside_call_are_fresh_and_of_their_distribution(kind, mean, deviation, limit):
    m = keras.Sequential([keras.Input((50,)), Noise(kind)])
    zeros = np.zeros((2000, 50), np.float32)
    first, second = (m.predict(zeros, verbose=0) for _ in range(2))
    assert first.mean() == pytest.approx(mean, abs=0.02)
    assert first.std() == pytest.approx(deviation, rel=0.02)
    assert np.abs(first).max() <= limit
    assert np.abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.02
    array = getattr(keras.random, kind)((2000, 50))
    assert array.mean() == pytest.approx(mean, abs=0.02)
    assert array.std() == pytest.approx(deviation, rel=0.02)


def test_random_arrays_follow_their_seed():
    np.testing.assert_array_equal(keras.random.uniform((3, 4), seed=3), keras.random.uniform((3, 4), seed=3))
    assert (keras.random.uniform((3, 4)) != keras.random.uniform((3, 4))).any()
    drawn = keras.random.randint((1000,), 2, 5, seed=1)
    assert drawn.dtype == np.int32
    assert set(drawn.tolist()) == {2, 3, 4}
    with pytest.raises(ValueError, match="begins with None"):
        keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x + keras.random.normal((3, 2)))])


def gelu(x):
    return 3 * x * ops.sigmoid(1.702 * x)


@pytest.mark.parametrize(
    ("activation", "words"),
    [(gelu, "one named 'gelu'"), (functools.partial(gated), "with a name"), (lambda x: x, "lambda")],
)
def test_a_file_takes_no_function_whose_name_stands_for_another(activation, words, tmp_path):
    m = model(activation=activation)
    with pytest.raises(ValueError, match=words):
        m.save(tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_file_takes_no_two_functions_of_one_name(tmp_path):
    def other(x):
        return -x

    other.__name__ = "gated"
    m = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, gated), keras.layers.Dense(2, other)])
    m.compile("sgd", "mse")
    with pytest.raises(ValueError, match="rename it"):
        m.save(tmp_path / "m.safetensors")
