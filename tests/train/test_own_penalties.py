"""Terms of one's own in the loss: regularizers that are Python, `add_loss`, and what they are made of."""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras
from hotloop import layers, ops

RNG = np.random.default_rng(3)
X, Y = RNG.standard_normal((24, 5)), RNG.standard_normal((24, 3))
STEP = 1e-6


def l1_and_l2(w):
    return 0.01 * ops.sum(ops.abs(w)) + 0.02 * ops.sum(ops.square(w))


class ColumnsSumToOne(keras.regularizers.Regularizer):
    """A class of one's own."""

    def __init__(self, factor=0.03):
        self.factor = factor

    def __call__(self, w):
        return self.factor * ops.sum(ops.square(ops.sum(w, axis=0) - 1.0))

    def get_config(self):
        return {"factor": self.factor}


class Normalised(layers.Layer):
    """A product by columns of length 1, scaled by an array, that pays for its outputs and for its weights."""

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], 4), initializer="glorot_normal")

    def call(self, x):
        w = self.w * np.arange(1.0, 5.0) / ops.sqrt(ops.sum(ops.square(self.w), axis=0))
        z = ops.matmul(x, w)
        self.add_loss([0.1 * ops.mean(ops.square(z)), 0.01 * ops.max(self.w)])
        return z + np.array([1.0, 0, 0, -1])


class Centred(layers.Layer):
    """What a batch has in common is taken away."""

    def call(self, x):
        return x - ops.mean(x, axis=0, keepdims=True)


def model_of(*stack, inputs=5):
    keras.utils.set_random_seed(2)
    for layer in stack:
        layer.dtype = "float64"
    model = keras.Sequential([keras.Input((inputs,), dtype="float64"), *stack])
    model.compile(keras.optimizers.SGD(0.05), "mse")
    return model


def check_gradients(model):
    """Those of the engine against differences of the loss that it reports."""
    found = model.gradients(X, Y)
    weights = model.get_weights()
    for k, gradient in enumerate(found):
        for place in np.ndindex(*gradient.shape):
            ends = []
            for sign in (1, -1):
                moved = [w.copy() for w in weights]
                moved[k][place] += sign * STEP
                model.set_weights(moved)
                ends.append(model.evaluate(X, Y, batch_size=len(X), verbose=0))
            slope = (ends[0] - ends[1]) / (2 * STEP)
            assert abs(slope - gradient[place]) < 1e-6, (k, place)
    model.set_weights(weights)


STACKS = {
    "function": lambda: [layers.Dense(4, kernel_regularizer=l1_and_l2, bias_regularizer=l1_and_l2), layers.Dense(3)],
    "class": lambda: [layers.Dense(4, kernel_regularizer=ColumnsSumToOne()), layers.Dense(3)],
    "outputs": lambda: [layers.Dense(4, activity_regularizer=l1_and_l2), layers.Dense(3)],
    "add_loss": lambda: [Normalised(), layers.Dense(3)],
    "batch": lambda: [layers.Dense(4, "tanh"), Centred(), layers.Dense(3)],
}


@pytest.mark.parametrize("name", STACKS)
def test_terms_of_ones_own_are_differentiated(name):
    check_gradients(model_of(*STACKS[name]()))


