"""Activations: Keras's values on arrays, as functions, strings and layers."""

import copy
import pickle

import numpy as np
import pytest

from hotloop import Input, activations, layers, ops

SAME_WIDTH = [name for name in activations.names() if name != "threshold" and not name.endswith("glu")]
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
    ("relu", {"negative_slope": 0.1, "max_value": 2.0, "threshold": 0.6}, [-0.36, -0.16, -0.11, -0.06, -0.01, 1, 2]),
    ("celu", {"alpha": 2.0}, [-1.55374, -0.7869387, -0.4423984, 0, 0.5, 1, 3]),
    ("gelu", {}, [-0.004049696, -0.1586553, -0.1542688, 0, 0.3457312, 0.8413447, 2.99595]),
    ("log_softmax", {}, [-6.276267, -4.276267, -3.776267, -3.276267, -2.776267, -2.276267, -0.2762665]),
    ("sparsemax", {}, [0, 0, 0, 0, 0, 0, 1]),
]


@pytest.mark.parametrize(("name", "options", "values"), KERAS_VALUES)
def test_an_activation_gives_keras_values_for_a_vector_and_for_rows(name, options, values):
    function = getattr(activations, name)
    np.testing.assert_allclose(function(X, **options), values, rtol=2e-6, atol=1e-7)
    np.testing.assert_allclose(function(np.stack([X, X]), **options), [values, values], rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("name", SAME_WIDTH)
def test_the_string_the_function_and_the_layer_are_one_function(name):
    x = X[None]
    want = getattr(activations, name)(x)
    if name == "gelu":  # Keras's two have different defaults
        np.testing.assert_array_equal(ops.gelu(x, approximate=False), want)
        np.testing.assert_array_equal(ops.gelu(x), activations.gelu(x, approximate=True))
    else:
        np.testing.assert_array_equal(getattr(ops, name)(x), want)
    np.testing.assert_array_equal(layers.Activation(name)(x), want)
    np.testing.assert_array_equal(layers.Activation(getattr(activations, name))(x), want)
    dense = layers.Dense(7, activation=name, kernel_initializer=np.eye(7))
    np.testing.assert_allclose(dense(x), want, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["glu", "swiglu", "geglu", "reglu"])
def test_a_gated_unit_in_a_layer_halves_its_width(name):
    x = np.concatenate([X, X[::-1]])[None]
    gate = {"glu": "sigmoid", "swiglu": "silu", "geglu": "gelu", "reglu": "relu"}[name]
    want = X * activations.get(gate)(X[::-1])
    np.testing.assert_allclose(getattr(activations, name)(x)[0], want, rtol=1e-6)
    np.testing.assert_allclose(getattr(ops, name)(x[0]), want, rtol=1e-6)
    dense = layers.Dense(14, activation=name, kernel_initializer=np.eye(14))
    np.testing.assert_allclose(dense(x)[0], want, rtol=1e-5, atol=1e-6)
    assert dense(Input((14,))).shape == (None, 7)


def test_the_second_names_of_keras_mean_the_same_functions():
    assert activations.get("swish") is activations.swish is activations.silu is ops.swish
    assert activations.get("hard_swish") is activations.hard_swish is activations.hard_silu


def test_random_slopes_are_drawn_in_training_alone_and_anew_in_every_step():
    x = -np.ones((50, 40), np.float32)
    layer = layers.RReLU(seed=3)
    np.testing.assert_allclose(layer(x), x * (1 / 8 + 1 / 3) / 2, rtol=1e-6)
    drawn = -layer(x, training=True)
    assert 1 / 8 <= drawn.min() < drawn.max() <= 1 / 3
    assert np.unique(drawn).size > 1900


def test_a_learned_slope_learns():
    import hotloop as keras

    model = keras.Sequential([Input((3,)), layers.PReLU()])
    model.compile(keras.optimizers.SGD(0.5), "mse")
    x = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    model.fit(x, np.where(x < 0, x * [0.1, 0.5, -0.3], x), epochs=60, batch_size=20, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], [0.1, 0.5, -0.3], atol=1e-3)
    assert layers.PReLU.from_config(model.layers[0].get_config()).shared_axes is None


