"""Functions of `hotloop.ops` mean what Keras's do, or say that they cannot."""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras
from hotloop import ops

A = np.arange(24, dtype=np.float32).reshape(2, 3, 4) - 7
KINDS = ["sum", "mean", "max", "min"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axis", [None, 0, -1, 1, (0, 2), [1]])
@pytest.mark.parametrize("keepdims", [False, True])
def test_a_reduction_of_an_array_takes_other_axes_than_in_keras(kind, axis, keepdims):
    want = getattr(np, kind)(A, axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=keepdims)
    got = getattr(ops, kind)(A, axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(got, want, rtol=1e-6)
    assert got.shape == np.shape(want)


def test_the_sum_of_whole_numbers_is_rounded():
    assert ops.sum([2**24, 1]) == 2**24 + 1
    assert ops.mean([1, 2]) == 1.5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axis", [(1, 2), (-1, -2), (1,), 2])
def test_a_reduction_inside_a_model_takes_other_axes_than_outside(kind, axis):
    x = keras.Input((3, 4))
    out = getattr(ops, kind)(keras.layers.Reshape((3, 4))(x), axis=axis, keepdims=True)
    model = keras.Model(x, keras.layers.Flatten()(out))
    want = getattr(np, kind)(A, axis=axis, keepdims=True).reshape(2, -1)
    np.testing.assert_allclose(model.predict(A, verbose=0), want, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axis", [None, 0, -3, (0, 1), (), 3, 1.5])
def test_a_reduction_over_the_batch_of_a_model_is_silently_another_one(kind, axis):
    with pytest.raises(ValueError, match=rf"\[{kind}\] expected axis .*other than the batch"):
        getattr(ops, kind)(keras.Input((3, 4)), axis=axis)


@pytest.mark.parametrize("function", [np.tanh, np.exp, np.sign])
def test_a_numpy_function_on_a_tensor_does_not_say_what_to_use(function):
    with pytest.raises(keras.TraceError, match=rf"received numpy\.{function.__name__} in .*test_ops\.py.*hotloop\.ops"):
        function(keras.Input((3,)))


def test_an_array_to_the_left_of_a_tensor_is_not_understood():
    x = keras.Input((3,))
    model = keras.Model(x, keras.layers.Flatten()(np.float32(2) * x + np.float64(1) - np.array(3.0)))
    np.testing.assert_allclose(model.predict(np.ones((1, 3)), verbose=0), [[0, 0, 0]])
    left = keras.Model(x, keras.layers.Flatten()(np.float32(2) - np.array(3.0) * x))
    np.testing.assert_allclose(left.predict(np.ones((1, 3)), verbose=0), [[-1, -1, -1]])


@pytest.mark.parametrize(
    ("scalar", "message"),
    [
        (ops.mean, r"received numpy\.add"),
        (ops.sum, r"received numpy\.add"),
    ],
)
def test_a_number_made_from_a_weight_is_never_trained(scalar, message):
    class Scaled(keras.layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight((2, 2), name="w")

        def call(self, inputs):
            return inputs * float(np.sum(scalar(self.w)))

    with pytest.raises(keras.TraceError, match=message):
        Scaled()(np.ones((1, 2)))
    assert np.isfinite(scalar(keras.Variable(np.eye(2) + 1))).all()


def in_model(function, *arrays):
    """What `function` gives inside a model."""
    inputs = [keras.Input(a.shape[1:]) for a in arrays]
    outputs = function(*inputs)
    result = keras.Model(inputs, outputs).predict(list(arrays), verbose=0)
    assert outputs.shape == (None, *result.shape[1:])
    return result


B = np.linspace(0.2, 0.9, 24, dtype=np.float32).reshape(2, 3, 4)
UNARY = [
    "abs", "arccos", "arcsin", "arcsinh", "arctan", "arctanh", "ceil", "cos", "cosh", "exp", "expm1", "floor", "isnan",
    "isfinite", "log", "log10", "log1p", "log2", "logical_not", "negative", "reciprocal", "round", "sign", "sin",
    "sinh", "sqrt", "square", "tan", "zeros_like", "ones_like",
]  # fmt: skip
BINARY = [
    "add", "divide", "equal", "floor_divide", "greater", "greater_equal", "less", "less_equal", "logical_and",
    "logical_or", "maximum", "minimum", "mod", "multiply", "not_equal", "power", "subtract", "true_divide",
]  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
def test_a_function_means_what_numpys_means(name):
    want = getattr(np, name)(B)
    np.testing.assert_allclose(getattr(ops, name)(B), want, rtol=1e-5)
    assert getattr(ops, name)(B).dtype == (bool if want.dtype == bool else np.float32)
    np.testing.assert_allclose(in_model(getattr(ops, name), B), want, rtol=1e-5)


@pytest.mark.parametrize("name", BINARY)
def test_a_function_of_two_means_what_numpys_means(name):
    function, reference = getattr(ops, name), getattr(np, name)
    for other in (B[:, ::-1].copy(), B[:, :1].copy(), B[:, :, 1:2].copy()):
        np.testing.assert_allclose(function(B, other), reference(B, other), rtol=1e-5)
        np.testing.assert_allclose(in_model(function, B, other), reference(B, other), rtol=1e-5)
    np.testing.assert_allclose(in_model(lambda x: function(x, 0.5), B), reference(B, np.float32(0.5)), rtol=1e-5)
    np.testing.assert_allclose(in_model(lambda x: function(0.5, x), B), reference(np.float32(0.5), B), rtol=1e-5)


@pytest.mark.parametrize(
    "formula",
    [
        lambda x, y: 1 / x + x / y - 2.0 / y,
        lambda x, y: x**2 + 2**x - x**y + abs(-x) + (+y),
        lambda x, y: (x < y) | (x >= 0.5) & ~(y > x),
        lambda x, y: 7.31 // x + 5.23 % x + (x + 0.013) // y + (x + 0.017) % y,
        lambda x, y: x[:, 1:, ::2] * y[..., 0:1, 1::2] - x[:, None, 0, :2] + y[:, 2, -1:, None],
    ],
)
def test_operators_mean_what_numpys_mean(formula):
    other = B[:, ::-1].copy()
    want = np.asarray(formula(B.astype(np.float64), other.astype(np.float64)), float)
    np.testing.assert_allclose(in_model(lambda x, y: ops.add(formula(x, y), 0.0), B, other), want, rtol=1e-4)


@pytest.mark.parametrize(
    ("function", "want"),
    [
        (lambda x: ops.transpose(x, (0, 2, 1)), lambda x: x.transpose(0, 2, 1)),
        (lambda x: ops.swapaxes(x, 1, -1), lambda x: x.swapaxes(1, 2)),
        (lambda x: ops.moveaxis(x, 1, 2), lambda x: np.moveaxis(x, 1, 2)),
        (lambda x: ops.flip(x, 1), lambda x: x[:, ::-1]),
        (lambda x: ops.expand_dims(x, 2), lambda x: x[:, :, None]),
        (lambda x: ops.squeeze(x[:, :1], 1), lambda x: x[:, 0]),
        (lambda x: ops.stack([x, 2 * x], axis=2), lambda x: np.stack([x, 2 * x], 2)),
        (lambda x: ops.split(x, 2, axis=-1)[1], lambda x: x[:, :, 2:]),
        (lambda x: ops.take(x, [2, 0, 2], axis=1), lambda x: x[:, [2, 0, 2]]),
        (lambda x: ops.take(x, -1, axis=2), lambda x: x[:, :, -1]),
        (lambda x: ops.var(x, axis=(1, 2)), lambda x: x.var((1, 2))),
        (lambda x: ops.std(x, axis=-1, keepdims=True), lambda x: x.std(-1, keepdims=True)),
        (lambda x: ops.logsumexp(x, axis=1), lambda x: np.log(np.exp(x).sum(1))),
        (lambda x: ops.argmin(x, axis=1, keepdims=True), lambda x: x.argmin(1)[:, None]),
        (lambda x: ops.softmax(x, axis=1), lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
        (lambda x: ops.clip(x, 0.3, 0.5), lambda x: x.clip(0.3, 0.5)),
        (lambda x: ops.where(x > 0.5, x, 0.0), lambda x: np.where(x > 0.5, x, 0)),
        (lambda x: ops.matmul(x, ops.transpose(x, (0, 2, 1))), lambda x: x @ x.transpose(0, 2, 1)),
        (lambda x: ops.cast(x > 0.5, "float32") + ops.stop_gradient(x), lambda x: (x > 0.5) + x),
        (lambda x: ops.round(x, 1), lambda x: x.round(1)),
    ],
)
def test_a_function_inside_a_model_gives_what_it_gives_on_arrays(function, want):
    np.testing.assert_allclose(in_model(function, B), want(B), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("key", [0, (0, 1), (slice(1, None),), (slice(None), 3), (slice(None), [0, 1]), (..., ..., 1)])
def test_an_index_that_takes_other_elements_than_meant_is_refused(key):
    with pytest.raises((IndexError, TypeError), match=r"\[slice\] expected"):
        keras.Input((3, 4))[key]


def test_arithmetic_of_whole_numbers_is_exact():
    large = np.array([16_777_217, 123_456_789], np.int32)
    for ours, expected in (
        (ops.mod(large, 10), [7, 9]),
        (ops.add(large, 1), [16_777_218, 123_456_790]),
        (ops.floor_divide(large, 10), [1_677_721, 12_345_678]),
        (ops.multiply(np.array([2**40 + 1]), 3), [3 * 2**40 + 3]),
        (ops.abs(-large), large),
    ):
        assert ours.dtype.kind == "i"
        np.testing.assert_array_equal(ours, expected)
    assert not ops.equal(np.array([16_777_217]), np.array([16_777_216])).any()
    assert ops.mod(large, 2.5).dtype == "float32"