def test_a_function_gives_the_numbers_of_the_class_with_its_formula():
    own, known = (
        model_of(layers.Dense(4, kernel_regularizer=penalty, activity_regularizer=penalty), layers.Dense(3))
        for penalty in (l1_and_l2, keras.regularizers.L1L2(0.01, 0.02))
    )
    known.set_weights(own.get_weights())
    got, want = (m.fit(X, Y, batch_size=10, epochs=3, shuffle=False, verbose=0).history for m in (own, known))
    np.testing.assert_allclose(got["loss"], want["loss"], rtol=1e-12)
    for a, b in zip(own.get_weights(), known.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    np.testing.assert_allclose(float(own.losses[0]), float(known.losses[0]), rtol=1e-6)


def test_add_loss_counts_in_training_and_evaluation_and_in_no_prediction():
    plain, paying = model_of(layers.Dense(3)), model_of(Normalised(), layers.Dense(3))
    z = X @ (paying.weights[0].numpy() / np.linalg.norm(paying.weights[0].numpy(), axis=0) * np.arange(1.0, 5.0))
    extra = 0.1 * np.mean(z**2) + 0.01 * paying.weights[0].numpy().max()
    outputs = paying.predict(X, verbose=0)
    mse = np.mean((outputs - Y) ** 2)
    np.testing.assert_allclose(paying.evaluate(X, Y, batch_size=24, verbose=0), mse + extra, rtol=1e-10)
    np.testing.assert_allclose(outputs, (z + [1, 0, 0, -1]) @ paying.layers[1].get_weights()[0], atol=1e-12)
    assert np.isfinite(plain.evaluate(X, Y, verbose=0))


def test_a_sum_over_the_batch_is_that_of_each_batch():
    model = model_of(Centred())
    halves = np.concatenate([X[:12] - X[:12].mean(0), X[12:] - X[12:].mean(0)])
    np.testing.assert_allclose(model.predict(X, batch_size=12, verbose=0), halves, atol=1e-12)
    with pytest.raises(ValueError, match="depend on one another"):
        model.jacobian(X)


def test_frozen_weights_pay_nothing_to_a_function():
    model = model_of(layers.Dense(3, kernel_regularizer=l1_and_l2))
    paid = model.evaluate(X, Y, verbose=0)
    model.layers[0].trainable = False
    model.compile("sgd", "mse")
    assert model.evaluate(X, Y, verbose=0) < paid - 0.01


@pytest.mark.parametrize("penalty", [l1_and_l2, ColumnsSumToOne(0.5)], ids=["function", "class"])
def test_penalties_of_ones_own_are_saved_by_name(penalty, tmp_path):
    model = model_of(layers.Dense(4, kernel_regularizer=penalty), layers.Dense(3))
    model.save(tmp_path / "m.safetensors")
    name = getattr(penalty, "__name__", type(penalty).__name__)
    with pytest.raises(ValueError, match=name):
        keras.models.load_model(tmp_path / "m.safetensors")
    custom = {name: penalty if callable(penalty) and not isinstance(penalty, ColumnsSumToOne) else ColumnsSumToOne}
    again = keras.models.load_model(tmp_path / "m.safetensors", custom_objects=custom)
    assert again.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    if isinstance(penalty, ColumnsSumToOne):
        assert again.layers[0].kernel_regularizer.factor == 0.5


def test_arrays_are_constants_of_a_functional_model(tmp_path):
    matrix, scale = RNG.standard_normal((5, 3)), np.arange(3.0)
    inputs = keras.Input((5,))
    model = keras.Model(inputs, ops.matmul(inputs, matrix) * scale + np.float32(2) - ops.maximum(inputs[:, :3], scale))
    want = (X @ matrix) * scale + 2 - np.maximum(X[:, :3], scale)
    np.testing.assert_allclose(model.predict(X, verbose=0), want, atol=1e-5)
    model.save(tmp_path / "m.safetensors")
    again = keras.models.load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    np.testing.assert_array_equal(keras.models.clone_model(model).predict(X, verbose=0), model.predict(X, verbose=0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: x * np.ones((400, 300)), "at most 100000 numbers"),
        (lambda x: x * np.array(["a", "b"]), "expected numbers"),
        (lambda x: x * np.ones(7), "equal, or 1"),
        (lambda x: ops.matmul(x, np.ones((4, 2))), "5 features|4 features"),
        (lambda x: ops.max(x, axis=0), "sum and mean"),
    ],
)
def test_a_constant_that_does_not_fit_is_refused(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        keras.Sequential([keras.Input((5,)), layers.Lambda(call)])


def test_add_loss_needs_a_call():
    with pytest.raises(RuntimeError, match="inside `call`"):
        layers.Dense(2).add_loss(1.0)


@pytest.mark.parametrize("kind", ["sum", "mean", "max", "min"])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
def test_weights_alone_are_reduced_over_any_axes(kind, axis):
    class Reduced(layers.Layer):
        def build(self, shape):
            self.w = self.add_weight(shape=(5, 18), initializer="normal")

        def call(self, x):
            value = getattr(ops, kind)(self.w, axis=axis)
            return ops.flatten(x[:, :1] + ops.sum(value * value, axis=None))

    model = model_of(Reduced())
    value = getattr(np, kind)(model.weights[0].numpy(), axis=axis)
    np.testing.assert_allclose(model.predict(X, verbose=0)[:, 0], X[:, 0] + np.sum(value**2), atol=1e-12)
    gradient = model.gradients(X, Y[:, :1])[0]
    factor = 2 * np.mean(X[:, 0] + np.sum(value**2) - Y[:, 0])
    w = model.weights[0].numpy()
    moved = []
    for place in ((0, 0), (2, 17), (4, 3)):
        v = w.copy()
        v[place] += STEP
        up = np.sum(getattr(np, kind)(v, axis=axis) ** 2)
        v[place] -= 2 * STEP
        moved.append(((up - np.sum(getattr(np, kind)(v, axis=axis) ** 2)) / (2 * STEP) * factor, gradient[place]))
    np.testing.assert_allclose(*np.transpose(moved), atol=1e-6)