def test_a_lambda_around_an_activation_works_in_a_layer():
    layer = layers.Activation(lambda x: activations.elu(x, alpha=0.5))
    np.testing.assert_allclose(layer(X[None])[0], activations.elu(X, 0.5), rtol=1e-6)


def test_an_activation_of_a_symbolic_tensor_is_symbolic():
    assert activations.relu(Input((3,))).shape == (None, 3)


def test_a_function_along_an_axis_is_not_that_of_the_moved_axis():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 6)).astype(np.float32)
    for name in ("softmax", "log_softmax", "sparsemax", "glu", "swiglu"):
        function = getattr(activations, name)
        for axis in (0, 2, -2, 3):
            if name not in ("glu", "swiglu") or x.shape[axis] % 2 == 0:
                want = np.moveaxis(function(np.moveaxis(x, axis, -1)), -1, axis)
                np.testing.assert_array_equal(function(x, axis=axis), want)
    for axes in ([1, 2], (2, 1), [0, 3], [0, 1, 2, 3]):
        e = np.exp(x - x.max())
        np.testing.assert_allclose(
            activations.softmax(x, axes), e / e.sum(tuple(axes), keepdims=True), rtol=1e-5, atol=1e-7
        )
    np.testing.assert_allclose(activations.softmax(np.ones((2, 4)), axis=1), np.full((2, 4), 0.25))


def test_axes_that_are_not_there_are_taken():
    for axis in (2, -3, [], [0, 0], 0.5, [1, -1]):
        with pytest.raises(ValueError, match=r"softmax. expected axes of shape \(2, 4\), received"):
            activations.softmax(np.ones((2, 4)), axis=axis)
    with pytest.raises(ValueError, match="other than the batch, received axis=0"):
        activations.softmax(Input((3,)), axis=0)
    with pytest.raises(ValueError, match="expected axes"):
        activations.glu(np.ones((2, 4)), axis=[0, 1])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: activations.get("rellu"), ValueError, "Did you mean 'relu'"),
        (lambda: activations.get(3), ValueError, "expected a name"),
        (lambda: activations.elu(X, alfa=1.0), TypeError, "Did you mean 'alpha'"),
        (lambda: activations.tanh(X, 0.5), TypeError, "received more"),
        (lambda: activations.leaky_relu(X, negative_slope=-0.1), ValueError, "at least 0"),
        (lambda: activations.gelo, AttributeError, "gelo"),
        (lambda: activations.threshold(X, 1.0), TypeError, "expected default_value"),
        (lambda: activations.relu(X, 0.1, negative_slope=0.1), TypeError, "received more"),
        (lambda: activations.celu(X, 0.0), ValueError, "above 0"),
        (lambda: activations.relu(X, max_value=float("inf")), ValueError, "finite max_value"),
        (lambda: layers.ReLU(threshold=-1.0), ValueError, "threshold of at least 0"),
        (lambda: layers.RReLU(0.5, 0.1), ValueError, "lower <= upper"),
        (lambda: layers.PReLU(shared_axes=[3])(X[None]), ValueError, "shared_axes from 1 to 1"),
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
        if kind in ("rectify", "gelu_tanh"):
            continue
        required = (0.5, 1.0) if kind == "threshold" else ()
        assert activations.get(kind).node(*required)[1]["kind"] == kind
        if kind != "gelu":
            assert getattr(ops, activations.get(kind).name) is activations.get(kind)
    assert activations.relu.node(max_value=2.0)[1]["kind"] == "rectify"
    assert activations.gelu.node(approximate=True)[1]["kind"] == "gelu_tanh"
    assert activations.relu.node(max_value=6)[1]["kind"] == "relu6"
