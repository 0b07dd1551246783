"""Activations: Keras's values on arrays, as functions, strings and layers."""

import copy
import pickle

import numpy as np
import pytest

from hotloop import Input, activations, layers, ops

X = np.array([-3, -1, -0.5, 0, 0.5, 1, 3], np.float32)
KERAS_VALUES = [
    ("relu", {}, [0, 0, 0, 0, 0.5, 1, 3]),
    ("relu", {"negative_slope": 0.1}, [-0.3, -0.1, -0.05, 0, 0.5, 1, 3]),
    ("leaky_relu", {}, [-0.6, -0.2, -0.1, 0, 0.5, 1, 3]),
    ("elu", {}, [-0.950213, -0.6321205, -0.3934693, 0, 0.5, 1, 3]),
    ("elu", {"alpha": 2.0}, [-1.900426, -1.264241, -0.7869386, 0, 0.5, 1, 3]),
    ("selu", {}, [-1.670569, -1.111331, -0.6917582, 0, 0.5253505, 1.050701, 3.152103]),
    ("sigmoid", {}, [0.04742587, 0.2689414, 0.3775407, 0.5, 0.6224594, 0.7310586, 0.9525741]),
    ("tanh", {}, [-0.9950547, -0.7615942, -0.4621172, 0, 0.4621172, 0.7615942, 0.9950547]),
    ("softplus", {}, [0.04858735, 0.3132617, 0.474077, 0.6931472, 0.974077, 1.313262, 3.048587]),
    ("softmax", {}, [0.001880408, 0.01389444, 0.02290806, 0.037769, 0.06227056, 0.1026668, 0.7586107]),
    ("linear", {}, X),
]


@pytest.mark.parametrize(("name", "options", "values"), KERAS_VALUES)
def test_an_activation_gives_keras_values_for_a_vector_and_for_rows(name, options, values):
    function = getattr(activations, name)
    np.testing.assert_allclose(function(X, **options), values, rtol=2e-6, atol=1e-7)
    np.testing.assert_allclose(function(np.stack([X, X]), **options), [values, values], rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["relu", "elu", "selu", "sigmoid", "tanh", "softplus", "softmax", "leaky_relu"])
def test_the_string_the_function_and_the_layer_are_one_function(name):
    x = X[None]
    want = getattr(activations, name)(x)
    np.testing.assert_array_equal(getattr(ops, name)(x), want)
    np.testing.assert_array_equal(layers.Activation(name)(x), want)
    np.testing.assert_array_equal(layers.Activation(getattr(activations, name))(x), want)
    dense = layers.Dense(7, activation=name, kernel_initializer=np.eye(7))
    np.testing.assert_allclose(dense(x), want, rtol=1e-6, atol=1e-7)


def test_a_lambda_around_an_activation_works_in_a_layer():
    layer = layers.Activation(lambda x: activations.elu(x, alpha=0.5))
    np.testing.assert_allclose(layer(X[None])[0], activations.elu(X, 0.5), rtol=1e-6)


def test_an_activation_of_a_symbolic_tensor_is_symbolic():
    assert activations.relu(Input((3,))).shape == (None, 3)


def test_softmax_refuses_an_axis_that_is_not_the_last():
    with pytest.raises(ValueError, match="last axis"):
        activations.softmax(np.ones((2, 3)), axis=0)
    np.testing.assert_allclose(activations.softmax(np.ones((2, 4)), axis=1), np.full((2, 4), 0.25))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: activations.get("rellu"), ValueError, "Did you mean 'relu'"),
        (lambda: activations.get(3), ValueError, "expected a name"),
        (lambda: activations.elu(X, alfa=1.0), TypeError, "Did you mean 'alpha'"),
        (lambda: activations.tanh(X, 0.5), TypeError, "received more"),
        (lambda: activations.leaky_relu(X, negative_slope=-0.1), ValueError, "at least 0"),
        (lambda: activations.gelu, AttributeError, "gelu"),
    ],
)
def test_what_is_no_activation_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_none_and_linear_are_the_identity():
    assert activations.get(None) is activations.get("linear") is activations.linear


def test_an_activation_stays_the_same_object_through_copies_and_configurations():
    for function in (activations.selu, activations.softmax):
        assert pickle.loads(pickle.dumps(function)) is function
        assert copy.deepcopy(function) is function
        assert activations.deserialize(activations.serialize(function)) is function


def test_every_kernel_of_the_engine_has_a_name_here():
    from hotloop import _core

    for kind in _core.activation_names():
        assert activations.get(kind).node()[1]["kind"] == kind
        assert getattr(ops, activations.get(kind).name) is activations.get(kind)
